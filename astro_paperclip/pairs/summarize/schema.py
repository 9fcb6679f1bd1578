"""`Summary`: what a proposal is about, in a few bounded strings."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["MOST_STRINGS", "Summary"]

MOST_STRINGS = 5
"""Strings of each list at most."""

#: Letters, digits and what names are written with. Commas and semicolons part the strings of a
#: caption, so no string holds one.
_LETTERS = r"[A-Za-z0-9 ()'/.+-]"

Thing = Annotated[
    str,
    Field(
        pattern=rf"^[A-Za-z0-9]{_LETTERS}{{0,38}}[A-Za-z0-9)]$",
        description="A class of objects or a phenomenon, by its full name",
    ),
]
"""One of the objects and phenomena: 2 to 40 characters."""

Use = Annotated[
    str,
    Field(
        pattern=rf"^[A-Za-z0-9]{_LETTERS}{{0,58}}[A-Za-z0-9)]$",
        description="A question of science that the observations can help to answer",
    ),
]
"""One of the use cases: 2 to 60 characters."""

_LONGEST_CAPTION = 290
"""Characters of a caption at most: prose of astronomy has 4.5 characters a token and more, so
that 75 tokens and two marks hold them."""


class Summary(BaseModel):
    """What is observed, and what for: the two lists of the paper's guided summaries.

    Parameters
    ----------
    objects_and_phenomena : list of str
        One to five classes of objects, or phenomena, of 2 to 40 characters each.
    science_use_cases : list of str
        One to five questions that the observations can help to answer, of 2 to 60 characters
        each.

    Raises
    ------
    pydantic.ValidationError
        If a list or a string is too short or too long, or holds other characters than
        unaccented letters, digits, spaces and ``()'/.+-``.

    Notes
    -----
    The paper [1]_ has the same two lists of one to five strings, without bounds on a string: a
    model that does not find an end is then cut in the middle. Its captions are often longer
    than the 77 tokens that CLIP reads.

    References
    ----------
    .. [1] Mishra-Sharma, S., Song, Y., & Thaler, J. 2024, arXiv:2403.08851, section 3 and
       appendix A.2

    Examples
    --------
    >>> from astro_paperclip.pairs.summarize import Summary
    >>> summary = Summary(
    ...     objects_and_phenomena=["globular clusters", "white dwarfs"],
    ...     science_use_cases=["ages of the oldest stars"],
    ... )
    >>> summary.as_caption()
    'globular clusters, white dwarfs; ages of the oldest stars'
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        # What a model is told: the docstring above is for people.
        json_schema_extra={"description": "What is observed, and what for"},
    )

    objects_and_phenomena: Annotated[
        list[Thing],
        Field(
            min_length=1,
            max_length=MOST_STRINGS,
            description="What is observed: classes of objects and phenomena",
        ),
    ]
    science_use_cases: Annotated[
        list[Use],
        Field(
            min_length=1,
            max_length=MOST_STRINGS,
            description="What the observations are good for",
        ),
    ]

    def as_caption(self, longest: int = _LONGEST_CAPTION) -> str:
        """Return the caption: objects, a semicolon, use cases, as in the paper.

        Parameters
        ----------
        longest : int, optional
            Largest number of characters. By default as many as CLIP's 77 tokens hold of
            ordinary prose. What is too long loses its last use case, then its last object,
            and so on in turn; one of each always stays.

        Returns
        -------
        str
            One line.
        """
        objects, uses = list(self.objects_and_phenomena), list(self.science_use_cases)
        while len(caption := f"{', '.join(objects)}; {', '.join(uses)}") > longest:
            if len(objects) == len(uses) == 1:
                break
            (uses if len(uses) >= len(objects) else objects).pop()
        return caption
