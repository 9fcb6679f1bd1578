"""The settings of fine-tuning, and the recipes that ship with the package."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from importlib.resources import files
from pathlib import Path
from typing import Any

import tomli_w

from astro_paperclip.exceptions import TrainingError
from astro_paperclip.training.finetuning.texts import KINDS
from astro_paperclip.training.finetuning.views import ViewSettings

__all__ = ["PRESETS", "FineTuneRecipe"]

PRESETS = ("improved", "paper")
"""Recipes that ship with the package, as files to read and to copy."""

_CHOICES = {
    "loss": ("clip", "siglip"),
    "schedule": ("constant", "cosine"),
    "batch_norm": ("auto", "frozen", "batch"),
    "precision": ("auto", "float32", "bfloat16"),
}
_AT_LEAST = {
    "batch_size": 2,
    "micro_batches": 1,
    "caption_tokens": 4,
    "picture_size": 8,
    "validations": 0,
    "seed": 0,
}
_POSITIVE = ("learning_rate", "head_rate", "layer_decay")
_NOT_NEGATIVE = ("weight_decay", "clip_norm", "largest_scale", "temperature")
_SHARES = ("warm_up", "grey", "permute", "validation_fraction", "averaged_share")


@dataclass(frozen=True, kw_only=True)
class FineTuneRecipe:
    """Settings for training a whole encoder, each ingredient a switch of its own.

    The defaults are the paper's. Two recipes ship as files, `PRESETS`; `preset` reads them.

    Parameters
    ----------
    images_seen : int
        Number of pictures shown in all, a picture counting each time.
    batch_size : int
        Pairs in a batch, of all processes together.
    micro_batches : int
        Parts that a process computes its share of a batch in, to save memory. The gradient is
        that of the whole batch all the same (GradCache, arXiv:2101.06983).
    one_per_group : bool
        Whether no two pairs of a batch belong to one group. Groups are drawn then, not
        pictures: one with hundreds of pictures counts as much as one with a single picture.
    positives : tuple of str
        Columns in which equal values make two pairs of a batch right answers of each other,
        such as ``("group_id", "target_name")``. Empty: only a picture's own caption is right.
    loss : {"clip", "siglip"}
        Symmetric InfoNCE, or the sigmoid loss of arXiv:2303.15343.
    captions : dict
        How often each kind of caption is drawn: ``whole`` (the first sentences that fit),
        ``chunk`` (sentences from a random one on, as in the paper's code), ``part`` (the same,
        64 tokens at most), ``title`` and ``summary``.
    caption_tokens : int
        Captions are cut to this number of tokens, or to the encoder's context if that is less.
    category_prefix : bool
        Whether ``Category: ... .`` stands before an abstract, as in the paper's code.
    learning_rate : float
        Of AdamW, for the last layer of each tower.
    head_rate : float
        Learning rate of the projections behind the towers, as a multiple of ``learning_rate``.
    layer_decay : float
        Each layer learns slower than the one above it by this factor.
    weight_decay : float
        Of AdamW.
    decay_all : bool
        Whether biases, norms and the temperature decay as well.
    schedule : {"constant", "cosine"}
        What the learning rate does once it has risen.
    warm_up : float
        Share of the steps over which it rises.
    clip_norm : float
        Longer gradients are shortened to this length; 0: they are not.
    temperature : float
        Temperature to begin with; 0: that of the base model.
    learn_temperature : bool
        Whether it is trained.
    largest_scale : float
        Limit of the inverse temperature; 0: none.
    averaged_share : float
        Share of the steps that the exponential mean of the weights looks back on; it takes the
        place of the last weights. 0: no mean.
    heads_first : bool
        Whether projections that are random, as those of ``compact``, are trained alone at first,
        as method ``head`` does it (LP-FT, arXiv:2202.10054). ``images_seen`` does not count this.
        From scratch there is nothing to train them on.
    interpolation : float
        Share of the trained weights in what is written, the rest being those that training of
        everything began with (WiSE-FT, arXiv:2109.01903). Projections that were random are not
        mixed in, and nothing is from scratch.
    dropout : bool
        Whether towers that have dropout use it.
    batch_norm : {"auto", "frozen", "batch"}
        ``"frozen"`` keeps the statistics of batch normalisation, ``"batch"`` learns them.
        ``"auto"``: frozen, but learned from scratch.
    picture_size : int
        Side of the square, in pixels, that pictures are kept in and views are cut out of.
    crop_area : tuple of float
        Smallest and largest share of the square's area that a view shows.
    whole : float
        Share of the views that show all of the picture, neither cropped nor turned, as an
        encoder is asked about it later.
    quarter_turns, flips : bool
        Whether other views are turned and mirrored at random.
    aspect, gamma : float
        Largest change of the shape of a crop and of the exponent of brightness, as a factor;
        0: no change.
    grey, permute : float
        Share of the views that lose their colours, and that have them exchanged.
    precision : {"auto", "float32", "bfloat16"}
        What matrices are multiplied in. ``"auto"``: bfloat16 on a GPU that has it.
    gradient_checkpointing, compile : bool
        Spend time to save memory; let torch compile the model.
    validations : int
        How often the held-out pairs are looked at during training.
    validation_fraction : float
        Share of the groups that are held out.
    seed : int
        Same seed, same run.
    """

    images_seen: int = 640_000
    batch_size: int = 32
    micro_batches: int = 1
    one_per_group: bool = False
    positives: tuple[str, ...] = ()
    loss: str = "clip"
    captions: Mapping[str, float] = field(default_factory=lambda: {"chunk": 1.0})
    caption_tokens: int = 77
    category_prefix: bool = True
    learning_rate: float = 1e-5
    head_rate: float = 1.0
    layer_decay: float = 1.0
    weight_decay: float = 1e-3
    decay_all: bool = True
    schedule: str = "constant"
    warm_up: float = 0.1
    clip_norm: float = 0.0
    temperature: float = 0.0
    learn_temperature: bool = True
    largest_scale: float = 0.0
    averaged_share: float = 0.0
    heads_first: bool = False
    interpolation: float = 1.0
    dropout: bool = True
    batch_norm: str = "auto"
    picture_size: int = 512
    crop_area: tuple[float, float] = (0.1914, 0.1914)
    whole: float = 0.0
    quarter_turns: bool = True
    flips: bool = True
    aspect: float = 0.0
    gamma: float = 0.0
    grey: float = 0.0
    permute: float = 0.0
    precision: str = "auto"
    gradient_checkpointing: bool = False
    compile: bool = False
    validations: int = 10
    validation_fraction: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        for item in fields(self):
            object.__setattr__(self, item.name, _typed(item.name, item.type, self))
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                self._refuse(name, f"is none of {', '.join(choices)}")
        for name, least in _AT_LEAST.items():
            if getattr(self, name) < least:
                self._refuse(name, f"is less than {least}")
        for name in _POSITIVE:
            if not 0 < getattr(self, name) < float("inf"):
                self._refuse(name, "is not positive")
        for name in _NOT_NEGATIVE:
            if not 0 <= getattr(self, name) < float("inf"):
                self._refuse(name, "is negative")
        for name in _SHARES:
            if not 0 <= getattr(self, name) < 1:
                self._refuse(name, "is not in [0, 1)")
        self._check_together()

    def _check_together(self) -> None:
        if self.images_seen < self.batch_size:
            self._refuse("images_seen", f"is less than one batch of {self.batch_size}")
        if not 0 < self.interpolation <= 1:
            self._refuse("interpolation", "is not in (0, 1]")
        self.views(self.picture_size)
        unknown = sorted(set(self.captions) - set(KINDS))
        if unknown:
            self._refuse("captions", f"holds {unknown[0]!r}, which is none of {', '.join(KINDS)}")
        shares = list(self.captions.values())
        if not shares or min(shares) < 0 or not sum(shares) > 0:
            self._refuse("captions", "needs shares that are not negative, one of them positive")

    def _refuse(self, name: str, fault: str) -> None:
        raise TrainingError(f"{name} {getattr(self, name)!r} {fault}.")

    def views(self, size: int) -> ViewSettings:
        """Return how views may differ from their pictures.

        Parameters
        ----------
        size : int
            Side of the pictures that the encoder takes, in pixels.

        Returns
        -------
        settings : ViewSettings

        Raises
        ------
        TrainingError
            If a setting makes no sense.
        """
        names = [item.name for item in fields(ViewSettings) if item.name != "size"]
        return ViewSettings(size=size, **{name: getattr(self, name) for name in names})

    @property
    def steps(self) -> int:
        """Number of optimiser steps."""
        return max(1, round(self.images_seen / self.batch_size))

    @classmethod
    def preset(cls, name: str, **changes: Any) -> "FineTuneRecipe":
        """Return one of the recipes that ship with the package.

        Parameters
        ----------
        name : str
            One of `PRESETS`.
        **changes
            Settings that differ from it.

        Returns
        -------
        recipe : FineTuneRecipe
        """
        if name not in PRESETS:
            raise TrainingError(f"Unknown preset {name!r}: use one of {', '.join(PRESETS)}.")
        text = (files(__package__) / "presets" / f"{name}.toml").read_text(encoding="utf-8")
        return cls.from_settings(tomllib.loads(text) | changes, f"the preset {name!r}")

    @classmethod
    def read(cls, path: str | os.PathLike, **changes: Any) -> "FineTuneRecipe":
        """Read a recipe from a TOML file.

        Parameters
        ----------
        path : str or path-like
            A file of settings; those that it leaves out are the paper's.
        **changes
            Settings that differ from it.

        Returns
        -------
        recipe : FineTuneRecipe

        Raises
        ------
        TrainingError
            If the file can't be read, or holds anything else.
        """
        try:
            settings = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise TrainingError(f"Cannot read the recipe {str(path)!r}: {error}.") from error
        return cls.from_settings(settings | changes, f"the recipe {str(path)!r}")

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], source: str) -> "FineTuneRecipe":
        """Make a recipe of settings by name, and name the one that there is not.

        Parameters
        ----------
        settings : dict
            Settings by name.
        source : str
            Where they come from, for the message.

        Returns
        -------
        recipe : FineTuneRecipe
        """
        known = [item.name for item in fields(cls)]
        for name in settings:
            if name not in known:
                raise TrainingError(
                    f"Unknown setting {name!r} in {source}: use some of {', '.join(known)}."
                )
        return cls(**settings)

    def as_dict(self) -> dict[str, Any]:
        """Return the settings, ready for JSON and TOML."""
        settings = asdict(self) | {"captions": dict(self.captions)}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in settings.items()}

    def as_toml(self) -> str:
        """Return the settings as the text of a file that `read` takes."""
        return tomli_w.dumps(self.as_dict())


def _typed(name: str, kind: Any, recipe: FineTuneRecipe) -> Any:
    """Return a setting in the type that it has, whatever of its kind a file may hold."""
    value = getattr(recipe, name)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind is float and is_number:
        return float(value)
    if kind is int and is_number and value == int(value):
        return int(value)
    if kind is bool and isinstance(value, bool):
        return value
    if kind is str and isinstance(value, str):
        return value
    if kind == tuple[str, ...] and isinstance(value, list | tuple):
        return tuple(map(str, value))
    if kind == tuple[float, float] and isinstance(value, list | tuple):
        return tuple(map(float, value))
    if isinstance(value, Mapping) and name == "captions":
        return {str(key): float(share) for key, share in value.items()}
    raise TrainingError(f"{name} {value!r} is of the wrong type.")
