"""What a collection is asked to hold."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np
from astropy.table import Table

from astro_paperclip.archive import SELECTION_RULES
from astro_paperclip.encoders.views import check_views
from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.pairs import CAPTIONS

__all__ = ["RECIPES", "BuildRecipe"]

_SCIENCE_IMAGES = {
    "dataproduct_type": "image",
    "intentType": "science",
    "dataRights": "PUBLIC",
    "calib_level": 3,
}


@dataclass(frozen=True)
class BuildRecipe:
    """Everything that decides what comes out of `astro_paperclip.building.build`.

    Parameters
    ----------
    mission : str
        MAST's ``obs_collection``.
    proposals : str
        Proposal catalogue: a file, or its address. Empty: MAST's own, as
        `astro_paperclip.archive.read_proposals` finds it.
    server : str
        Address of the archive; empty: the configuration item ``mast_server``.
    proposal_id, cycle : tuple of str
        Which proposals; both empty: all of the catalogue.
    coordinates : str
        Centre of a cone on the sky; empty: the whole sky.
    radius : float
        Radius of that cone [deg].
    region : str
        STC-S region that footprints overlap; empty: the whole sky.
    criteria : dict
        Further criteria, as ``Observations.query_criteria`` takes them. By default public,
        calibrated science images; a criterion that is `None` is none.
    previews : str or callable
        Rule that chooses previews, see `astro_paperclip.archive.select_previews`.
    per_proposal : int
        Most previews of a proposal, where the rule has a limit.
    max_side : int
        Longest side of a stored preview [pixel].
    caption : str
        Kind of caption, see `astro_paperclip.pairs.make_pairs`.
    sky_radius : float
        Proposals with observations nearer to each other than this [arcmin] are one group,
        never split between training and validation. 0: a group is a proposal.
    encoder : str
        Name of an encoder, as `astro_paperclip.encoders.load` takes it.
    train : {"auto", "yes", "no"}
        Whether its projections are trained on the pairs; ``'auto'``: where its towers were
        never trained together.
    validation_fraction : float
        Share of the groups that are kept back from training, for evaluation.
    views : str
        Views of a picture that are averaged in the index.
    seed : int
        Seed of all that is random.
    """

    mission: str = "HST"
    proposals: str = ""
    server: str = ""
    proposal_id: tuple[str, ...] = ()
    cycle: tuple[str, ...] = ()
    coordinates: str = ""
    radius: float = 0.2
    region: str = ""
    criteria: Mapping[str, Any] = field(default_factory=lambda: dict(_SCIENCE_IMAGES))
    previews: str | Callable[[Table], Table] = "jpegURL"
    per_proposal: int = 20
    max_side: int = 512
    caption: str = "abstract"
    sky_radius: float = 0.0
    encoder: str = "compact"
    train: str = "auto"
    validation_fraction: float = 0.1
    views: str = "whole"
    seed: int = 0

    def __post_init__(self) -> None:
        _check_choice("train", self.train, ("auto", "yes", "no"))
        _check_choice("caption", self.caption, CAPTIONS)
        if not callable(self.previews):
            _check_choice("previews", self.previews, SELECTION_RULES)
        check_views(self.views)
        if self.max_side < 32 or self.per_proposal < 1:
            raise InvalidQueryError(
                f"max_side={self.max_side} must be at least 32, per_proposal={self.per_proposal} "
                "at least 1."
            )
        if not (self.radius > 0 and self.sky_radius >= 0):
            raise InvalidQueryError(
                f"radius={self.radius} must be positive, sky_radius={self.sky_radius} not negative."
            )

    @property
    def is_bounded(self) -> bool:
        """Whether it asks for less than all of a mission."""
        return bool(self.proposal_id or self.cycle or self.coordinates or self.region)

    def changed(self, **changes: Any) -> "BuildRecipe":
        """Return a recipe with other settings.

        Parameters
        ----------
        **changes
            Settings by name; those that are `None` stay as they are. Numbers do for
            ``proposal_id`` and ``cycle``, one of them for several. Criteria are added to those
            that there are.

        Returns
        -------
        BuildRecipe

        Raises
        ------
        InvalidQueryError
            If a setting is unknown, or makes no sense.
        """
        known = {item.name for item in fields(self)}
        if unknown := set(changes) - known:
            raise InvalidQueryError(
                f"There is no setting {sorted(unknown)[0]!r} of a build: choose from "
                f"{', '.join(sorted(known))}."
            )
        changes = {name: value for name, value in changes.items() if value is not None}
        for name in ("proposal_id", "cycle"):
            if name in changes:
                changes[name] = _as_texts(changes[name])
        if "criteria" in changes:
            changes["criteria"] = {**self.criteria, **changes["criteria"]}
        return replace(self, **changes)

    def as_dict(self) -> dict[str, Any]:
        """Return the settings in values that TOML and JSON know; what is `None` is left out."""
        values = asdict(self)
        if callable(self.previews):
            values["previews"] = f"{self.previews.__module__}.{self.previews.__qualname__}"
        values["criteria"] = {k: v for k, v in self.criteria.items() if v is not None}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "BuildRecipe":
        """Return what `as_dict` wrote."""
        known = {item.name for item in fields(cls)}
        empty = cls(criteria={})
        return empty.changed(**{name: values[name] for name in known & set(values)})


def _check_choice(name: str, value: str, choices: Iterable[str]) -> None:
    if value not in choices:
        raise InvalidQueryError(f"{name}={value!r}: choose from {', '.join(choices)}.")


def _as_texts(values: Any) -> tuple[str, ...]:
    if isinstance(values, str | int | np.integer):
        values = [values]
    return tuple(str(value).strip() for value in values)


RECIPES: dict[str, dict[str, Any]] = {
    "default": {"criteria": _SCIENCE_IMAGES, "previews": "jpegURL", "caption": "abstract"},
    "paper": {
        "criteria": {**_SCIENCE_IMAGES, "intentType": None, "calib_level": None},
        "previews": "paper",
        "per_proposal": 20,
        "caption": "paper",
    },
}
"""Settings by the name of a recipe. ``paper`` is the data set of arXiv 2403.08851: previews of HAP
'total' products, at most 20 a proposal, with raw abstracts that begin with the category."""
