"""Batches, made ready by threads while the model trains on the ones before."""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice

import numpy as np
import torch

from astro_paperclip.exceptions import TrainingError
from astro_paperclip.training.finetuning.device_views import apply_views_on_device
from astro_paperclip.training.finetuning.distributed import Processes
from astro_paperclip.training.finetuning.pictures import PictureCache
from astro_paperclip.training.finetuning.texts import CaptionTexts
from astro_paperclip.training.finetuning.views import (
    ViewParameters,
    ViewSettings,
    apply_views,
    draw_views,
)

__all__ = ["Batch", "BatchLoader"]

#: What random numbers are drawn for, besides seed and step. Not 0, which is as good as nothing.
_FOR_VIEWS, _FOR_TEXTS = 1, 2

#: Batches that are ready or in the making: with them memory is bounded.
_BATCHES_AHEAD = 2

#: More threads than this find too little to do.
_MOST_THREADS = 8

_PICTURES_AT_ONCE = 8

#: How long the consumer sleeps before it looks whether it was interrupted [s].
_NAP = 0.2


@dataclass(frozen=True, eq=False)
class Batch:
    """One process's share of the pairs of a step.

    Parameters
    ----------
    pixels : `torch.Tensor`
        Shape (n, 3, size, size), float32.
    tokens : `torch.Tensor`
        Shape (n, length), int64.
    labels : `torch.Tensor` or None
        What each pair belongs to, shape (n, m), int64.
    rows : `~numpy.ndarray`
        Which pairs they are, shape (n,), int64.
    """

    pixels: torch.Tensor
    tokens: torch.Tensor
    labels: torch.Tensor | None
    rows: np.ndarray


_Made = tuple[Batch, np.ndarray, ViewParameters]


class BatchLoader:
    """Read pictures, make views of them and choose texts, some batches ahead.

    All that is random is drawn for the batch of all processes, from the seed and the number of
    the step. A picture that cannot be read is replaced: by the next one in the table that can
    be read and has the same group, or else by the next one of any group; after the last row comes
    the first.

    Used in a ``with`` block, which ends its threads.

    Parameters
    ----------
    pictures : PictureCache
        Pictures of all pairs; there may be more of them than pairs that are trained on.
    texts : CaptionTexts
        Texts of all pairs.
    labels : `~numpy.ndarray` or None
        What each pair belongs to, shape (rows, m), int64.
    groups : sequence of str
        The group of every pair.
    training : `~numpy.ndarray`
        Rows of the pairs that are trained on: no others take the place of pictures that cannot be
        read.
    rows_of : callable
        Takes the number of a step, and returns the rows of its batch, of all processes together.
    views : ViewSettings
        How views may differ from their pictures.
    mean, std : sequence of float
        Of each colour, on a scale from 0 to 1, which the views are normalised by.
    seed : int
        Same seed, same batches.
    start, end : int
        The first step, and the one after the last.
    processes : Processes
        Who trains together: each gets its share of the rows.
    device : `torch.device`
        Where batches go.
    threads : int, optional
        How many read pictures. Default: one for each processor, but 8 at most.
    views_on_device : bool, optional
        Whether views are made on the device, of squares that go there as bytes; else the threads
        make them. Default: on a GPU.

    Attributes
    ----------
    skipped : dict
        Row and message of each picture that this process met and that cannot be read.
    waited_s : float
        How long the consumer waited for batches [s].
    """

    def __init__(
        self,
        *,
        pictures: PictureCache,
        texts: CaptionTexts,
        labels: np.ndarray | None,
        groups: Sequence[str],
        training: np.ndarray,
        rows_of: Callable[[int], np.ndarray],
        views: ViewSettings,
        mean: Sequence[float],
        std: Sequence[float],
        seed: int,
        start: int,
        end: int,
        processes: Processes,
        device: torch.device,
        threads: int | None = None,
        views_on_device: bool | None = None,
    ) -> None:
        self._pictures, self._texts = pictures, texts
        self._labels, self._groups = labels, np.asarray(groups)
        self._training = np.asarray(training, np.int64)
        self._rows_of, self._views, self._normalisation = rows_of, views, (mean, std)
        self._seed, self._steps = seed, range(start, end)
        self._processes, self._device = processes, device
        self._threads = threads or min(_MOST_THREADS, _processors())
        self._on_device = device.type != "cpu" if views_on_device is None else views_on_device
        self._replacements: dict[int, int] = {}
        self._iteration: Iterator[tuple[int, Batch]] | None = None
        self.skipped: dict[int, str] = {}
        self.waited_s = 0.0

    def __enter__(self) -> "BatchLoader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all threads; at the latest when the pictures are read that they are at."""
        if self._iteration is not None:
            self._iteration.close()
            self._iteration = None

    def __iter__(self) -> Iterator[tuple[int, Batch]]:
        """Yield the number of each step and its batch.

        Raises
        ------
        TrainingError
            If the processes cannot share a batch, or no picture can be read.
        """
        self.close()
        self._iteration = self._batches()
        return self._iteration

    def _batches(self) -> Iterator[tuple[int, Batch]]:
        stop = threading.Event()
        with (
            ThreadPoolExecutor(self._threads, thread_name_prefix="read-pictures") as readers,
            ThreadPoolExecutor(_BATCHES_AHEAD, thread_name_prefix="make-batches") as makers,
        ):
            steps, waiting = iter(self._steps), deque()
            try:
                while True:
                    for step in islice(steps, 1 + _BATCHES_AHEAD - len(waiting)):
                        # Rows and memory come from the consumer's thread: `rows_of` need not be
                        # made for several, and what is pinned belongs to the thread's own GPU.
                        rows = self._checked_rows(step)
                        pixels = self._empty_pixels(len(rows))
                        made = makers.submit(self._made, step, rows, pixels, readers, stop)
                        waiting.append((step, made))
                    if not waiting:
                        return
                    step, made = waiting.popleft()
                    yield step, self._moved(self._awaited(made))
            finally:
                stop.set()
                makers.shutdown(wait=False, cancel_futures=True)
                readers.shutdown(cancel_futures=True)

    def _checked_rows(self, step: int) -> np.ndarray:
        rows = np.asarray(self._rows_of(step), np.int64)
        if len(rows) % self._processes.world_size:
            raise TrainingError(
                f"{self._processes.world_size} processes cannot share {len(rows)} pairs: use a "
                "batch_size that is a multiple of the number of processes."
            )
        return rows

    def _empty_pixels(self, batch_size: int) -> torch.Tensor:
        size = self._pictures.size if self._on_device else self._views.size
        return torch.empty(
            (batch_size // self._processes.world_size, size, size, 3),
            dtype=torch.uint8 if self._on_device else torch.float32,
            pin_memory=self._device.type == "cuda",
        )

    def _made(
        self,
        step: int,
        rows: np.ndarray,
        pixels: torch.Tensor,
        readers: ThreadPoolExecutor,
        stop: threading.Event,
    ) -> _Made:
        """Make this process's share of a batch, on the CPU."""
        share = slice(self._processes.rank * len(pixels), (self._processes.rank + 1) * len(pixels))
        parameters = draw_views(len(rows), self._views, self._rng(step, _FOR_VIEWS))[share]
        parts = [
            slice(start, start + _PICTURES_AT_ONCE)
            for start in range(0, len(pixels), _PICTURES_AT_ONCE)
        ]
        out, wanted = pixels.numpy(), rows[share]
        boxes = np.empty((len(pixels), 4), np.int64)
        shown = [
            readers.submit(self._show, wanted[part], parameters[part], out[part], boxes[part], stop)
            for part in parts
        ]
        # Other processes' rows stay as planned: which texts are drawn here does not depend on them.
        rows = rows.copy()
        rows[share] = np.concatenate([part.result() for part in shown])
        texts = self._texts.draw(rows, self._rng(step, _FOR_TEXTS), share)
        tokens = self._texts.tokens(texts)
        rows = rows[share]
        labels = None if self._labels is None else torch.from_numpy(self._labels[rows])
        batch = Batch(
            pixels if self._on_device else pixels.permute(0, 3, 1, 2), tokens, labels, rows
        )
        return batch, boxes, parameters

    def _rng(self, step: int, purpose: int) -> np.random.Generator:
        return np.random.default_rng([self._seed, step, purpose])

    def _show(
        self,
        rows: np.ndarray,
        parameters: ViewParameters,
        out: np.ndarray,
        boxes: np.ndarray,
        stop: threading.Event,
    ) -> np.ndarray:
        """Write views of pictures, or what they are made of; return whose pictures they are."""
        shown = np.empty(len(rows), np.int64)
        size = self._pictures.size
        squares = out if self._on_device else np.empty((len(rows), size, size, 3), np.uint8)
        for place, row in enumerate(rows.tolist()):
            shown[place], squares[place], boxes[place] = self._readable(row, stop)
        if not self._on_device:
            apply_views(squares, boxes, parameters, self._views.size, *self._normalisation, out=out)
        return shown

    def _readable(self, row: int, stop: threading.Event) -> tuple[int, np.ndarray, np.ndarray]:
        """Return a row with its picture: the given one, or the one that takes its place."""
        for candidate in self._candidates(self._replacements.get(row, row)):
            if stop.is_set():
                raise CancelledError
            (square,), (box,) = self._pictures.get([candidate])
            if self._pictures.is_readable(candidate):
                if candidate != row:
                    self._replacements[row] = candidate
                return candidate, square, box
            self.skipped[candidate] = self._pictures.broken[candidate]
        raise TrainingError(
            f"None of the {len(self._training)} pictures can be read, one of them: "
            f"{self._pictures.broken[row]}"
        )

    def _candidates(self, row: int) -> Iterator[int]:
        """Yield a row, and all others in the order in which they may take its place."""
        yield row
        following = np.roll(self._training, -np.searchsorted(self._training, row, side="right"))
        following = following[following != row]
        is_of_group = self._group_numbers[following] == self._group_numbers[row]
        yield from following[is_of_group].tolist()
        yield from following[~is_of_group].tolist()

    @cached_property
    def _group_numbers(self) -> np.ndarray:
        """Numbers in place of the groups' names, quicker to compare."""
        return np.unique(self._groups, return_inverse=True)[1]

    def _awaited(self, made: "Future[_Made]") -> _Made:
        began = time.monotonic()
        try:
            # A wait without an end could not be interrupted on every platform.
            while not wait([made], timeout=_NAP).done:
                pass
            return made.result()
        finally:
            self.waited_s += time.monotonic() - began

    def _moved(self, made: _Made) -> Batch:
        """Bring a batch to the device."""
        batch, boxes, parameters = made
        pixels = _moved(batch.pixels, self._device)
        if self._on_device:
            pixels = apply_views_on_device(
                pixels, boxes, parameters, self._views.size, *self._normalisation
            )
        return replace(
            batch,
            pixels=pixels,
            tokens=_moved(batch.tokens, self._device),
            labels=None if batch.labels is None else _moved(batch.labels, self._device),
        )


def _moved(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Bring a tensor to a device; a GPU's work that is under way is not waited for."""
    if device.type == "cuda" and not tensor.is_pinned():
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def _processors() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
