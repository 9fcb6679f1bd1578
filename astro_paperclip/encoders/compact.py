"""``compact``: a small dual encoder that needs no hub.

An EfficientNet-Lite0 image tower (ImageNet weights) and an all-MiniLM-L6-v2 text tower, joined
by open_clip's own timm and Hugging Face towers under a registered model configuration. Both were
trained alone: their projections into the common space are random until they are trained.
"""

import json
from pathlib import Path

import open_clip
import torch
from safetensors.torch import load_file

from astro_paperclip.encoders.quiet import quiet_loading
from astro_paperclip.encoders.seeding import seeded
from astro_paperclip.encoders.weights import EFFICIENTNET_LITE0, MINILM_L6, find_weights

__all__ = ["COMPACT", "create_compact"]

COMPACT = "compact"

_CONFIG = Path(__file__).parent / "configs" / "compact.json"

#: What EfficientNet-Lite0 was trained with: pixels in [-1, 1].
_PREPROCESS = {
    "mean": (0.5, 0.5, 0.5),
    "std": (0.5, 0.5, 0.5),
    "interpolation": "bicubic",
    "resize_mode": "longest",
    "fill_color": 0,
}

#: The projections start from this seed, so that ``compact`` is the same model everywhere.
_SEED = 0


def create_compact(untrained_seed: int | None = None) -> tuple[torch.nn.Module, object, dict]:
    """Build the model with both pretrained towers.

    Parameters
    ----------
    untrained_seed : int, optional
        Leave both towers at random, too, and draw all weights from this seed.

    Returns
    -------
    model : `open_clip.model.CustomTextCLIP`
        In evaluation mode, on the CPU, in float32.
    tokenizer : `open_clip.tokenizer.HFTokenizer`
        The text tower's tokenizer.
    config : dict
        open_clip's configuration of the model.

    Raises
    ------
    WeightsNotFoundError
        If a weight file is missing or not the one it should be.
    """
    is_trained = untrained_seed is None
    image_weights = find_weights(EFFICIENTNET_LITE0) if is_trained else None
    text_weights = find_weights(MINILM_L6)
    text_folder = text_weights.parent  # which has the tokenizer, too
    if COMPACT not in open_clip.list_models():
        open_clip.add_model_config(_CONFIG)
    config = json.loads(_CONFIG.read_text())
    text_config = config["text_cfg"] | {
        "hf_model_name": str(text_folder),
        "hf_model_pretrained": False,
    }
    with quiet_loading(), seeded(_SEED if is_trained else untrained_seed):
        model = open_clip.create_model(
            COMPACT,
            text_cfg=text_config,
            pretrained_text=False,
            output_dict=True,
            force_preprocess_cfg=_PREPROCESS,
        )
        tokenizer = open_clip.tokenizer.HFTokenizer(
            str(text_folder), context_length=text_config["context_length"]
        )
    if is_trained:
        _load_image_tower(model.visual.trunk, image_weights)
        _load_text_tower(model.text.transformer, text_weights)
    return model.eval(), tokenizer, config


def _load_image_tower(trunk: torch.nn.Module, path: Path) -> None:
    """Load ImageNet weights whose tensors have other names but stand in timm's own order."""
    tensors = list(torch.load(path, weights_only=True, map_location="cpu").values())
    names = list(trunk.state_dict())
    # The file ends with the ImageNet classifier, which the tower does without.
    trunk.load_state_dict(dict(zip(names, tensors[:-2], strict=True)))


def _load_text_tower(transformer: torch.nn.Module, path: Path) -> None:
    """Load MiniLM without the pooler, which sentence embeddings do not use."""
    tensors = load_file(path)
    wanted = set(transformer.state_dict())
    transformer.load_state_dict({k: v for k, v in tensors.items() if k in wanted})
