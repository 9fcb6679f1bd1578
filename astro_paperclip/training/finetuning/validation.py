"""Look at held-out pairs during a run, as the paper's figure 2 does."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import nn

from astro_paperclip.encoders import Encoder
from astro_paperclip.encoders.towers import open_clip_part, split_towers
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
        towers = split_towers(model)
        images, rows = [], []
        for chosen in _batches(self._rows):
            squares, _ = self._pictures.get(chosen)
            readable = np.array([self._pictures.is_readable(row) for row in chosen])
            if readable.any():
                pixels = whole_views(
                    squares[readable], self._pixels.size, self._pixels.mean, self._pixels.std
                )
                images.append(towers.image_head(towers.image_backbone(pixels.to(device))))
                rows.append(chosen[readable])
        if not images:
            return {}
        captions, of_row = np.unique(self._texts.whole(np.concatenate(rows)), return_inverse=True)
        tokens = (self._texts.tokens(batch).to(device) for batch in _batches(captions.tolist()))
        texts = [towers.text_head(towers.text_backbone(batch)) for batch in tokens]
        scale = float(open_clip_part(model).logit_scale.exp())
        metrics = in_batch_metrics(
            _joined(images), _joined(texts)[of_row], logit_scale=scale, seed=self._seed
        )
        direction = metrics["text_to_image"]
        return {
            "loss": metrics["loss"],
            "top_1": direction["top_k"]["1"],
            "top_10_percent": direction["top_percent"]["10"],
        }


def _batches(items: Sequence) -> Iterator[Sequence]:
    return (items[start : start + _AT_ONCE] for start in range(0, len(items), _AT_ONCE))


def _joined(parts: Sequence[torch.Tensor]) -> np.ndarray:
    return torch.cat(parts).float().cpu().numpy()
