"""Encoders: text and images to unit vectors of one space.

An encoder is an open_clip model, found by name (`load`) and wrapped so that it takes what
astronomers have (files, arrays, FITS data, sentences) and gives float32 NumPy arrays.
This room and `astro_paperclip.training` are the only ones that import torch.
"""

from astro_paperclip.encoders.encoder import Encoder
from astro_paperclip.encoders.folder import save, write
from astro_paperclip.encoders.registry import load
from astro_paperclip.encoders.stream import EncodedBatch, encode_files
from astro_paperclip.encoders.views import VIEWS

__all__ = ["VIEWS", "EncodedBatch", "Encoder", "encode_files", "load", "save", "write"]
