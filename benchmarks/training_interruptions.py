"""Stop a training run at random steps, go on each time, and compare what comes out in the end.

    python benchmarks/training_interruptions.py
    python benchmarks/training_interruptions.py --stops 3 --steps 60

Fine-tunes a small CLIP with random weights on real pairs, once without interruption and once
stopped (SIGTERM, as batch schedulers send it, and SIGKILL in turn) at random steps. Both must end
with the same weights, bit by bit. Exit status 1 if they differ. Files come from the folder that the
environment variable ``PAPERCLIP_SHARED`` names (default ``../shared``).
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import open_clip
import torch
from safetensors.torch import load_file

from astro_paperclip import encoders

CONFIG = {
    "embed_dim": 64,
    "vision_cfg": {"image_size": 64, "layers": 2, "width": 64, "head_width": 32, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
}
WEIGHTS = "open_clip_model.safetensors"


def small_encoder(folder: Path) -> Path:
    """Write a small CLIP with random weights, and return its folder."""
    path = folder / "small-clip.json"
    path.write_text(json.dumps(CONFIG))
    open_clip.add_model_config(path)
    return encoders.save(encoders.load("small-clip", "cpu", pretrained=False), folder / "base")


def start_training(base: Path, output: Path, steps: int) -> subprocess.Popen:
    """Start ``astro-paperclip train`` in a process of its own."""
    shared = Path(os.environ.get("PAPERCLIP_SHARED", "../shared")).resolve()
    command = [sys.executable, "-m", "astro_paperclip.cli.main", "train", "--quiet"]
    command += ["--pairs", str(shared / "data" / "space_captions" / "pairs.csv")]
    command += ["--encoder", str(base), "--output", str(output), "--method", "full"]
    command += ["--set", "batch_size=16", "--images-seen", str(16 * steps), "--device", "cpu"]
    command += ["--set", "picture_size=64", "--set", "learn_temperature=true"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def steps_done(output: Path) -> int:
    """Return how many steps the log tells of."""
    log = output / "run" / "log.csv"
    return len(log.read_text().splitlines()) - 1 if log.exists() else 0


def main() -> int:
    """Train twice, stop one of them, compare."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--stops", type=int, default=10)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        base = small_encoder(folder)
        whole, stopped = folder / "whole", folder / "stopped"
        if start_training(base, whole, arguments.steps).wait():
            return 1
        places = sorted(rng.sample(range(1, arguments.steps - 1), arguments.stops))
        for number, place in enumerate(places):
            process = start_training(base, stopped, arguments.steps)
            while process.poll() is None and steps_done(stopped) < place:
                time.sleep(0.01)
            how = signal.SIGTERM if number % 2 == 0 else signal.SIGKILL
            process.send_signal(how)
            status = process.wait()
            print(
                f"{how.name} at step {steps_done(stopped)} or so: exit status {status}", flush=True
            )
        if start_training(base, stopped, arguments.steps).wait():
            return 1
        first, second = load_file(whole / WEIGHTS), load_file(stopped / WEIGHTS)
        different = [name for name in first if not torch.equal(first[name], second[name])]
        lines = [(f / "run" / "log.csv").read_text().splitlines() for f in (whole, stopped)]
    print(f"{len(first)} tensors, {len(different)} of them different")
    print(f"{len(lines[0])} and {len(lines[1])} lines in the logs")
    return int(bool(different) or len(lines[0]) != len(lines[1]))


if __name__ == "__main__":
    sys.exit(main())
