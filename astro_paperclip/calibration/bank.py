"""The banks of queries that scores are compared with, and where their vectors are kept."""

import hashlib
import zipfile
import zlib
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from astro_paperclip.cache import cache_directory
from astro_paperclip.config import conf
from astro_paperclip.files import written_whole
from astro_paperclip.index import Store
from astro_paperclip.logger import log
from astro_paperclip.vocabulary import Vocabulary

__all__ = [
    "BANK_FILE",
    "IMAGE_BANK_SIZE",
    "Bank",
    "bank_texts",
    "bank_version",
    "image_bank",
    "text_bank",
    "write_text_bank",
]

BANK_FILE = "query_bank.npz"
"""Name of the file in a collection with the vectors of the bank of texts."""

IMAGE_BANK_SIZE = 500
"""Number of pictures in the bank of a collection: a percentile comes in steps of 0.2 percent."""

_PATIENCE = 2.0
"""Seconds after which encoding the bank shows how far it has come."""


@dataclass(frozen=True)
class Bank:
    """Queries that scores are compared with.

    Attributes
    ----------
    vectors : `~numpy.ndarray`
        Unit vectors of the queries, shape ``(n, d)``.
    ids : tuple of str
        The points that they are the vectors of; empty for texts.
    """

    vectors: np.ndarray
    ids: tuple[str, ...] = ()


@cache
def bank_texts() -> tuple[str, ...]:
    """Return the texts of the bank: the labels of all that a picture can show.

    Returns
    -------
    tuple of str
        Labels of the package's own `~astro_paperclip.vocabulary.Vocabulary`, but for topics.

    Examples
    --------
    >>> from astro_paperclip.calibration import bank_texts
    >>> "globular clusters" in bank_texts(), len(bank_texts()) > 300
    (True, True)
    """
    return tuple(concept.label for concept in Vocabulary.default() if concept.kind != "topic")


def bank_version() -> str:
    """Return what changes whenever a text of the bank does: a part of their SHA-256."""
    return hashlib.sha256("\n".join(bank_texts()).encode()).hexdigest()[:16]


def text_bank(encoder: Any, folder: Path | None = None, *, progress: bool = True) -> Bank:
    """Return the bank of texts with the vectors of an encoder.

    They are taken from the collection, else from the package's cache, where those that have to
    be made are kept.

    Parameters
    ----------
    encoder : `~astro_paperclip.encoders.Encoder`
        What encodes the queries.
    folder : `~pathlib.Path`, optional
        The directory of the collection that is searched, if it has one.
    progress : bool, optional
        Whether to show a progress bar, if texts have to be encoded and it takes seconds.

    Returns
    -------
    Bank
    """
    cached = _cached_file(encoder.fingerprint)
    for path in (cached,) if folder is None else (folder / BANK_FILE, cached):
        vectors = _read(path, encoder.fingerprint)
        if vectors is not None:
            return Bank(vectors)
    vectors = _encoded(encoder, progress)
    _write(cached, vectors, encoder.fingerprint)
    return Bank(vectors)


def write_text_bank(folder: Path, encoder: Any, *, progress: bool = True) -> None:
    """Put the bank of texts into a collection, unless it is there.

    Parameters
    ----------
    folder : `~pathlib.Path`
        The collection's directory.
    encoder : `~astro_paperclip.encoders.Encoder`
        What makes the collection's vectors.
    progress : bool, optional
        Whether to show a progress bar, if it takes seconds.
    """
    path = folder / BANK_FILE
    if _read(path, encoder.fingerprint) is None:
        _write(path, text_bank(encoder, progress=progress).vectors, encoder.fingerprint)


def image_bank(store: Store, using: str | None = None) -> Bank:
    """Return the bank of pictures: a fixed sample of what an index holds.

    Parameters
    ----------
    store : `~astro_paperclip.index.Store`
        The index.
    using : str, optional
        Name of the vectors. By default the main ones.

    Returns
    -------
    Bank
        Its first points by id. Ids are hashes, so that these are a random sample.
    """
    records = store.scroll(with_vectors=using or True, with_payload=False)
    sample = list(islice((one for one in records if one.vector is not None), IMAGE_BANK_SIZE))
    vectors = np.array([record.vector for record in sample], dtype=np.float32)
    return Bank(vectors, tuple(record.id for record in sample))


def _cached_file(fingerprint: str) -> Path:
    return cache_directory("query_banks") / f"{fingerprint}-{bank_version()}.npz"


def _encoded(encoder: Any, progress: bool) -> np.ndarray:
    texts, size = bank_texts(), conf.batch_size
    starts = tqdm(
        range(0, len(texts), size),
        desc="Encoding the bank of queries",
        delay=_PATIENCE,
        leave=False,
        disable=not progress,
    )
    return np.concatenate([encoder.encode_texts(texts[start : start + size]) for start in starts])


def _read(path: Path, fingerprint: str) -> np.ndarray | None:
    """Return the vectors of a file, unless it is absent, damaged or of something else."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
            if (str(content["encoder"]), str(content["bank"])) != (fingerprint, bank_version()):
                return None
            return content["vectors"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None


def _write(path: Path, vectors: np.ndarray, fingerprint: str) -> None:
    """Keep vectors in a file, or say that they will have to be made again."""
    try:
        with written_whole(path) as draft:
            np.savez(draft, vectors=vectors, encoder=fingerprint, bank=bank_version())
    except OSError as error:
        log.warning(f"The bank of queries cannot be kept in {path}, and is made anew: {error}")
