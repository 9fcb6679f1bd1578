"""Contrastive losses that know which pairs belong together.

Two pictures of one proposal share a caption, and two proposals may look at one target. A loss
that takes all other pairs of a batch for wrong answers pushes them apart. Both losses here are
open_clip's own, told which answers are right as well.
"""

import torch
from open_clip.loss import ClipLoss, SigLipLoss
from torch.nn.functional import cross_entropy, logsigmoid

from astro_paperclip.exceptions import TrainingError
from astro_paperclip.training.finetuning.distributed import (
    Processes,
    gather_rows,
    gather_rows_with_gradient,
)

__all__ = ["NOTHING", "GroupClipLoss", "GroupSigLipLoss", "right_answers"]

NOTHING = -1
"""Label of a pair that belongs to nothing but itself."""


def right_answers(
    labels: torch.Tensor | None, features: torch.Tensor, processes: Processes
) -> torch.Tensor:
    """Tell which pairs of the whole batch are right answers to those of this process.

    Parameters
    ----------
    labels : `torch.Tensor` or None
        Shape (n, m), int64: what each pair belongs to, in m senses (its proposal, its target);
        `NOTHING` where it belongs to nothing. None: no pair belongs to another.
    features : `torch.Tensor`
        Those of this process's pairs, shape (n, d).
    processes : Processes
        Who holds the whole batch; all must call.

    Returns
    -------
    right : `torch.Tensor`
        Shape (n, world_size x n), bool, on the device of the features. Pairs with an equal label
        in any column are right answers of each other, and every pair is one of itself.

    Raises
    ------
    TrainingError
        If the labels are of another shape or type.
    """
    count, device = len(features), features.device
    own = torch.arange(count, device=device)
    right = torch.zeros(count, processes.world_size * count, dtype=torch.bool, device=device)
    right[own, own + processes.rank * count] = True
    if labels is None:
        return right
    if labels.ndim != 2 or len(labels) != count or labels.dtype != torch.int64:
        raise TrainingError(
            f"Labels must be int64 of shape ({count}, columns), a row for each pair, but they are "
            f"{labels.dtype} of shape {tuple(labels.shape)}."
        )
    labels = labels.to(device)
    # One column at a time, so that no array is larger than the answer.
    for mine, all_pairs in zip(labels.T, gather_rows(labels, processes).T, strict=True):
        right |= (mine[:, None] == all_pairs) & (mine[:, None] != NOTHING)
    return right


class GroupClipLoss(ClipLoss):
    """Symmetric InfoNCE whose target is shared equally by all right answers.

    The unified contrastive loss (UniCL, arXiv:2204.03610), which is CLIP's (arXiv:2103.00020)
    where no two pairs belong together.

    Parameters
    ----------
    rank : int
        Number of this process.
    world_size : int
        Number of processes. Each computes the loss of its own pairs against the whole batch,
        and gathers with gradient: the other ways that open_clip offers give other gradients
        than one process, or compute everything in every process.
    """

    def __init__(self, rank: int = 0, world_size: int = 1) -> None:
        super().__init__(local_loss=True, gather_with_grad=True, rank=rank, world_size=world_size)
        self._processes = Processes(rank, world_size)

    def get_logits(
        self,
        image_features: torch.Tensor,
        text_features: torch.Tensor,
        logit_scale: torch.Tensor,
        logit_bias: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what the pairs of this process are to the whole batch.

        Parameters
        ----------
        image_features, text_features, logit_scale, logit_bias
            As for `forward`.

        Returns
        -------
        logits_per_image, logits_per_text : `torch.Tensor`
            Shape (n, world_size x n).
        """
        images = gather_rows_with_gradient(image_features, self._processes)
        texts = gather_rows_with_gradient(text_features, self._processes)
        bias = 0 if logit_bias is None else logit_bias
        return (
            logit_scale * image_features @ texts.T + bias,
            logit_scale * text_features @ images.T + bias,
        )

    def forward(
        self,
        image_features: torch.Tensor,
        text_features: torch.Tensor,
        logit_scale: torch.Tensor,
        logit_bias: torch.Tensor | None = None,
        output_dict: bool = False,
        *,
        labels: torch.Tensor | None = None,
    ) -> torch.Tensor | dict[str, torch.Tensor]:
        """Return the loss of this process's pairs, a mean over them.

        Parameters
        ----------
        image_features, text_features : `torch.Tensor`
            Shape (n, d), of unit length; n is the same in every process.
        logit_scale : `torch.Tensor`
            Inverse temperature.
        logit_bias : `torch.Tensor`, optional
            Changes nothing here; models made for the sigmoid loss have one.
        output_dict : bool
            Whether to return ``{"contrastive_loss": loss}``, as open_clip's losses do.
        labels : `torch.Tensor`, optional
            As for `right_answers`. Default: every pair belongs to itself alone.

        Returns
        -------
        loss : `torch.Tensor`
            The mean over processes is the loss of the whole batch.

        Raises
        ------
        TrainingError
            If the labels are no whole numbers of shape (n, m).
        """
        if labels is None:
            return super().forward(
                image_features, text_features, logit_scale, logit_bias, output_dict
            )
        right = right_answers(labels, image_features, self._processes)
        per_image, per_text = self.get_logits(
            image_features, text_features, logit_scale, logit_bias
        )
        target = right.to(per_image.dtype)
        target /= target.sum(dim=1, keepdim=True)
        loss = (cross_entropy(per_image, target) + cross_entropy(per_text, target)) / 2
        return {"contrastive_loss": loss} if output_dict else loss


class GroupSigLipLoss(SigLipLoss):
    """Sigmoid loss (arXiv:2303.15343) in which every right answer of a picture counts as one.

    Parameters
    ----------
    rank : int
        Number of this process.
    world_size : int
        Number of processes. Each computes the loss of its own pictures against all texts.
    """

    def __init__(self, rank: int = 0, world_size: int = 1) -> None:
        super().__init__(rank=rank, world_size=world_size)
        self._processes = Processes(rank, world_size)

    def forward(
        self,
        image_features: torch.Tensor,
        text_features: torch.Tensor,
        logit_scale: torch.Tensor,
        logit_bias: torch.Tensor | None = None,
        output_dict: bool = False,
        *,
        labels: torch.Tensor | None = None,
    ) -> torch.Tensor | dict[str, torch.Tensor]:
        """Return the loss of this process's pictures: a sum over texts, a mean over pictures.

        Parameters
        ----------
        image_features, text_features : `torch.Tensor`
            Shape (n, d), of unit length; n is the same in every process.
        logit_scale : `torch.Tensor`
            Inverse temperature.
        logit_bias : `torch.Tensor`
            What is added to every logit.
        output_dict : bool
            Whether to return ``{"contrastive_loss": loss}``, as open_clip's losses do.
        labels : `torch.Tensor`, optional
            As for `right_answers`. Default: every pair belongs to itself alone.

        Returns
        -------
        loss : `torch.Tensor`
            The mean over processes is the loss of the whole batch.

        Raises
        ------
        TrainingError
            If the model has no ``logit_bias``, or the labels are no whole numbers of shape
            (n, m).
        """
        if logit_bias is None:
            # Most pairs are wrong answers: without a bias, the first steps only undo that the
            # logits start around zero (arXiv:2303.15343, section 3.2).
            raise TrainingError(
                "The sigmoid loss needs a model with a logit_bias, and this one has none: give it "
                "one of -10 once its weights are loaded, or use the loss 'clip'."
            )
        right = right_answers(labels, image_features, self._processes)
        texts = gather_rows_with_gradient(text_features, self._processes)
        logits = self.get_logits(image_features, texts, logit_scale, logit_bias)
        signs = 2 * right.to(logits.dtype) - 1
        loss = -logsigmoid(signs * logits).sum() / len(image_features)
        return {"contrastive_loss": loss} if output_dict else loss
