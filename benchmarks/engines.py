"""Speed of an image tower on a CPU, in several precisions, layouts and engines.

    python benchmarks/engines.py compact
    python benchmarks/engines.py ViT-B-32

Pictures a second of the image tower alone, on random pixels, in batches of 8, every way in turns
in one process, in the precision that the package takes on this processor. ``torch.compile``, ONNX
Runtime and OpenVINO also say how long they take to start. ONNX Runtime and OpenVINO are tried where
they are installed (``pip install onnxruntime openvino onnx onnxscript``); the package uses neither.
"""

import argparse
import copy
import statistics
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import open_clip
import torch

from astro_paperclip import encoders
from astro_paperclip.encoders.device import image_dtype
from astro_paperclip.encoders.fusion import fuse_activations, fuse_normalisation
from astro_paperclip.encoders.towers import split_towers

BATCH = 8
SIZE = 224


def image_tower(architecture: str) -> torch.nn.Module:
    """Return an image tower in float32; of other models than ``compact`` with random weights."""
    if architecture == "compact":
        model = encoders.load("compact", "cpu").model
    else:
        model = open_clip.create_model(architecture).eval()
    return split_towers(model).image_backbone


def torch_way(
    tower: torch.nn.Module,
    dtype: torch.dtype,
    *,
    last: bool,
    normalisation=False,
    activations=False,
) -> Callable:
    """Return a function that runs a copy of the tower in some layout and precision."""
    tower = copy.deepcopy(tower)
    if normalisation:
        fuse_normalisation(tower)
    layout = torch.channels_last if last else torch.contiguous_format
    tower = tower.to(dtype=dtype, memory_format=layout)
    if activations:
        tower = fuse_activations(tower, SIZE)

    @torch.inference_mode()
    def run(pixels: torch.Tensor) -> None:
        tower(pixels.to(dtype=dtype, memory_format=layout))

    return run


def compiled_way(tower: torch.nn.Module, dtype: torch.dtype) -> Callable:
    """Return a function that runs a compiled copy of the tower."""
    tower = copy.deepcopy(tower).to(dtype=dtype, memory_format=torch.channels_last)
    compiled = torch.compile(tower)

    @torch.inference_mode()
    def run(pixels: torch.Tensor) -> None:
        compiled(pixels.to(dtype=dtype, memory_format=torch.channels_last))

    return run


def exported(tower: torch.nn.Module, folder: str) -> str:
    """Write a tower as ONNX and return the file."""
    path = str(Path(folder) / "tower.onnx")
    torch.onnx.export(tower, (torch.zeros(BATCH, 3, SIZE, SIZE),), path, dynamo=True)
    return path


def onnx_way(path: str) -> Callable:
    """Return a function that runs an ONNX file in ONNX Runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda pixels: session.run(None, {name: pixels.numpy()})


def openvino_way(path: str) -> Callable:
    """Return a function that runs an ONNX file in OpenVINO, in the precision that it chooses."""
    import openvino

    compiled = openvino.compile_model(path, "CPU")
    return lambda pixels: compiled(pixels.numpy())


def main() -> None:
    """Print the rate of every way, the median of several rounds."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("architecture", nargs="?", default="compact")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, default=4)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    tower = image_tower(arguments.architecture)
    single, dtype = torch.float32, image_dtype(torch.device("cpu"))
    name = str(dtype).removeprefix("torch.")
    fused = {"last": True, "normalisation": True}
    makers = {
        "float32, as open_clip": lambda: torch_way(tower, single, last=False),
        "+ channels last": lambda: torch_way(tower, single, last=True),
    }
    if dtype != single:
        makers[f"+ {name}"] = lambda: torch_way(tower, dtype, last=True)
    makers |= {
        "+ fused normalisation": lambda: torch_way(tower, dtype, **fused),
        "+ fused activations": lambda: torch_way(tower, dtype, **fused, activations=True),
        f"torch.compile, {name}": lambda: compiled_way(tower, dtype),
    }
    pixels = torch.randn(BATCH, 3, SIZE, SIZE)
    with tempfile.TemporaryDirectory() as folder:
        if find_spec("onnxruntime") and find_spec("onnxscript"):
            makers["ONNX Runtime, float32"] = lambda: onnx_way(exported(tower, folder))
        if find_spec("openvino") and find_spec("onnxscript"):
            makers["OpenVINO"] = lambda: openvino_way(exported(tower, folder))
        ways, starts = {}, {}
        for name, make in makers.items():
            begin = time.perf_counter()
            ways[name] = make()
            ways[name](pixels)
            starts[name] = time.perf_counter() - begin
    rates = {name: [] for name in ways}
    for _ in range(arguments.rounds):
        for name, run in ways.items():
            begin = time.perf_counter()
            for _ in range(arguments.batches):
                run(pixels)
            rates[name].append(arguments.batches * BATCH / (time.perf_counter() - begin))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    slowest = medians["float32, as open_clip"]
    print(f"{arguments.architecture}, batches of {BATCH}, {torch.get_num_threads()} threads")
    for name, median in medians.items():
        print(
            f"{name:26s} {median:7.1f} pictures/s   x {median / slowest:5.2f}   "
            f"starts in {starts[name]:5.1f} s"
        )


if __name__ == "__main__":
    main()
