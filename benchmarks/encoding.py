"""Images encoded per second, beside a plain loop over open_clip's documented calls.

    python benchmarks/encoding.py compact
    python benchmarks/encoding.py ViT-B-32 --images 128

Both encode the same files with the same weights in the same process, in turns. The plain loop
opens, preprocesses and encodes one image at a time, as open_clip's README shows; a second one
does so in batches. Weights of other models than ``compact`` are random: speed does not depend on
them, and no download is needed. Files come from the folder that the environment variable
``PAPERCLIP_SHARED`` names (default ``../shared``), or from ``--folder``.

The load of the machine before and after is printed, too: beside other programs, loops whose threads
wait for each other at every layer lose the most, so ratios are fair on an idle machine only.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import open_clip
import torch
from PIL import Image

from astro_paperclip import encoders
from astro_paperclip.encoders.device import image_dtype


def random_weights(architecture: str, folder: str) -> encoders.Encoder:
    """Return an encoder with random weights, by way of a folder as training writes it."""
    model = open_clip.create_model(architecture, output_dict=True)
    tokenizer = open_clip.get_tokenizer(architecture)
    config = open_clip.get_model_config(architecture)
    encoder = encoders.Encoder(
        model, tokenizer, config, name=architecture, device=torch.device("cpu")
    )
    return encoders.load(encoders.save(encoder, Path(folder) / "encoder"))


@torch.no_grad()
def plain_loop(model: torch.nn.Module, preprocess, paths: list[Path], batch_size: int) -> None:
    """Encode files as open_clip's documentation does."""
    for start in range(0, len(paths), batch_size):
        images = [preprocess(Image.open(path)) for path in paths[start : start + batch_size]]
        features = model.encode_image(torch.stack(images))
        features /= features.norm(dim=-1, keepdim=True)


def our_way(encoder: encoders.Encoder, paths: list[Path]) -> None:
    """Encode files as ``astro-paperclip index`` does."""
    for _ in encoder.encode_image_files(paths):
        pass


def rate(function, *arguments, count: int) -> float:
    """Return images per second."""
    start = time.perf_counter()
    function(*arguments)
    return count / (time.perf_counter() - start)


def main() -> None:
    """Print rates and ratios, the median of several rounds."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("architecture", nargs="?", default="compact")
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    shared = Path(os.environ.get("PAPERCLIP_SHARED", "../shared"))
    folder = arguments.folder or shared / "data" / "jwst_proposals" / "images"
    paths = sorted(folder.glob("*.jpg"))[: arguments.images]
    with tempfile.TemporaryDirectory() as temporary:
        if arguments.architecture == "compact":
            encoder = encoders.load("compact", "cpu")
        else:
            encoder = random_weights(arguments.architecture, temporary)
    model = encoder.model
    preprocess = open_clip.transform.image_transform_v2(
        open_clip.transform.PreprocessCfg(**getattr(model, "base", model).visual.preprocess_cfg),
        is_train=False,
    )
    ways = {
        "plain loop, one by one": (plain_loop, model, preprocess, paths, 1),
        "plain loop, batches of 32": (plain_loop, model, preprocess, paths, 32),
        "astro_paperclip": (our_way, encoder, paths),
    }
    for function, *rest in ways.values():
        function(*[r[:32] if r is paths else r for r in rest])
    load_before = os.getloadavg()[0]
    rates = {name: [] for name in ways}
    for _ in range(arguments.rounds):
        for name, way in ways.items():
            rates[name].append(rate(*way, count=len(paths)))
    loads = f"{load_before:.1f} before, {os.getloadavg()[0]:.1f} after"
    print(
        f"{arguments.architecture}, {len(paths)} images, {torch.get_num_threads()} threads, image "
        f"tower in {image_dtype(encoder.device)}, load {loads}"
    )
    ours = statistics.median(rates["astro_paperclip"])
    for name, values in rates.items():
        median = statistics.median(values)
        print(f"{name:26s} {median:7.1f} images/s   ours / this = {ours / median:.2f}")


if __name__ == "__main__":
    main()
