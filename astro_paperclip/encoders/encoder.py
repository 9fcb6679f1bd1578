"""`Encoder`: an open_clip model that takes astronomers' inputs and gives NumPy vectors."""

import copy
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from open_clip.hf_model import HFTextEncoder
from PIL.Image import Image
from torch import nn
from torch.nn.functional import normalize

from astro_paperclip.captions import cut_to_context
from astro_paperclip.config import conf
from astro_paperclip.encoders.device import image_dtype
from astro_paperclip.encoders.fusion import fuse_activations, fuse_normalisation
from astro_paperclip.encoders.precision import lower_precision
from astro_paperclip.encoders.stream import EncodedBatch, encode_files
from astro_paperclip.encoders.towers import Towers, open_clip_part, split_towers
from astro_paperclip.encoders.views import VIEWS, make_views
from astro_paperclip.exceptions import EncoderError
from astro_paperclip.images import letterbox, read_image

__all__ = ["Encoder"]

#: Pictures that go through an image tower together on a CPU: with more, what one layer hands to
#: the next no longer fits the processor's cache. The maps between convolutions are larger than a
#: transformer's tokens: of 8 pictures they do not even fit what malloc keeps, and are given back to
#: the system and fetched again at every layer (``benchmarks/encoding.py``).
_PICTURES_IN_CPU_CACHE = {"convolutions": 4, "transformer": 8}


@dataclass(frozen=True)
class Pixels:
    """What a tower expects of its pixels.

    Parameters
    ----------
    size : int
        Side of the square picture, in pixels.
    mean, std : tuple of float
        Of each colour, on a scale from 0 to 1.
    """

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


class Encoder:
    """Two towers that put pictures and sentences into one space.

    Made by `astro_paperclip.encoders.load`.

    Parameters
    ----------
    model : `torch.nn.Module`
        An open_clip model (or one with added projections), on the CPU, in float32.
    tokenizer : callable
        open_clip's tokenizer of that model.
    config : dict
        open_clip's configuration of the model, as `~astro_paperclip.encoders.save` writes it.
    name : str
        The name that `~astro_paperclip.encoders.load` takes.
    device : `torch.device`
        Where to run.
    trained : bool
        Whether the two towers were trained together.
    folder : `~pathlib.Path`, optional
        Where the encoder was loaded from, if from a folder.

    Attributes
    ----------
    fingerprint : str
        Hexadecimal SHA-256 of the weights, the configuration and what is done to the pixels.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        tokenizer: object,
        config: dict,
        *,
        name: str,
        device: torch.device,
        trained: bool = True,
        folder: Path | None = None,
    ) -> None:
        base = open_clip_part(model)
        self.model = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.config = config
        self.name = name
        self.device = device
        self.trained = trained
        self.folder = folder
        self.pixels = _pixels(base)
        self.context_length = int(tokenizer.context_length)
        text = getattr(base, "text", None)
        self._padding = text.config.pad_token_id if isinstance(text, HFTextEncoder) else None
        self.fingerprint = _fingerprint(self.model, config, self.pixels)
        self.model.to(device)

    def __repr__(self) -> str:
        return f"<Encoder {self.name!r}: {self.dim}-d on {self.device}, {self.fingerprint[:12]}>"

    @property
    def dim(self) -> int:
        """Length of the vectors."""
        return self.config["embed_dim"]

    @property
    def logit_scale(self) -> float:
        """Factor on cosine similarities in training, the inverse of the temperature."""
        return float(open_clip_part(self.model).logit_scale.exp())

    @cached_property
    def towers(self) -> Towers:
        """The towers, cut where their projections begin."""
        return split_towers(self.model)

    @cached_property
    def _image_backbone(self) -> torch.nn.Module:
        """A copy of the image tower, in the layout and precision that run fastest here."""
        backbone = fuse_normalisation(copy.deepcopy(self.towers.image_backbone))
        backbone = lower_precision(backbone, image_dtype(self.device))
        backbone = backbone.to(device=self.device, memory_format=torch.channels_last)
        if self.device.type != "cpu":
            return backbone
        return fuse_activations(backbone, self.pixels.size)

    @cached_property
    def pictures_at_a_time(self) -> int:
        """How many pictures go through the image tower together on a CPU."""
        layers = [isinstance(layer, nn.Conv2d) for layer in self.towers.image_backbone.modules()]
        # A vision transformer has one convolution, which cuts the picture into patches.
        return _PICTURES_IN_CPU_CACHE["convolutions" if sum(layers) > 1 else "transformer"]

    def build_image_tower(self) -> None:
        """Build now what encodes pictures, before threads share it."""
        _ = self._image_backbone, self.pictures_at_a_time

    def count_tokens(self, text: str) -> int:
        """Return the number of tokens of a text, the start and end marks included."""
        inner = getattr(self.tokenizer, "tokenizer", None)
        if inner is None:
            return len(self.tokenizer.encode(text)) + 2
        text = self.tokenizer.clean_fn(text)
        return len(inner(text, truncation=False, verbose=False).input_ids)

    @property
    def masks_padding(self) -> bool:
        """Whether the text tower gives the same vectors with the padding cut off."""
        return self._padding is not None

    def trim_padding(self, tokens: torch.Tensor) -> torch.Tensor:
        """Cut off what is padding in every row, where the text tower masks it.

        Parameters
        ----------
        tokens : `torch.Tensor`
            Shape (n, context), of the tokenizer.

        Returns
        -------
        tokens : `torch.Tensor`
            Shape (n, length of the longest text), or unchanged.
        """
        if not self.masks_padding:
            return tokens
        used = (tokens != self._padding).any(0).nonzero()
        return tokens[:, : int(used.max()) + 1]

    def prepare(self, image: object) -> np.ndarray:
        """Read a picture and letterbox it to the square that the image tower takes.

        Parameters
        ----------
        image : object
            Anything that `astro_paperclip.images.read_image` takes.

        Returns
        -------
        square : `~numpy.ndarray`
            Shape (size, size, 3), uint8.

        Raises
        ------
        ImageError
            If the image cannot be read.
        """
        size = self.pixels.size
        return np.asarray(letterbox(read_image(image, at_least=size), size))

    @torch.inference_mode()
    def image_features(self, squares: np.ndarray) -> torch.Tensor:
        """Return what the image tower says of prepared pictures, before the projection.

        Parameters
        ----------
        squares : `~numpy.ndarray`
            Shape (n, size, size, 3), uint8.

        Returns
        -------
        features : `torch.Tensor`
            Shape (n, width), float32.
        """
        dtype = next(self._image_backbone.parameters()).dtype
        mean = torch.tensor(self.pixels.mean, device=self.device).view(1, 3, 1, 1)
        std = torch.tensor(self.pixels.std, device=self.device).view(1, 3, 1, 1)
        at_once = self.pictures_at_a_time if self.device.type == "cpu" else len(squares)
        features = []
        for part in _batches(squares, at_once):
            # Pixels last is how pictures lie in memory, and what channels-last layers want.
            # The copy also makes arrays that are read-only or turned fit for torch.
            pixels = torch.from_numpy(np.array(part, order="C")).to(self.device)
            pixels = torch.addcmul(-mean / std, pixels.permute(0, 3, 1, 2), 1 / (255 * std))
            features.append(self._image_backbone(pixels.to(dtype)).float())
        return torch.cat(features)

    @torch.inference_mode()
    def text_features(self, texts: Sequence[str]) -> torch.Tensor:
        """Return what the text tower says of texts, before the projection.

        Parameters
        ----------
        texts : sequence of str
            Texts that are longer than the context are cut by whole sentences.

        Returns
        -------
        features : `torch.Tensor`
            Shape (n, width), float32.
        """
        tokens = self.trim_padding(self._tokenize(texts))
        return self.towers.text_backbone(tokens.to(self.device)).float()

    def _tokenize(self, texts: Sequence[str]) -> torch.Tensor:
        return self.tokenizer(
            [cut_to_context(text, self.count_tokens, self.context_length) for text in texts]
        )

    @torch.inference_mode()
    def encode_squares(self, squares: np.ndarray, views: str = "whole") -> np.ndarray:
        """Encode prepared pictures.

        Parameters
        ----------
        squares : `~numpy.ndarray`
            Shape (n, size, size, 3), uint8, as `prepare` makes them.
        views : str
            Which views to average, see ``astro_paperclip.encoders.VIEWS``.

        Returns
        -------
        vectors : `~numpy.ndarray`
            Shape (n, dim), float32, unit length.
        """
        pictures = np.concatenate([make_views(square, views) for square in squares])
        vectors = normalize(self.towers.image_head(self.image_features(pictures)), dim=-1)
        mean = vectors.view(len(squares), VIEWS[views], -1).mean(1)
        return normalize(mean, dim=-1).cpu().numpy()

    def encode_images(self, images: Sequence[object], views: str = "whole") -> np.ndarray:
        """Encode pictures.

        Parameters
        ----------
        images : sequence
            Anything that `astro_paperclip.images.read_image` takes: paths, PIL images, arrays,
            `~astropy.nddata.NDData`, FITS.
        views : str
            ``'whole'``, ``'rotations'`` or ``'dihedral'``: which views to average.

        Returns
        -------
        vectors : `~numpy.ndarray`
            Shape (n, dim), float32, unit length.

        Raises
        ------
        ImageError
            If an image cannot be read.
        """
        if isinstance(images, str | Path | Image):
            raise EncoderError(f"A list of images is needed: use encode_images([{images!r}]).")
        batches = [
            self.encode_squares(np.stack([self.prepare(image) for image in batch]), views)
            for batch in _batches(images, conf.batch_size)
        ]
        return np.concatenate(batches) if batches else np.empty((0, self.dim), np.float32)

    def encode_image_files(
        self,
        paths: Sequence[str | Path],
        *,
        views: str = "whole",
        batch_size: int | None = None,
        skip_broken: bool = False,
        progress: bool = False,
    ) -> Iterator[EncodedBatch]:
        """Encode image files in a stream, in bounded memory.

        The arguments, what it yields and what it raises are those of
        `astro_paperclip.encoders.encode_files`.
        """
        return encode_files(
            self,
            paths,
            views=views,
            batch_size=batch_size,
            skip_broken=skip_broken,
            progress=progress,
        )

    @torch.inference_mode()
    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Encode texts.

        Parameters
        ----------
        texts : sequence of str
            Texts that are longer than the context are cut by whole sentences.

        Returns
        -------
        vectors : `~numpy.ndarray`
            Shape (n, dim), float32, unit length.
        """
        if isinstance(texts, str):
            raise EncoderError(f"A list of texts is needed: use encode_texts([{texts[:40]!r}]).")
        # Texts of like length share a batch, so that little of it is padding.
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        vectors = [
            normalize(self.towers.text_head(self.text_features([texts[i] for i in batch])), dim=-1)
            for batch in _batches(order, conf.batch_size)
        ]
        if not vectors:
            return np.empty((0, self.dim), np.float32)
        encoded = torch.cat(vectors).cpu().numpy()
        result = np.empty_like(encoded)
        result[order] = encoded
        return result


def _batches(items: Sequence, size: int) -> Iterator[Sequence]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _fingerprint(model: torch.nn.Module, config: dict, pixels: Pixels) -> str:
    """Return the SHA-256 of everything that makes a model's vectors what they are.

    The configuration is part of it: the same weights give other vectors with another activation
    (``ViT-B-16`` and ``ViT-B-16-quickgelu``) or context length.
    """
    settings = json.dumps([config, asdict(pixels)], sort_keys=True)
    digest = hashlib.sha256(settings.encode())
    for name, tensor in sorted(model.state_dict().items()):
        array = tensor.detach().cpu().contiguous().numpy()
        digest.update(f"{name}{array.dtype}{array.shape}".encode())
        digest.update(array.reshape(-1).view(np.uint8))
    return digest.hexdigest()


def _pixels(model: torch.nn.Module) -> Pixels:
    """Read from an open_clip model what its pixels should be."""
    settings = model.visual.preprocess_cfg
    size = settings["size"]
    return Pixels(
        int(size if isinstance(size, int) else max(size)),
        tuple(settings["mean"]),
        tuple(settings["std"]),
    )
