"""What is looked for: words, pictures and observations, weighed against each other."""

from astro_paperclip.expressions.contents import Content, Observations, Picture, Words
from astro_paperclip.expressions.like import Like, Term

__all__ = ["Content", "Like", "Observations", "Picture", "Term", "Words"]
