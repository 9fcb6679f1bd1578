"""An encoder as a folder, in open_clip's own form.

``open_clip_config.json``, ``open_clip_model.safetensors`` and the tokenizer's files: plain
open_clip opens it as ``local-dir:FOLDER``. An encoder whose projections have no place in
open_clip's configuration keeps its base model in the folder ``base`` and the projections in
``projections.safetensors``, so that open_clip can't open it without them unnoticed.
"""

import json
from pathlib import Path

import open_clip
import torch
from open_clip.push_to_hf_hub import save_config_for_hf
from safetensors.torch import load_file, save_file

from astro_paperclip.encoders.encoder import Encoder
from astro_paperclip.encoders.quiet import quiet_loading
from astro_paperclip.encoders.seeding import seeded
from astro_paperclip.encoders.towers import ProjectedModel
from astro_paperclip.exceptions import EncoderError
from astro_paperclip.files import written_whole_folder

__all__ = ["is_encoder_folder", "load_folder", "save", "write"]

_CONFIG = "open_clip_config.json"
_WEIGHTS = "open_clip_model.safetensors"
_BASE = "base"
_PROJECTIONS = "projections.safetensors"
_PROJECTED = ("image_head.", "text_head.")


def is_encoder_folder(folder: Path) -> bool:
    """Tell whether a folder holds an encoder."""
    return _is_open_clip(folder) or (
        (folder / _PROJECTIONS).is_file() and _is_open_clip(folder / _BASE)
    )


def _is_open_clip(folder: Path) -> bool:
    return (folder / _CONFIG).is_file() and (folder / _WEIGHTS).is_file()


def load_folder(
    folder: Path, untrained_seed: int | None = None
) -> tuple[torch.nn.Module, object, dict]:
    """Load the model and the tokenizer of a folder.

    Parameters
    ----------
    folder : `~pathlib.Path`
        What `save` wrote, or any open_clip model folder with weights as safetensors.
    untrained_seed : int, optional
        Leave the weights in the folder where they are, and draw others from this seed.

    Returns
    -------
    model : `torch.nn.Module`
        On the CPU, in float32.
    tokenizer : callable
        The model's tokenizer.
    config : dict
        open_clip's configuration of the model.

    Raises
    ------
    EncoderError
        If the files do not fit each other or are damaged.
    """
    try:
        with seeded(untrained_seed):
            is_trained = untrained_seed is None
            if not (folder / _PROJECTIONS).is_file():
                return _load_open_clip(folder, is_trained)
            base, tokenizer, config = _load_open_clip(folder / _BASE, is_trained)
            model = ProjectedModel(base, config["embed_dim"])
        if is_trained:
            projections = load_file(folder / _PROJECTIONS)
            base_tensors = {f"base.{k}": v for k, v in base.state_dict().items()}
            model.load_state_dict(projections | base_tensors)
        return model, tokenizer, config
    except Exception as error:
        raise EncoderError(f"The encoder in {folder} cannot be loaded: {error}") from error


def _load_open_clip(folder: Path, is_trained: bool) -> tuple[torch.nn.Module, object, dict]:
    config = json.loads((folder / _CONFIG).read_text())["model_cfg"]
    name = f"local-dir:{folder}"
    overrides = {}
    text = config["text_cfg"]
    hub_name = text.get("hf_model_name")
    if hub_name and (folder / hub_name / "config.json").is_file():
        # The Hugging Face configuration lies in the folder: no hub is asked for it.
        overrides["text_cfg"] = text | {
            "hf_model_name": str(folder / hub_name),
            "hf_model_pretrained": False,
        }
    try:
        with quiet_loading():
            model = open_clip.create_model(
                name,
                output_dict=True,
                load_weights=is_trained,
                pretrained_text=False,
                require_pretrained=is_trained,
                **overrides,
            )
            tokenizer = open_clip.get_tokenizer(name)
    except OSError as error:
        if not hub_name or overrides:
            raise
        raise EncoderError(
            f"the configuration of its text tower is missing. Put the file config.json of "
            f"{hub_name!r} into {folder / hub_name}."
        ) from error
    return model, tokenizer, config


def write(encoder: Encoder, folder: str | Path, card: str = "") -> None:
    """Write an encoder into a folder that exists.

    Parameters
    ----------
    encoder : Encoder
        The encoder to write.
    folder : str or `~pathlib.Path`
        Where to. Plain open_clip opens it too, as ``local-dir:FOLDER``, unless the encoder has
        projections that open_clip's configuration can't express.
    card : str
        Text of the model card, ``README.md``.
    """
    folder = Path(folder)
    model = encoder.model
    if isinstance(model, ProjectedModel):
        tensors = model.state_dict()
        projections = {k: v for k, v in tensors.items() if k.startswith(_PROJECTED)}
        save_file(_plain(projections), folder / _PROJECTIONS)
        _save_open_clip(model.base, encoder, folder / _BASE)
    else:
        _save_open_clip(model, encoder, folder)
    if card:
        (folder / "README.md").write_text(card, encoding="utf-8")


def save(encoder: Encoder, folder: str | Path, card: str = "") -> Path:
    """Write an encoder as a folder that `astro_paperclip.encoders.load` opens.

    Parameters
    ----------
    encoder, card
        As for `write`.
    folder : str or `~pathlib.Path`
        A folder that stands there is replaced once everything is written.

    Returns
    -------
    folder : `~pathlib.Path`
        The folder.
    """
    with written_whole_folder(folder) as temporary:
        write(encoder, temporary, card)
    return Path(folder)


def _save_open_clip(model: torch.nn.Module, encoder: Encoder, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    save_file(_plain(model.state_dict()), folder / _WEIGHTS)
    save_config_for_hf(model, folder / _CONFIG, encoder.config)
    if hasattr(encoder.tokenizer, "save_pretrained"):
        encoder.tokenizer.save_pretrained(folder)
    hub_name = encoder.config["text_cfg"].get("hf_model_name")
    if hub_name:
        model.text.config.save_pretrained(folder / hub_name)


def _plain(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return tensors as safetensors wants them: on the CPU, whole, none sharing memory."""
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
