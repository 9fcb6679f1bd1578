"""Several processes that train one model: what ``torchrun`` says, and what they tell each other."""

import functools
import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import distributed as dist

from astro_paperclip.exceptions import TrainingError

__all__ = [
    "Processes",
    "all_agree",
    "barrier",
    "gather_rows",
    "gather_rows_with_gradient",
    "joined_processes",
    "main_first",
]

#: What torchrun tells each process that it starts.
_VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK")

#: Numbers of the times that processes join or wait, the same in each of them.
_times = itertools.count()

#: Longest time that processes wait for work that one of them does alone.
_PATIENCE = timedelta(days=7)


@dataclass(frozen=True)
class Processes:
    """The processes that train together, as one of them sees them.

    Parameters
    ----------
    rank : int
        Number of this process, counted from 0.
    world_size : int
        How many there are.
    local_rank : int
        Number of this process among those of its own machine: the number of its GPU.
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0

    @property
    def is_main(self) -> bool:
        """Whether this process writes the files and talks to the user."""
        return self.rank == 0


@contextmanager
def joined_processes(device: str | torch.device) -> Iterator[Processes]:
    """Join the other processes that ``torchrun`` started, until the end of the block.

    Without ``torchrun`` this process is the only one, and nothing is joined.

    Parameters
    ----------
    device : str or `torch.device`
        What is trained on. In the block of one of several processes, ``"cuda"`` is the GPU of
        its own.

    Yields
    ------
    processes : Processes
        This process and the number of all.

    Raises
    ------
    TrainingError
        If the environment contradicts itself, or there are fewer GPUs than processes, or the
        device is a GPU with a number while there are several processes.
    """
    device = torch.device(device)
    processes = _started_by_torchrun()
    if processes.world_size == 1:
        yield processes
        return
    if not dist.is_available():
        raise TrainingError(
            f"This build of torch cannot join {processes.world_size} processes: start one process "
            "without torchrun, or install another build."
        )
    if device.type == "cuda":
        _take_own_gpu(device, processes)
        # The number of the GPU keeps NCCL from guessing which one a barrier is on.
        options = {"backend": "nccl", "device_id": torch.device("cuda", processes.local_rank)}
    else:
        options = {"backend": "gloo"}
    # What processes told each other when they joined before stays in their store: under the
    # same keys, a second time would read addresses that nobody listens at any more.
    store = dist.PrefixStore(f"joined_{next(_times)}", _store_of(processes))
    dist.init_process_group(
        store=store, rank=processes.rank, world_size=processes.world_size, **options
    )
    try:
        yield processes
    finally:
        dist.destroy_process_group()


def gather_rows(rows: torch.Tensor, processes: Processes) -> torch.Tensor:
    """Return the rows of all processes, without gradient.

    Parameters
    ----------
    rows : `torch.Tensor`
        Those of this process, shape (n, ...); n is the same in every process.
    processes : Processes
        Who gathers; all must call.

    Returns
    -------
    all_rows : `torch.Tensor`
        Shape (world_size x n, ...), in the order of the ranks.
    """
    rows = rows.detach()
    if processes.world_size == 1:
        return rows
    rows = rows.contiguous()
    parts = [torch.empty_like(rows) for _ in range(processes.world_size)]
    dist.all_gather(parts, rows)
    return torch.cat(parts)


def gather_rows_with_gradient(rows: torch.Tensor, processes: Processes) -> torch.Tensor:
    """Return the rows of all processes; gradients find their way back to all of them.

    ``torch.distributed.nn``, which open_clip gathers with, is deprecated since torch 2.14.

    Parameters
    ----------
    rows : `torch.Tensor`
        Those of this process, shape (n, ...); n is the same in every process.
    processes : Processes
        Who gathers; all must call, and all must go backward.

    Returns
    -------
    all_rows : `torch.Tensor`
        Shape (world_size x n, ...), in the order of the ranks. The gradient of ``rows`` is
        summed over what all processes did with them.
    """
    return rows if processes.world_size == 1 else _Gathered.apply(rows, processes)


def barrier(processes: Processes) -> None:
    """Wait until every process has come this far.

    Parameters
    ----------
    processes : Processes
        Who waits; all must call.
    """
    if processes.world_size > 1:
        dist.barrier()


def all_agree(flag: bool, processes: Processes, device: str | torch.device) -> bool:
    """Agree on what one process alone may have noticed, such as a signal to stop.

    Parameters
    ----------
    flag : bool
        What this process says.
    processes : Processes
        Who agrees; all must call.
    device : str or `torch.device`
        What is trained on.

    Returns
    -------
    flag : bool
        Whether any process said yes; the same in all of them.
    """
    if processes.world_size == 1:
        return flag
    said = torch.tensor(int(flag), device=device)
    dist.all_reduce(said, dist.ReduceOp.MAX)
    return bool(said.item())


def main_first(processes: Processes, work: Callable[[], None]) -> None:
    """Let the main process do something while the others wait, however long it takes.

    A barrier would give up after the time that a lost process is told by.

    Parameters
    ----------
    processes : Processes
        All must call.
    work : callable
        What the main process does. If it fails, torchrun stops the others.
    """
    if processes.is_main:
        work()
    if processes.world_size == 1:
        return
    key, store = f"main_{next(_times)}", _store_of(processes)
    if processes.is_main:
        store.set(key, "done")
    else:
        store.wait([key], _PATIENCE)


class _Gathered(torch.autograd.Function):
    """All processes' rows, whose gradient is the sum of those that all processes have."""

    @staticmethod
    def forward(ctx, rows: torch.Tensor, processes: Processes) -> torch.Tensor:
        ctx.own = slice(processes.rank * len(rows), (processes.rank + 1) * len(rows))
        return gather_rows(rows, processes)

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        # Gloo has no reduce-scatter in all versions of torch; features are small.
        total = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total[ctx.own], None


@functools.cache
def _store_of(processes: Processes) -> "dist.Store":
    """Return where the processes that torchrun started tell each other where they are."""
    store, _, _ = next(dist.rendezvous("env://", processes.rank, processes.world_size))
    return store


def _started_by_torchrun() -> Processes:
    """Return what the environment says of the processes; one, if it says nothing."""
    said = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
    if "WORLD_SIZE" not in said:
        return Processes()
    found = ", ".join(f"{name}={value}" for name, value in said.items())
    remedy = "start training with torchrun, or unset these variables to train in one process."
    missing = [name for name in _VARIABLES if name not in said]
    if missing:
        raise TrainingError(f"The environment has {found} but no {' and '.join(missing)}: {remedy}")
    try:
        processes = Processes(*(int(said[name]) for name in _VARIABLES))
    except ValueError:
        raise TrainingError(f"The environment has {found}, not all numbers: {remedy}") from None
    if not 0 <= processes.local_rank <= processes.rank < processes.world_size:
        raise TrainingError(
            f"The environment has {found}, but ranks count from 0 to WORLD_SIZE - 1: {remedy}"
        )
    return processes


def _take_own_gpu(device: torch.device, processes: Processes) -> None:
    """Make the GPU with this process's number the one that "cuda" stands for."""
    if device.index is not None:
        raise TrainingError(
            f"Device '{device}' was asked for in {processes.world_size} processes, which would "
            "share that one GPU: use device='cuda', and each process takes its own."
        )
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if processes.local_rank >= count:
        raise TrainingError(
            f"Process {processes.local_rank} of this machine has no GPU, as torch finds {count}: "
            f"start torchrun with --nproc-per-node={max(count, 1)} or less, or use device='cpu'."
        )
    torch.cuda.set_device(processes.local_rank)
