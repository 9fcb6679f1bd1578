"""Pictures trained on per second, beside open_clip's own training loop.

    python benchmarks/training_speed.py compact --device cpu
    python benchmarks/training_speed.py ViT-B-16 --device cuda --batch-size 256

Both fine-tune everything, on the same files and captions, with the same weights, batch size,
number of tokens and optimiser, in the same process, in turns. ``open_clip_train`` reads, crops and
normalises files in worker processes, as its documentation says; ours fills its picture cache in
the first pass, which is timed apart. Weights of other models than ``compact`` are random: speed
does not depend on them. Files come from the folder that the environment variable
``PAPERCLIP_SHARED`` names (default ``../shared``). ``open_clip_train`` needs pandas,
braceexpand and webdataset.
"""

import argparse
import copy
import os
import statistics
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import open_clip
import torch
from open_clip_train.data import get_csv_dataset
from open_clip_train.scheduler import const_lr
from open_clip_train.train import train_one_epoch

from astro_paperclip import encoders
from astro_paperclip.config import conf
from astro_paperclip.encoders.device import resolve_device
from astro_paperclip.pairs import read_pairs
from astro_paperclip.training import FineTuneRecipe
from astro_paperclip.training.finetuning.batches import make_plan
from astro_paperclip.training.finetuning.distributed import Processes
from astro_paperclip.training.finetuning.loader import BatchLoader
from astro_paperclip.training.finetuning.model import autocast_dtype, prepare_model
from astro_paperclip.training.finetuning.pictures import PictureCache
from astro_paperclip.training.finetuning.state import TrainingState
from astro_paperclip.training.finetuning.texts import CaptionTexts


class Theirs:
    """open_clip's training loop on a CSV file of pictures and captions."""

    def __init__(self, encoder, recipe, pairs, folder, device, workers):
        path = Path(folder) / "pairs.csv"
        pairs["image", "caption"].write(path, format="ascii.csv", overwrite=True)
        self.args = SimpleNamespace(
            train_data=str(path),
            csv_img_key="image",
            csv_caption_key="caption",
            csv_separator=",",
            distributed=False,
            batch_size=recipe.batch_size,
            workers=workers,
            device=str(device),
            precision="fp32" if autocast_dtype(recipe, device) is None else "amp_bf16",
            accum_freq=1,
            skip_scheduler=False,
            distill=False,
            horovod=False,
            grad_clip_norm=None,
            rank=0,
            local_rank=0,
            world_size=1,
            log_every_n_steps=10**9,
            wandb=False,
            model="clip",
            coca_caption_loss_weight=0.0,
            save_logs=False,
        )
        self.model = copy.deepcopy(encoder.model).float().to(device).requires_grad_(True)
        preprocess = open_clip.transform.image_transform_v2(
            open_clip.transform.PreprocessCfg(**encoder.model.visual.preprocess_cfg), is_train=True
        )

        def tokenizer(texts):
            return encoder.tokenizer(texts, context_length=tokens)

        tokens = min(recipe.caption_tokens, encoder.context_length)
        self.data = {"train": get_csv_dataset(self.args, preprocess, True, tokenizer=tokenizer)}
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=recipe.learning_rate)
        self.scheduler = const_lr(self.optimizer, recipe.learning_rate, 0, 1)
        self.loss = open_clip.ClipLoss()
        self.count = len(pairs) // recipe.batch_size * recipe.batch_size

    def epoch(self, number):
        """Train on all pictures once."""
        train_one_epoch(
            self.model,
            self.data,
            self.loss,
            number,
            self.optimizer,
            None,
            self.scheduler,
            None,
            self.args,
        )
        return self.count


class Ours:
    """`astro_paperclip`'s training loop."""

    def __init__(self, encoder, recipe, pairs, device):
        model, _ = prepare_model(encoder, recipe, device)
        self.state = TrainingState(model, recipe, device, Processes(), frozen_statistics=True)
        self.state.train()
        self.steps = len(pairs) // recipe.batch_size
        self.plan = make_plan(pairs["group_id"], recipe.batch_size, 0, one_per_group=False)
        self.options = {
            "pictures": PictureCache(pairs["image"].tolist(), recipe.picture_size),
            "texts": CaptionTexts.from_table(
                pairs, recipe.captions, encoder, recipe.caption_tokens
            ),
            "labels": None,
            "groups": pairs["group_id"],
            "training": np.arange(len(pairs)),
            "rows_of": self.plan.rows,
            "views": recipe.views(encoder.pixels.size),
            "mean": encoder.pixels.mean,
            "std": encoder.pixels.std,
            "seed": 0,
            "processes": Processes(),
            "device": device,
        }
        self.waited = 0.0

    def epoch(self, number):
        """Train on all pictures once."""
        start = number * self.steps
        with BatchLoader(start=start, end=start + self.steps, **self.options) as loader:
            for step, batch in loader:
                self.state.update(batch, step)
            self.waited = loader.waited_s
        return self.steps * self.plan.batch_size


def seconds_of(way, number):
    """Return images per second of an epoch, and its length."""
    start = time.perf_counter()
    count = way.epoch(number)
    seconds = time.perf_counter() - start
    return count / seconds, seconds


def main() -> None:
    """Print rates and their ratio, the median of several rounds."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("architecture", nargs="?", default="compact")
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=2, help="of open_clip_train")
    parser.add_argument("--preset", default="paper")
    parser.add_argument("--repeat", type=int, default=1, help="how often the pairs are listed")
    arguments = parser.parse_args()
    device = resolve_device(arguments.device)
    shared = Path(os.environ.get("PAPERCLIP_SHARED", "../shared")).resolve()
    pairs = read_pairs(shared / "data" / "jwst_proposals" / "pairs.csv")[: arguments.images]
    pairs = pairs[list(range(len(pairs))) * arguments.repeat]
    # One line a caption: CSV readers differ in what they make of more.
    pairs["caption"] = [" ".join(str(text).split()) for text in pairs["text"]]
    steps = (arguments.rounds + 2) * (len(pairs) // arguments.batch_size)
    recipe = FineTuneRecipe.preset(
        arguments.preset,
        batch_size=arguments.batch_size,
        images_seen=steps * arguments.batch_size,
        one_per_group=False,
    )
    if arguments.architecture == "compact":
        encoder = encoders.load("compact", device)
    else:
        encoder = encoders.load(arguments.architecture, device, pretrained=False)
    with tempfile.TemporaryDirectory() as folder, conf.set_temp("cache_dir", folder):
        theirs = Theirs(encoder, recipe, pairs, folder, device, arguments.workers)
        ours = Ours(encoder, recipe, pairs, device)
        first, _ = seconds_of(ours, 0)
        theirs.epoch(0)
        rates = {"open_clip_train": [], "astro_paperclip": []}
        waiting = []
        for number in range(1, arguments.rounds + 1):
            rates["open_clip_train"].append(seconds_of(theirs, number)[0])
            rate, seconds = seconds_of(ours, number)
            rates["astro_paperclip"].append(rate)
            waiting.append(ours.waited / seconds)
    medians = {name: statistics.median(values) for name, values in rates.items()}
    dtype = autocast_dtype(recipe, device) or torch.float32
    print(
        f"{arguments.architecture}, {len(pairs)} images, batches of {arguments.batch_size}, "
        f"{device}, {torch.get_num_threads()} threads, matrices in {dtype}"
    )
    for name, median in medians.items():
        print(f"{name:18s} {median:8.1f} images/s")
    ratio = medians["astro_paperclip"] / medians["open_clip_train"]
    print(f"ours / theirs = {ratio:.2f}")
    print(f"ours in the first pass, which fills the cache: {first:.1f} images/s")
    print(f"ours waits for data {100 * statistics.median(waiting):.1f} % of the time")


if __name__ == "__main__":
    main()
