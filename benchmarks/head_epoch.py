"""An epoch of method ``head`` on cached features, beside encoding the pictures again.

    python benchmarks/head_epoch.py --images 128

Without the cache, every epoch would look at one view of each picture through the frozen image
tower. With it, that is done once, and an epoch trains the projections only. Files come from the
folder that the environment variable ``PAPERCLIP_SHARED`` names (default ``../shared``).
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

from astro_paperclip import encoders
from astro_paperclip.config import conf
from astro_paperclip.encoders.towers import split_towers
from astro_paperclip.pairs import read_pairs
from astro_paperclip.training import HeadRecipe
from astro_paperclip.training.head.captions import caption_mixture
from astro_paperclip.training.head.features import image_features, text_features
from astro_paperclip.training.head.fitting import TowerFeatures, fit_heads
from astro_paperclip.training.head.run import model_with_heads

EPOCHS = 50


def main() -> None:
    """Print both times and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=128)
    parser.add_argument("--encoder", default="compact")
    arguments = parser.parse_args()
    shared = Path(os.environ.get("PAPERCLIP_SHARED", "../shared")).resolve()
    pairs = read_pairs(shared / "data" / "space_captions" / "pairs.csv")[: arguments.images]
    encoder = encoders.load(arguments.encoder, "cpu")
    paths = pairs["image"].tolist()
    with tempfile.TemporaryDirectory() as folder, conf.set_temp("cache_dir", folder):
        image_features(encoder, paths[:8], 2, progress=False)
        start = time.perf_counter()
        images, _ = image_features(encoder, paths, 1, progress=False)
        encoding = time.perf_counter() - start
        captions = caption_mixture(pairs, encoder)
        texts = text_features(encoder, captions.texts, progress=False)
        features = TowerFeatures(images, texts, captions, pairs["group_id"])
        recipe = HeadRecipe(images_seen=EPOCHS * len(pairs), views=1)
        towers = split_towers(model_with_heads(encoder, recipe))
        start = time.perf_counter()
        fit_heads(towers, features, recipe, progress=False)
        epoch = (time.perf_counter() - start) / EPOCHS
    print(f"{arguments.encoder}, {len(pairs)} images")
    print(f"encoding one view of each  {encoding:8.3f} s")
    print(f"an epoch of head           {epoch:8.3f} s   encoding / epoch = {encoding / epoch:.0f}")


if __name__ == "__main__":
    main()
