"""Errors and warnings: astroquery's own, and subclasses of them.

Code that already catches astroquery's exceptions catches these too.
"""

from astropy.utils.exceptions import AstropyUserWarning
from astroquery.exceptions import (
    CorruptDataWarning,
    InvalidQueryError,
    MaxResultsWarning,
    NoResultsWarning,
    RemoteServiceError,
)

__all__ = [
    "ArchiveError",
    "CollectionError",
    "CollectionInterruptedWarning",
    "CollectionLockedError",
    "CollectionServerError",
    "ConfigurationError",
    "DiskSpaceError",
    "EncoderError",
    "ImageError",
    "IndexMismatchError",
    "InvalidQueryError",
    "LanguageModelError",
    "LanguageServerError",
    "MaxResultsWarning",
    "NoResultsWarning",
    "PairsError",
    "SampError",
    "SkippedImageWarning",
    "TrainingError",
    "UntrainedEncoderWarning",
    "VocabularyError",
    "WeightsNotFoundError",
]


class ArchiveError(RemoteServiceError):
    """MAST, or the way to it, failed for good; or what it sent must not be used."""


class ConfigurationError(InvalidQueryError, TypeError):
    """A value of an environment variable that a configuration item cannot have.

    It is a `TypeError`, too, as astropy raises for wrong values in a file.
    """


class ImageError(InvalidQueryError):
    """An image that cannot be read, or must not be: the message names it and says why."""


class PairsError(InvalidQueryError):
    """A pairs file that cannot be used; the message lists every fault found, not just the first."""


class EncoderError(InvalidQueryError):
    """An encoder name that is unknown, or a folder that holds no usable encoder."""


class WeightsNotFoundError(EncoderError):
    """Weights that are neither installed nor reachable; the message says where to put them."""


class TrainingError(InvalidQueryError):
    """Training that cannot start, or had to stop."""


class VocabularyError(InvalidQueryError):
    """A vocabulary that cannot be read, or does not hold together; the message says why."""


class LanguageModelError(InvalidQueryError):
    """A language model that is not there, or cannot be used as it is asked to."""


class LanguageServerError(LanguageModelError, RemoteServiceError):
    """A server of a language model that cannot be reached, refuses, or fails again and again."""


class CollectionError(InvalidQueryError):
    """A collection directory that is absent, incomplete, damaged or of an unknown version."""


class CollectionLockedError(CollectionError):
    """A collection that another process holds open for writing."""


class CollectionServerError(CollectionError, RemoteServiceError):
    """A Qdrant server that cannot be reached, that refuses, or that fails again and again."""


class IndexMismatchError(CollectionError):
    """Vectors made by one encoder, used with another."""


class DiskSpaceError(CollectionError):
    """Too little room on the disk for what is about to be written; nothing was written."""


class SampError(RemoteServiceError):
    """A table that no other program on the desk could be given: the message says why."""


class SkippedImageWarning(CorruptDataWarning):
    """An image of a batch was left out because it cannot be read."""


class UntrainedEncoderWarning(AstropyUserWarning):
    """The two towers of an encoder were never trained together, so that text finds nothing."""


class CollectionInterruptedWarning(AstropyUserWarning):
    """The last indexing of a collection did not finish; what had been stored is searched."""
