"""Encode files in a stream: threads read, and on a CPU they encode as well."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from tqdm.auto import tqdm

from astro_paperclip.config import conf
from astro_paperclip.exceptions import ImageError

if TYPE_CHECKING:
    from astro_paperclip.encoders.encoder import Encoder

__all__ = ["EncodedBatch", "encode_files"]

#: Threads that read and letterbox for a GPU; decoding a JPEG lets other threads run.
_READERS = 2

#: Threads that read and encode on a CPU. More would mostly wait for their turn to run Python,
#: about 2 ms a picture; on a processor with more cores than this each thread has several.
_ENCODERS = 8

#: Batches that are worked on ahead: with them memory is bounded, whatever the number of files.
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
    on_cpu = encoder.device.type == "cpu"
    at_a_time = encoder.pictures_at_a_time if on_cpu else 1

    def work(part: list[tuple[int, str | Path]]) -> "_Pictures | EncodedBatch":
        pictures = _read(encoder, part, skip_broken)
        return _encode(encoder, pictures, views) if on_cpu else pictures

    bar = tqdm(total=len(paths), desc="Encoding images", unit="image", disable=not progress)
    with bar, _threads(encoder) as pool:
        for futures in _work_ahead(pool, work, paths, batch_size, at_a_time):
            results = [future.result() for future in futures]
            batch = _join(results) if on_cpu else _encode(encoder, _gather(results), views)
            yield batch
            bar.update(len(batch.positions) + len(batch.broken))


@contextmanager
def _threads(encoder: "Encoder") -> Iterator[ThreadPoolExecutor]:
    """Return threads for `encode_files`; at the end, what they have not begun is left undone."""
    if encoder.device.type == "cpu":
        # One picture after the other in each thread, instead of one picture's layers in all of
        # them: threads that wait for each other at every layer waste most of their time.
        encoder.build_image_tower()
        cores = torch.get_num_threads()
        count = min(cores, _ENCODERS)
        options = {"initializer": torch.set_num_threads, "initargs": (cores // count,)}
    else:
        cores, count, options = None, _READERS, {}
    with ThreadPoolExecutor(count, thread_name_prefix="encode-images", **options) as pool:
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)
            if cores:
                # torch counts for each thread, but new ones begin with what was set last.
                torch.set_num_threads(cores)


class _Pictures(NamedTuple):
    """Some of the files, prepared, and those of them that could not be read."""

    positions: list[int]
    squares: list[np.ndarray]
    broken: list[tuple[int, str]]


def _work_ahead(
    pool: ThreadPoolExecutor,
    work: Callable,
    paths: Iterable[str | Path],
    batch_size: int,
    at_a_time: int,
) -> Iterator[list[Future]]:
    numbered = iter(enumerate(paths))
    waiting = deque()
    while True:
        while len(waiting) < 1 + _BATCHES_AHEAD:
            batch = list(islice(numbered, batch_size))
            if not batch:
                break
            starts = range(0, len(batch), at_a_time)
            waiting.append([pool.submit(work, batch[n : n + at_a_time]) for n in starts])
        if not waiting:
            return
        yield waiting.popleft()


def _read(encoder: "Encoder", part: list[tuple[int, str | Path]], skip_broken: bool) -> _Pictures:
    pictures = _Pictures([], [], [])
    for position, path in part:
        try:
            pictures.squares.append(encoder.prepare(path))
            pictures.positions.append(position)
        except ImageError as error:
            if not skip_broken:
                raise
            pictures.broken.append((position, str(error)))
    return pictures


def _gather(parts: list[_Pictures]) -> _Pictures:
    return _Pictures(*([item for part in parts for item in part[n]] for n in range(3)))


def _encode(encoder: "Encoder", pictures: _Pictures, views: str) -> EncodedBatch:
    if pictures.squares:
        vectors = encoder.encode_squares(np.stack(pictures.squares), views)
    else:
        vectors = np.empty((0, encoder.dim), np.float32)
    return EncodedBatch(np.array(pictures.positions, np.int64), vectors, pictures.broken)


def _join(parts: list[EncodedBatch]) -> EncodedBatch:
    positions, vectors, broken = zip(*parts, strict=True)
    return EncodedBatch(
        np.concatenate(positions),
        np.concatenate(vectors),
        [fault for part in broken for fault in part],
    )
