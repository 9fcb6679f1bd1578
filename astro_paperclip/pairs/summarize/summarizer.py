"""What a summarizer is: whatever makes summaries of abstracts."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from astro_paperclip.language import Failure
from astro_paperclip.pairs.summarize.schema import Summary

__all__ = ["Summarizer"]


@runtime_checkable
class Summarizer(Protocol):
    """Whatever makes summaries of abstracts: rules, a language model, or code of your own.

    Attributes
    ----------
    name : str
        What makes the summaries: the vocabulary or the model.
    version : str
        Version of the rules or of the prompt. A summary is made anew when either changes.
    """

    name: str
    version: str

    def attempt(self, abstracts: Sequence[str], seed: int = 0) -> list[Summary | Failure]:
        """Summarize abstracts.

        Parameters
        ----------
        abstracts : sequence of str
            Plain texts.
        seed : int, optional
            Where all chance comes from.

        Returns
        -------
        list of Summary or Failure
            One for each abstract, in their order.
        """
        ...
