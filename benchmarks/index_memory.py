"""Peak memory of ``astro-paperclip index`` for collections of growing size.

    python benchmarks/index_memory.py --images 500 2000 8000

Each size is indexed in a process of its own, with ``compact``, from small pictures of noise.
"""

import argparse
import csv
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

INDEX = """
import resource, sys, warnings
warnings.simplefilter("ignore")
from astro_paperclip import encoders
from astro_paperclip.building import index_pairs
encoder = encoders.load("compact", "cpu")
index_pairs(sys.argv[1], sys.argv[2], encoder, progress=False)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def write_pairs(folder: Path, count: int) -> Path:
    """Write a pairs file with pictures of noise."""
    rng = np.random.default_rng(0)
    with (folder / "pairs.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "text", "group_id"])
        for number in range(count):
            name = f"{number}.jpg"
            pixels = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name)
            writer.writerow([name, f"picture {number}", number])
    return folder / "pairs.csv"


def main() -> None:
    """Print the peak resident memory for each size."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, nargs="+", default=[500, 2000, 8000])
    arguments = parser.parse_args()
    for count in arguments.images:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            pairs = write_pairs(folder, count)
            done = subprocess.run(
                [sys.executable, "-c", INDEX, str(folder / "collection"), str(pairs)],
                check=True,
                capture_output=True,
                text=True,
            )
            print(f"{count:7d} images: peak {int(done.stdout) / 1024:7.0f} MiB")


if __name__ == "__main__":
    main()
