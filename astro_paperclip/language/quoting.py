"""Put texts of others into a prompt so that they stay texts."""

import hashlib

__all__ = ["quoted"]


def quoted(text: str, name: str) -> str:
    """Return a text between two lines that it cannot hold itself.

    Parameters
    ----------
    text : str
        Anything: an abstract, a caption.
    name : str
        What it is, in capital letters.

    Returns
    -------
    str
        The text between ``<<<NAME hash`` and ``NAME hash>>>``. The hash is of the text, so that
        no text can end its own quotation: the model is told to take nothing within it for an
        instruction, and its answer has to keep the schema anyway.

    Examples
    --------
    >>> from astro_paperclip.language import quoted
    >>> print(quoted("We observe a comet.", "ABSTRACT"))
    <<<ABSTRACT 4e6fe5148a95
    We observe a comet.
    ABSTRACT 4e6fe5148a95>>>
    """
    mark = f"{name} {hashlib.sha256(text.encode()).hexdigest()[:12]}"
    return f"<<<{mark}\n{text}\n{mark}>>>"
