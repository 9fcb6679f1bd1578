"""Find an encoder by its name."""

import difflib
import re
from pathlib import Path

import open_clip
import torch

from astro_paperclip.encoders.compact import COMPACT, create_compact
from astro_paperclip.encoders.device import resolve_device
from astro_paperclip.encoders.encoder import Encoder
from astro_paperclip.encoders.folder import is_encoder_folder, load_folder
from astro_paperclip.encoders.quiet import quiet_loading
from astro_paperclip.encoders.seeding import seeded
from astro_paperclip.exceptions import EncoderError, WeightsNotFoundError

__all__ = ["load"]

_HUB = "hf-hub:"
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")

_FORMS = (
    f"'{COMPACT}' (needs no download), MODEL/PRETRAINED as in open_clip "
    "('ViT-B-16-quickgelu/openai'), 'hf-hub:ORGANISATION/MODEL', or a folder that "
    "'astro-paperclip train' wrote"
)


def load(
    name: str | Path,
    device: str | torch.device | None = None,
    *,
    pretrained: bool = True,
    seed: int = 0,
) -> Encoder:
    """Load an encoder by name.

    Parameters
    ----------
    name : str or `~pathlib.Path`
        ``'compact'``, a small encoder whose weights come with installed packages;
        ``MODEL/PRETRAINED``, any pair that open_clip knows, such as
        ``'ViT-B-16-quickgelu/openai'``, the base model of the paper (arXiv 2403.08851);
        ``'hf-hub:ORGANISATION/MODEL'``; or a folder that training wrote.
    device : str or `torch.device`, optional
        ``'auto'``, ``'cpu'``, ``'cuda'`` or ``'mps'``. Default: the configuration item
        ``device``.
    pretrained : bool
        False: the same architecture, tokenizer and preparation of pictures, but random weights
        and open_clip's own temperature to begin with. Nothing is downloaded but what describes
        the model, and ``MODEL`` without ``/PRETRAINED`` will do.
    seed : int
        Where random weights come from. torch's random numbers outside go on as before.

    Returns
    -------
    encoder : Encoder
        Ready to encode.

    Raises
    ------
    EncoderError
        If the name is unknown, the folder holds no encoder, or the device is not there.
    WeightsNotFoundError
        If the weights are neither on this machine nor to be had.

    Examples
    --------
    >>> from astro_paperclip import encoders
    >>> encoder = encoders.load("compact")
    >>> encoder.encode_texts(["a spiral galaxy"]).shape
    (1, 512)
    """
    device = resolve_device(device)
    untrained_seed = None if pretrained else seed
    name = str(name)
    folder = Path(name).expanduser()
    if name == COMPACT:
        model, tokenizer, config = create_compact(untrained_seed)
        return Encoder(model, tokenizer, config, name=name, device=device, trained=False)
    options = {"name": name, "device": device, "trained": pretrained}
    if name and folder.is_dir():
        if not is_encoder_folder(folder):
            raise EncoderError(
                f"The folder {name!r} holds no encoder: 'open_clip_config.json' and "
                "'open_clip_model.safetensors' are needed, as 'astro-paperclip train' writes them."
            )
        model, tokenizer, config = load_folder(folder, untrained_seed)
        # Random weights lie nowhere.
        home = folder.resolve() if pretrained else None
        return Encoder(model, tokenizer, config, folder=home, **options)
    load_by_name = _from_hub if name.startswith(_HUB) else _from_open_clip
    model, tokenizer, config = load_by_name(name, untrained_seed)
    return Encoder(model, tokenizer, config, **options)


def _from_open_clip(name: str, untrained_seed: int | None) -> tuple[torch.nn.Module, object, dict]:
    """Load one of open_clip's own pairs of a model and its weights."""
    if untrained_seed is not None and name in open_clip.list_models():
        return _create(name, name, name, untrained_seed)
    architecture, _, pretrained = name.rpartition("/")
    known = open_clip.list_pretrained(as_str=False)
    if (architecture, pretrained) not in known:
        names = [COMPACT, *("/".join(pair) for pair in known)]
        close = difflib.get_close_matches(name, names, n=3)
        hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
        raise EncoderError(f"Unknown encoder {name!r}.{hint} An encoder is {_FORMS}.")
    settings = open_clip.get_pretrained_cfg(architecture, pretrained)
    repository = "/".join(settings["hf_hub"].split("/")[:2])
    if untrained_seed is None:
        return _create(architecture, name, repository, pretrained=pretrained)
    return _create(architecture, name, repository, untrained_seed, force_preprocess_cfg=settings)


def _from_hub(name: str, untrained_seed: int | None) -> tuple[torch.nn.Module, object, dict]:
    """Load an open_clip model from the Hugging Face hub."""
    repository = name.removeprefix(_HUB)
    if not _REPOSITORY.fullmatch(repository):
        raise EncoderError(f"Unknown encoder {name!r}. An encoder is {_FORMS}.")
    return _create(name, name, repository, untrained_seed)


def _create(
    architecture: str,
    name: str,
    repository: str,
    untrained_seed: int | None = None,
    **options,
) -> tuple[torch.nn.Module, object, dict]:
    """Let open_clip load a model, and say what to do where it can't."""
    source = architecture
    try:
        if untrained_seed is not None:
            options |= {"load_weights": False, "pretrained_text": False}
            if architecture.startswith(_HUB):
                from huggingface_hub import hf_hub_download

                # By the hub's name open_clip would download the weights, to leave them unused.
                config = hf_hub_download(repository, "open_clip_config.json")
                source = f"local-dir:{Path(config).parent}"
        with quiet_loading(), seeded(untrained_seed):
            model = open_clip.create_model(
                source, output_dict=True, require_pretrained=untrained_seed is None, **options
            )
            tokenizer = open_clip.get_tokenizer(architecture)
            config = open_clip.get_model_config(architecture)
    except Exception as error:
        from huggingface_hub.constants import HF_HUB_CACHE

        cached = Path(HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}"
        reason = _first_line(error)
        if not _is_about_absence(error):
            raise EncoderError(
                f"The encoder {name!r} cannot be loaded: {reason} (If a file is damaged, delete "
                f"{cached} and load it again.)"
            ) from error
        raise WeightsNotFoundError(
            f"The weights of {name!r} ({repository} on the Hugging Face hub) are not on this "
            f"machine and could not be downloaded. Where there is a network, load it once, and "
            f"copy what that puts into the hub's cache to {HF_HUB_CACHE} (the weights are in "
            f"{cached.name}); or write it to a folder there, with astro_paperclip.encoders.save, "
            f"and give that folder as the encoder. ({reason})"
        ) from error
    return model, tokenizer, config


def _is_about_absence(error: BaseException | None) -> bool:
    """Tell whether open_clip failed for a file that it could not get, not for what is in it."""
    # open_clip wraps the error that says so, or goes on until it misses the weights.
    while error is not None:
        if isinstance(error, OSError) or "Required pretrained weights" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
