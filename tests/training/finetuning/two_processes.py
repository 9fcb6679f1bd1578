"""What each of two processes does that torchrun starts for test_distributed.py."""

import itertools
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import torch
from open_clip import CLIP
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel

from astro_paperclip.training.finetuning.distributed import (
    all_agree,
    barrier,
    gather_rows,
    joined_processes,
    main_first,
)
from astro_paperclip.training.finetuning.losses import GroupClipLoss, GroupSigLipLoss
from astro_paperclip.training.finetuning.step import training_step

LOSSES = {"clip": GroupClipLoss, "siglip": GroupSigLipLoss}
CASES = list(itertools.product(LOSSES, ["own", "labels"], [1, 2]))
STEPS = 20
PAIRS = 10
"""In the whole batch: half of it, in two parts, makes parts of unequal size."""


def make_model():
    """Return a CLIP in double precision, so that AdamW does not enlarge what rounding does."""
    torch.manual_seed(0)
    vision = {"image_size": 8, "patch_size": 4, "layers": 1, "width": 8, "head_width": 4}
    text = {"context_length": 6, "vocab_size": 12, "width": 8, "heads": 2, "layers": 1}
    return CLIP(6, vision, text, init_logit_bias=-1.0, output_dict=True).double()


def batch_of(step, processes, with_labels):
    """Return a process's share of the pairs of a step."""
    generator = torch.Generator().manual_seed(step)
    pixels = torch.randn(PAIRS, 3, 8, 8, generator=generator, dtype=torch.float64)
    tokens = torch.randint(1, 12, (PAIRS, 6), generator=generator)
    labels = torch.randint(-1, 4, (PAIRS, 2), generator=generator)
    size = PAIRS // processes.world_size
    rows = slice(processes.rank * size, (processes.rank + 1) * size)
    labels = labels[rows] if with_labels else None
    return SimpleNamespace(pixels=pixels[rows], tokens=tokens[rows], labels=labels)


def train(case, processes):
    """Return gradients of the first step, weights after the last, losses and accuracies."""
    name, labels, micro_batches = case
    model = make_model()
    loss = LOSSES[name](processes.rank, processes.world_size)
    wrapped = DistributedDataParallel(model) if processes.world_size > 1 else model
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.1)
    reports, gradients = [], {}
    for step in range(STEPS):
        batch = batch_of(step, processes, labels == "labels")
        optimizer.zero_grad()
        reports.append(training_step(wrapped, loss, batch, micro_batches=micro_batches))
        if step == 0:
            gradients = {n: p.grad.clone() for n, p in model.named_parameters()}
        optimizer.step()
    weights = {name: weight.detach() for name, weight in model.named_parameters()}
    return {"gradients": gradients, "weights": weights} | {
        key: torch.stack([report[key] for report in reports]) for key in reports[0]
    }


def fail():
    """Fail in the block of joined processes."""
    with joined_processes("cpu"):
        raise KeyError("in the block")


def join():
    """Return whether all agree, joined anew."""
    with joined_processes("cpu") as processes:
        return all_agree(processes.is_main, processes, "cpu")


def wait_for(path, processes):
    """Return whether the main process has written a file, which takes it a while."""

    def write():
        time.sleep(0.5)
        path.touch()

    main_first(processes, write)
    return path.exists()


def talk(processes):
    """Return what the processes tell each other."""
    rank = processes.rank
    barrier(processes)
    return {
        "processes": processes,
        "rows": gather_rows(torch.tensor([[rank, 10], [rank, 20]]), processes),
        "columns": gather_rows(torch.tensor([[rank, 10], [rank, 20]]).T, processes),
        "agreed": [
            all_agree(flags[rank], processes, "cpu")
            for flags in itertools.product([False, True], repeat=2)
        ],
    }


def main(folder):
    """Write what this process saw into a folder."""
    with joined_processes("cpu") as processes:
        seen = talk(processes)
        seen["main first"] = wait_for(Path(folder) / "of_main", processes)
        seen["trained"] = {case: train(case, processes) for case in CASES}
    seen["is left"] = not dist.is_initialized()
    try:
        fail()
    except KeyError:
        seen["is left after an error"] = not dist.is_initialized()
    # Whoever reads what is left of an earlier time fails at some of these, not at each.
    seen["joined again"] = [join() for _ in range(20)]
    seen["processes"] = (processes.rank, processes.world_size, processes.local_rank)
    torch.save(seen, Path(folder) / f"{processes.rank}.pt")


if __name__ == "__main__":
    main(sys.argv[1])
