"""The query class: words, pictures, places and criteria in, a table of observations out."""

from astro_paperclip.core.query_class import PaperclipMast, PaperclipMastClass

__all__ = ["PaperclipMast", "PaperclipMastClass"]
