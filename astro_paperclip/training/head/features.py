"""Features of the frozen towers, computed once and kept.

Frozen towers always say the same of the same picture and the same text. Their words are kept
in a SQLite file of the cache, one for each encoder and recipe, under a hash of what they were
said of: an interrupted run goes on where it stopped, and the next split reads instead of computes.
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from astro_paperclip.cache import cache_directory
from astro_paperclip.encoders import Encoder
from astro_paperclip.exceptions import ImageError, TrainingError
from astro_paperclip.images import read_image
from astro_paperclip.training.head.augmentation import RECIPE, WHOLE_SHARE, random_view

__all__ = ["FeatureCache", "image_features", "text_features"]

_TEXTS_AT_ONCE = 64


class FeatureCache:
    """Arrays in one SQLite file, found by a key.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file; made where it is missing.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(path, timeout=60)
        with self._database:
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS features (key TEXT PRIMARY KEY, value BLOB)"
            )

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def get(self, key: str, shape: tuple[int, ...]) -> np.ndarray | None:
        """Return the float16 array stored under a key, or None."""
        row = self._database.execute("SELECT value FROM features WHERE key = ?", (key,)).fetchone()
        return None if row is None else np.frombuffer(row[0], np.float16).reshape(shape)

    def put(self, items: Iterable[tuple[str, np.ndarray]]) -> None:
        """Store arrays, all of them or none."""
        rows = [(key, array.astype(np.float16).tobytes()) for key, array in items]
        with self._database:
            self._database.executemany("INSERT OR REPLACE INTO features VALUES (?, ?)", rows)


def image_features(
    encoder: Encoder,
    paths: Sequence[str],
    views: int,
    *,
    whole: float = WHOLE_SHARE,
    progress: bool = True,
) -> tuple[np.ndarray, list[tuple[int, str]]]:
    """Return what the frozen image tower says of random views of pictures.

    Parameters
    ----------
    encoder : Encoder
        Its image tower is used, not its projection.
    paths : sequence of str
        Image files.
    views : int
        Number of views of each picture. The first is the picture itself.
    whole : float
        Share of the others that show all of the picture as it stands.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    features : `~numpy.ndarray`
        Of the pictures that can be read, in their order: shape (n, views, width), float16.
    broken : list of tuple
        Position in ``paths`` and message of every picture that cannot be read.

    Raises
    ------
    TrainingError
        If no picture can be read.
    """

    def compute(path: str, content: bytes) -> np.ndarray:
        size = encoder.pixels.size
        picture = read_image(path, at_least=2 * size)
        # Seeded by the file's content, the views do not depend on the order of the files.
        rng = np.random.default_rng(list(hashlib.sha256(content).digest()))
        squares = [encoder.prepare(picture)]
        squares += [random_view(picture, size, rng, whole=whole) for _ in range(views - 1)]
        return encoder.image_features(np.stack(squares)).cpu().numpy()

    with closing(FeatureCache(_cache_file(encoder, f"{RECIPE}-{whole:g}-{views}"))) as cache:
        rows, broken = [], []
        bar = tqdm(paths, "Looking at images", unit="image", disable=not progress)
        for position, path in enumerate(bar):
            try:
                content = _content(path)
                key = hashlib.sha256(content).hexdigest()
                row = cache.get(key, (views, -1))
                if row is None:
                    row = compute(path, content).astype(np.float16)
                    cache.put([(key, row)])
                rows.append(row)
            except ImageError as error:
                broken.append((position, str(error)))
    if not rows:
        raise TrainingError(
            f"None of the {len(paths)} images can be read, the first: {broken[0][1]}"
        )
    return np.stack(rows), broken


def text_features(encoder: Encoder, texts: Sequence[str], *, progress: bool = True) -> np.ndarray:
    """Return what the frozen text tower says of texts.

    Parameters
    ----------
    encoder : Encoder
        Its text tower is used, not its projection.
    texts : sequence of str
        Captions and parts of them.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    features : `~numpy.ndarray`
        Shape (n, width), float16.
    """
    keys = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
    with closing(FeatureCache(_cache_file(encoder, "texts"))) as cache:
        found = {key: cache.get(key, (-1,)) for key in keys}
        missing = {k: t for k, t in zip(keys, texts, strict=True) if found[k] is None}
        # Texts of like length share a batch, so that little of it is padding.
        by_length = sorted(missing.items(), key=lambda item: len(item[1]))
        bar = tqdm(total=len(missing), desc="Reading captions", unit="text", disable=not progress)
        with bar:
            for start in range(0, len(by_length), _TEXTS_AT_ONCE):
                batch = by_length[start : start + _TEXTS_AT_ONCE]
                rows = encoder.text_features([text for _, text in batch]).cpu().numpy()
                rows = [(key, row) for (key, _), row in zip(batch, rows, strict=True)]
                cache.put(rows)
                found.update((key, row.astype(np.float16)) for key, row in rows)
                bar.update(len(batch))
    return np.stack([found[key] for key in keys])


def _content(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ImageError(f"Cannot read image {path!r}: {error.strerror}.") from error


def _cache_file(encoder: Encoder, recipe: str) -> Path:
    return cache_directory("features") / f"{encoder.fingerprint[:16]}-{recipe}.sqlite"
