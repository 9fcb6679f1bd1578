"""`GuidedSummarizer`: summaries by a language model that cannot leave the schema."""

from collections.abc import Sequence
from typing import Any

from astro_paperclip.language import Failure, LanguageModel, load_model
from astro_paperclip.pairs.summarize.prompt import PROMPT_VERSION, summary_prompt
from astro_paperclip.pairs.summarize.schema import Summary

__all__ = ["GuidedSummarizer"]


class GuidedSummarizer:
    """Summarize abstracts with a language model, as the paper does.

    Parameters
    ----------
    model : str, LanguageModel, outlines model or callable
        A name or a server's address, as `astro_paperclip.language.load_model` takes them; or
        what `astro_paperclip.language.LanguageModel` takes.

    Attributes
    ----------
    name, version : str
        Name of the model, and version of the prompt.

    Examples
    --------
    >>> from astro_paperclip.pairs.summarize import GuidedSummarizer
    >>> def model(prompt, schema, seed):
    ...     return '{"objects_and_phenomena": ["comets"], "science_use_cases": ["old ices"]}'
    >>> (summary,) = GuidedSummarizer(model)(["We observe a comet."])
    >>> summary.as_caption()
    'comets; old ices'
    """

    version = f"prompt {PROMPT_VERSION}"

    def __init__(self, model: str | LanguageModel | Any) -> None:
        self.model = load_model(model)
        self.name = self.model.name

    def __call__(self, abstracts: Sequence[str], seed: int = 0) -> list[Summary | None]:
        """Summarize abstracts.

        Parameters
        ----------
        abstracts : sequence of str
            Plain texts.
        seed : int, optional
            Where all chance comes from.

        Returns
        -------
        list of Summary or None
            One for each abstract; `None` where the model gave no valid answer. Use
            `summarize_texts` to try again, and for the reasons.
        """
        summaries = self.attempt(abstracts, seed)
        return [None if isinstance(summary, Failure) else summary for summary in summaries]

    def attempt(self, abstracts: Sequence[str], seed: int = 0) -> list[Summary | Failure]:
        """Summarize abstracts once, and say why where there is no summary.

        Parameters
        ----------
        abstracts : sequence of str
            Plain texts.
        seed : int, optional
            Where all chance comes from.

        Returns
        -------
        list of Summary or Failure
            One for each abstract.
        """
        if isinstance(abstracts, str):
            raise TypeError("Several abstracts are needed: put a single one into a list.")
        return self.model.ask(list(map(summary_prompt, abstracts)), Summary, seed=seed)
