"""What a query returns: a ranked table, and the ways out of it."""

from astro_paperclip.results.table import PaperclipResult

__all__ = ["PaperclipResult"]
