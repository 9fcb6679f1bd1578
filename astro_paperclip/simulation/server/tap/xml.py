"""Short XML documents of the simulated TAP service."""

import html

__all__ = ["XML_TYPE", "document", "element"]

XML_TYPE = "text/xml;charset=utf-8"


def element(name: str, content: str | None = "", **attributes: str) -> str:
    """
    Write an element.

    Parameters
    ----------
    name : str
        Its name, with its prefix.
    content : str or None
        What it holds: text made by `element`, or text that needs no escape. `None`: nil.
    **attributes : str
        Its attributes; ``__`` stands for a colon.

    Returns
    -------
    str
    """
    if content is None:
        attributes["xsi__nil"] = "true"
    given = "".join(
        f' {key.replace("__", ":")}="{html.escape(value)}"' for key, value in attributes.items()
    )
    return f"<{name}{given}>{content or ''}</{name}>"


def document(root: str) -> bytes:
    """
    Write a whole document.

    Parameters
    ----------
    root : str
        Its root, made by `element`.

    Returns
    -------
    bytes
    """
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{root}\n'.encode()
