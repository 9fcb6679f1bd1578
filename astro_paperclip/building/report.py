"""What a build did, in numbers that add up."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from astro_paperclip.exceptions import SkippedImageWarning

__all__ = ["BuildReport", "StageReport", "warn_of_skipped", "with_skipped"]


@dataclass(frozen=True)
class StageReport:
    """What one stage found, what it kept, and what it left out for which reason.

    Parameters
    ----------
    name : str
        Name of the stage.
    unit : str
        What is counted.
    found : int
        How many there were.
    kept : int
        How many went on to the next stage.
    left_out : dict
        How many did not, by reason.
    note : str
        Anything else worth a line.
    is_new : bool
        Whether the stage was run, or its output was current.

    Raises
    ------
    ValueError
        If the numbers do not add up.
    """

    name: str
    unit: str
    found: int
    kept: int
    left_out: Mapping[str, int] = field(default_factory=dict)
    note: str = ""
    is_new: bool = True

    def __post_init__(self) -> None:
        if self.found != self.kept + sum(self.left_out.values()):
            raise ValueError(
                f"{self.name}: {self.found} found, but {self.kept} kept and {dict(self.left_out)} "
                "left out"
            )

    def summary(self) -> str:
        """Return the numbers in one line."""
        state = "" if self.is_new else " (as it was)"
        text = f"{self.name + ':':<14}{self.kept} of {self.found} {self.unit}{state}"
        if self.left_out:
            reasons = "; ".join(f"{number} {reason}" for reason, number in self.left_out.items())
            text += f". Left out: {reasons}"
        return f"{text}. {self.note}" if self.note else text

    def as_dict(self) -> dict:
        """Return the numbers, ready for JSON."""
        return {
            "unit": self.unit,
            "found": self.found,
            "kept": self.kept,
            "left_out": dict(self.left_out),
            "note": self.note,
        }


@dataclass(frozen=True)
class BuildReport:
    """What a build did.

    Parameters
    ----------
    collection : `~pathlib.Path`
        The collection's directory.
    stages : tuple of StageReport
        The stages, in their order.
    requests : int
        Requests that were sent to the archive.
    n_bytes : int
        Bytes of its replies.
    faults : dict
        Disturbances after which something was asked for again, by kind.
    """

    collection: Path
    stages: tuple[StageReport, ...]
    requests: int
    n_bytes: int
    faults: Mapping[str, int]

    def summary(self) -> str:
        """Return what was done, a line a stage."""
        lines = [stage.summary() for stage in self.stages]
        faults = ", ".join(f"{kind}: {number}" for kind, number in sorted(self.faults.items()))
        traffic = f"{'archive:':<14}{self.requests} requests, {self.n_bytes / 1e6:.1f} MB"
        lines.append(f"{traffic}; asked again after {faults}" if faults else traffic)
        return "\n".join(lines)


def with_skipped(done: str, skipped: Sequence[tuple[str, str]]) -> str:
    """Return what was done, and below it image and reason of each that was left out."""
    return "\n".join([done, *(f"  skipped {image}: {reason}" for image, reason in skipped)])


def warn_of_skipped(skipped: Sequence[tuple[str, str]], n_images: int) -> None:
    """Warn the caller's caller if some of n images were left out."""
    if skipped:
        warnings.warn(
            f"{len(skipped)} of {n_images} images were skipped, the first: {skipped[0][1]}",
            SkippedImageWarning,
            stacklevel=3,
        )
