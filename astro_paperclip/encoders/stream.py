"""Encode files in a stream: read ahead in threads while the image tower works."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from tqdm.auto import tqdm

from astro_paperclip.config import conf
from astro_paperclip.exceptions import ImageError

if TYPE_CHECKING:
    from astro_paperclip.encoders.encoder import Encoder

__all__ = ["EncodedBatch", "encode_files"]

#: Threads that read and letterbox; decoding a JPEG lets other threads run.
_READERS = 2

#: Batches that are read ahead: with them memory is bounded, whatever the number of files.
_BATCHES_AHEAD = 2


class EncodedBatch(NamedTuple):
    """The vectors of some of the files.

    Attributes
    ----------
    positions : `~numpy.ndarray`
        Which of the files, counted from 0; shape (n,), int64.
    vectors : `~numpy.ndarray`
        Shape (n, dim), float32, unit length.
    broken : list of tuple
        Position and message of every file that could not be read.
    """

    positions: np.ndarray
    vectors: np.ndarray
    broken: list[tuple[int, str]]


def encode_files(
    encoder: "Encoder",
    paths: Sequence[str | Path],
    *,
    views: str = "whole",
    batch_size: int | None = None,
    skip_broken: bool = False,
    progress: bool = False,
) -> Iterator[EncodedBatch]:
    """Encode image files, batch after batch, in their order.

    Parameters
    ----------
    encoder : Encoder
        Whose image tower to use.
    paths : sequence of str or path
        Image files.
    views : str
        Which views to average, see ``astro_paperclip.encoders.VIEWS``.
    batch_size : int, optional
        Files in a batch. Default: the configuration item ``batch_size``.
    skip_broken : bool
        Whether to pass over files that cannot be read, and report them in the batch.
    progress : bool
        Whether to show a progress bar.

    Yields
    ------
    batch : EncodedBatch
        Every file is in one batch, encoded or broken.

    Raises
    ------
    ImageError
        If a file cannot be read, unless ``skip_broken`` is set.
    """
    batch_size = batch_size or conf.batch_size
    bar = tqdm(total=len(paths), desc="Encoding images", unit="image", disable=not progress)
    with bar, ThreadPoolExecutor(_READERS, thread_name_prefix="read-images") as readers:
        try:
            for batch in _read_ahead(readers, encoder, paths, batch_size):
                yield _encode(encoder, batch, views, skip_broken)
                bar.update(len(batch))
        finally:
            readers.shutdown(cancel_futures=True)


def _read_ahead(
    readers: ThreadPoolExecutor, encoder: "Encoder", paths: Iterable[str | Path], batch_size: int
) -> Iterator[list[tuple[int, Future]]]:
    numbered = iter(enumerate(paths))
    waiting = deque()
    while True:
        while len(waiting) < 1 + _BATCHES_AHEAD:
            batch = [
                (n, readers.submit(encoder.prepare, p)) for n, p in islice(numbered, batch_size)
            ]
            if not batch:
                break
            waiting.append(batch)
        if not waiting:
            return
        yield waiting.popleft()


def _encode(
    encoder: "Encoder", batch: list[tuple[int, Future]], views: str, skip_broken: bool
) -> EncodedBatch:
    positions, squares, broken = [], [], []
    for position, future in batch:
        try:
            squares.append(future.result())
            positions.append(position)
        except ImageError as error:
            if not skip_broken:
                raise
            broken.append((position, str(error)))
    if squares:
        vectors = encoder.encode_squares(np.stack(squares), views)
    else:
        vectors = np.empty((0, encoder.dim), np.float32)
    return EncodedBatch(np.array(positions, np.int64), vectors, broken)
