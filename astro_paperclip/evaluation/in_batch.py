"""Retrieval inside batches, and the loss: what a training run is watched by."""

import numpy as np

from astro_paperclip.evaluation.accuracy import TOP_K, found_within
from astro_paperclip.evaluation.ranks import TIE, unit_rows

__all__ = ["BATCH_SIZE", "LOGIT_SCALE", "in_batch_metrics"]

BATCH_SIZE = 100
"""Pairs in a batch (arXiv:2403.08851, figure 2: 30 batches of 100)."""

LOGIT_SCALE = 100.0
"""Factor on cosine similarities in the loss where an encoder does not say its own: the largest
that CLIP allows (arXiv:2103.00020, section 2.5), which its published weights have reached."""

_PERCENT = 10


def in_batch_metrics(
    image_vectors: np.ndarray,
    text_vectors: np.ndarray,
    *,
    logit_scale: float = LOGIT_SCALE,
    batch_size: int = BATCH_SIZE,
    seed: int = 0,
) -> dict:
    """Measure retrieval inside batches, and the contrastive loss.

    Parameters
    ----------
    image_vectors, text_vectors : `numpy.ndarray`
        Shape (n, d), one row a pair; brought to unit length here.
    logit_scale : float, optional
        Factor on the cosine similarities in the loss, the inverse of the temperature; it does
        not change the accuracies.
    batch_size : int, optional
        Pairs in a batch. The last batch is left out where it is smaller, unless it is the
        only one.
    seed : int, optional
        Of the order in which pairs are put into batches.

    Returns
    -------
    dict
        Ready for JSON:

        ``batch_size``, ``batches``, ``logit_scale``
            What the figures below come from.
        ``loss``
            Symmetric InfoNCE: cross-entropy of the right text among the texts of the batch and
            of the right image among its images, halved, mean over the pairs. A model that
            knows nothing has the natural logarithm of the batch size.
        ``text_to_image``, ``image_to_text``
            ``top_percent`` (``10``) and ``top_k`` (``1``, ``5``, ``10``): shares of queries
            with the right answer among the best of the batch, as
            `~astro_paperclip.evaluation.retrieval_metrics` gives them.

    Raises
    ------
    ValueError
        If shapes differ, there is no row, a vector is not finite, the scale is not a positive
        number or a batch holds nothing.

    Notes
    -----
    This follows figure 2 of PAPERCLIP [1]_: texts look for their images among the 100 of a
    batch, the 10 best count, and only the image of the text's own row is right, even where two
    rows of a batch share a caption. Where its code differs: the code draws a random rotation,
    flip and crop of each validation image, once a batch, and leaves out the last two batches;
    here vectors are what the encoder makes of whole images, in a seeded order, and only the
    incomplete batch is left out. The code takes the ten last of an ascending sort, so that
    equal scores are decided by position; here they count against the model.

    References
    ----------
    .. [1] Mishra-Sharma, S., Song, Y., & Thaler, J. 2024, arXiv:2403.08851, figure 2
    """
    images, texts = unit_rows(image_vectors), unit_rows(text_vectors)
    if images.shape != texts.shape:
        raise ValueError(
            f"Image vectors {images.shape} and text vectors {texts.shape} do not belong together."
        )
    if not (np.isfinite(logit_scale) and logit_scale > 0):
        raise ValueError(f"A logit scale must be a number above 0: {logit_scale}.")
    if batch_size < 1:
        raise ValueError(f"A batch must hold one pair at least: {batch_size}.")
    size = min(batch_size, len(images))
    order = np.random.default_rng(seed).permutation(len(images))
    batches = order[: len(order) // size * size].reshape(-1, size)
    losses, text_ranks, image_ranks = [], [], []
    for rows in batches:
        scores = texts[rows] @ images[rows].T
        losses.append(
            (_cross_entropy(logit_scale * scores) + _cross_entropy(logit_scale * scores.T)) / 2
        )
        text_ranks.append(_ranks(scores))
        image_ranks.append(_ranks(scores.T))
    return {
        "batch_size": size,
        "batches": len(batches),
        "logit_scale": float(logit_scale),
        "loss": float(np.mean(losses)),
        "text_to_image": _summary(np.concatenate(text_ranks), size),
        "image_to_text": _summary(np.concatenate(image_ranks), size),
    }


def _cross_entropy(logits: np.ndarray) -> float:
    """Return the mean over rows of minus the log-softmax of the diagonal."""
    logits = logits - logits.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(logits).sum(axis=1)) - np.diag(logits)))


def _ranks(scores: np.ndarray) -> np.ndarray:
    """Return the rank of each row's diagonal element, ties counted against it."""
    right = np.diag(scores)[:, None]
    # the element itself is among those that score as high, which makes ranks start at 1
    return np.count_nonzero(scores >= right - TIE, axis=1)


def _summary(ranks: np.ndarray, size: int) -> dict:
    return {
        "top_percent": {str(_PERCENT): float(np.mean(found_within(ranks, _PERCENT, size)))},
        "top_k": {str(k): float(np.mean(ranks <= k)) for k in TOP_K},
    }
