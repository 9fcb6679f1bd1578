"""The settings of a training run."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from astro_paperclip.exceptions import TrainingError
from astro_paperclip.training.head.augmentation import WHOLE_SHARE
from astro_paperclip.training.head.captions import KINDS, SHARES, share_bounds

__all__ = ["HeadRecipe"]


@dataclass(frozen=True)
class HeadRecipe:
    """Settings for training the projections of frozen towers.

    Parameters
    ----------
    images_seen : int, optional
        Number of pictures shown in all, a picture counting each time. Default: each picture 20
        times, and 16,000 at least.
    batch_size : int
        Pairs in a batch, each of another group.
    views : int
        Views of each picture, the picture itself included.
    whole : float
        Share of the views that show all of the picture as it stands; the others are cropped,
        turned and mirrored. Colours change in all but the picture itself. 0 where pictures
        stand at random angles.
    captions : dict
        How often each kind of caption is drawn: ``title``, ``whole`` (the first sentences that
        fit), ``part`` (consecutive sentences, 64 tokens at most), ``chunk`` (as many consecutive
        sentences as fit) and ``summary``. The whole caption stands in for a title or a summary
        that a pair does not have.
    learning_rate, weight_decay : float
        Of AdamW; the rate rises over the first tenth of the steps and falls along a cosine.
    text_rate : float
        Learning rate of the text projection, as a share of ``learning_rate``. A slow text
        projection keeps what the text tower knows of words that no caption holds.
    temperature : float
        Cosine similarities are divided by it. Not learned here: a few thousand pairs are soon
        known by heart, and a learned temperature falls until they are.
    image_dropout, text_dropout : float
        Share of a picture's and of a text's features that is left out in each step.
    validation_fraction : float
        Share of the groups that are kept for `astro_paperclip.evaluation`.
    seed : int
        Same seed, same split and same batches.

    Notes
    -----
    The paper (arXiv 2403.08851) trains its projections with a learned temperature and without
    dropout; ``benchmarks/held_out.py`` prints what each departure brings.
    """

    images_seen: int | None = None
    batch_size: int = 64
    views: int = 16
    whole: float = WHOLE_SHARE
    captions: Mapping[str, float] = field(default_factory=SHARES.copy)
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    text_rate: float = 1.0
    temperature: float = 0.2
    image_dropout: float = 0.5
    text_dropout: float = 0.3
    validation_fraction: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("batch_size", "views"):
            if getattr(self, name) < (2 if name == "batch_size" else 1):
                raise TrainingError(f"{name} {getattr(self, name)!r} is too small.")
        if self.images_seen is not None and self.images_seen < self.batch_size:
            raise TrainingError(
                f"images_seen {self.images_seen!r} is less than one batch of {self.batch_size}."
            )
        for name in ("learning_rate", "temperature"):
            if not getattr(self, name) > 0:
                raise TrainingError(f"{name} {getattr(self, name)!r} is not positive.")
        for name in ("weight_decay", "text_rate", "seed"):
            if not getattr(self, name) >= 0:
                raise TrainingError(f"{name} {getattr(self, name)!r} is negative.")
        if not 0 <= self.whole <= 1:
            raise TrainingError(f"whole {self.whole!r} is not in [0, 1].")
        share_bounds(self.captions, KINDS)
        for name in ("image_dropout", "text_dropout", "validation_fraction"):
            if not 0 <= getattr(self, name) < 1:
                raise TrainingError(f"{name} {getattr(self, name)!r} is not in [0, 1).")

    def steps(self, n_images: int, batch_size: int) -> int:
        """Return the number of optimiser steps for a number of training images."""
        seen = self.images_seen or max(16_000, 20 * n_images)
        return max(1, round(seen / batch_size))

    def as_dict(self) -> dict:
        """Return the settings, ready for JSON."""
        return asdict(self)
