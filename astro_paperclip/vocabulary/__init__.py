"""Vocabularies: the words for what pictures show, from general to special."""

from astro_paperclip.vocabulary.concept import KINDS, Concept
from astro_paperclip.vocabulary.vocabulary import Vocabulary

__all__ = ["KINDS", "Concept", "Vocabulary"]
