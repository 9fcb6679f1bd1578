"""Look at held-out pairs during a run, as the paper's figure 2 does."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from astro_paperclip.encoders import Encoder
from astro_paperclip.evaluation.in_batch import in_batch_metrics
from astro_paperclip.training.finetuning.pictures import PictureCache
from astro_paperclip.training.finetuning.texts import CaptionTexts
from astro_paperclip.training.finetuning.views import whole_views

__all__ = ["HeldOut"]

_AT_ONCE = 32

#: The paper's validation looks at 30 batches of 100.
_LARGEST = 3000


class HeldOut:
    """Held-out pairs, looked at again and again.

    Parameters
    ----------
    pictures : PictureCache
        Of all pairs.
    rows : sequence of int
        Those that were held out; a seeded choice of 3,000 where there are more.
    texts : CaptionTexts
        Of all pairs.
    encoder : Encoder
        What its pixels should be.
    seed : int
        Of the batches.
    """

    def __init__(
        self,
        pictures: PictureCache,
        rows: Sequence[int],
        texts: CaptionTexts,
        encoder: Encoder,
        seed: int,
    ) -> None:
        rows = np.asarray(rows, np.int64)
        if len(rows) > _LARGEST:
            rows = np.sort(np.random.default_rng(seed).choice(rows, _LARGEST, replace=False))
        self._pictures, self._texts = pictures, texts
        self._rows, self._pixels, self._seed = rows, encoder.pixels, seed

    def __len__(self) -> int:
        return len(self._rows)

    @torch.no_grad()
    def measure(self, model: nn.Module, device: torch.device) -> dict[str, float]:
        """Return how well a model finds the held-out pairs within batches.

        Parameters
        ----------
        model : `torch.nn.Module`
            Put into evaluation mode.
        device : `torch.device`
            Where it runs.

        Returns
        -------
        values : dict
            ``loss``, and ``top_1`` and ``top_10_percent`` from text to image as in the paper's
            figure 2.
        """
        model.eval()
        images, texts, rows, scale = [], [], [], 1.0
        for start in range(0, len(self._rows), _AT_ONCE):
            chosen = self._rows[start : start + _AT_ONCE]
            squares, _ = self._pictures.get(chosen)
            readable = np.array([self._pictures.is_readable(row) for row in chosen])
            if not readable.any():
                continue
            chosen = chosen[readable]
            pixels = whole_views(
                squares[readable], self._pixels.size, self._pixels.mean, self._pixels.std
            )
            tokens = self._texts.tokens(self._texts.whole(chosen)).to(device)
            output = model(pixels.to(device), tokens)
            images.append(output["image_features"].float().cpu().numpy())
            texts.append(output["text_features"].float().cpu().numpy())
            rows.append(chosen)
            scale = float(output["logit_scale"])
        if not images:
            return {}
        metrics = in_batch_metrics(
            np.concatenate(images), np.concatenate(texts), logit_scale=scale, seed=self._seed
        )
        direction = metrics["text_to_image"]
        return {
            "loss": metrics["loss"],
            "top_1": direction["top_k"]["1"],
            "top_10_percent": direction["top_percent"]["10"],
        }
