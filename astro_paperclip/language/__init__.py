"""Language models whose answers keep a schema: local ones, and servers that the user names."""

from astro_paperclip.language.answers import Failure
from astro_paperclip.language.keys import KEY_VARIABLE
from astro_paperclip.language.loading import load_model, model_label
from astro_paperclip.language.model import LanguageModel
from astro_paperclip.language.quoting import quoted
from astro_paperclip.language.rerank import rerank

__all__ = [
    "KEY_VARIABLE",
    "Failure",
    "LanguageModel",
    "load_model",
    "model_label",
    "quoted",
    "rerank",
]
