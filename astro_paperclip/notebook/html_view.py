"""A piece of a page: shown in a notebook, or written as a page of its own."""

import html
import os
from string import Template

from astro_paperclip.files import check_free, written_whole

__all__ = ["HtmlView", "document", "link"]

# Colours come from where the piece is shown, so that it is readable on light and on dark.
_STYLE = """\
<style>
.paperclip { font-size: 13px; line-height: 1.4; }
.paperclip .scroll { overflow-x: auto; }
.paperclip table { border-collapse: collapse; margin: 6px 0; }
.paperclip th, .paperclip td { text-align: left; vertical-align: middle; padding: 4px 10px;
  border: 0; border-bottom: 1px solid rgba(128, 128, 128, .35); max-width: 26em;
  overflow-wrap: break-word; }
.paperclip th small { display: block; font-weight: normal; opacity: .75; }
.paperclip td.long { min-width: 15em; }
.paperclip .number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.paperclip img { display: block; max-width: none; height: auto; margin: 0; }
.paperclip .soft, .paperclip summary { opacity: .8; }
.paperclip p { margin: 4px 0; }
.paperclip .grid { display: grid; gap: 14px; list-style: none; margin: 8px 0; padding: 0; }
.paperclip .grid li { margin: 0; padding: 0; overflow-wrap: anywhere; }
.paperclip .grid img, .paperclip .grid .gone { width: 100%; aspect-ratio: 1; object-fit: contain;
  background: #000; border-radius: 4px; margin-bottom: 4px; }
.paperclip .grid .gone { background: rgba(128, 128, 128, .2); display: flex;
  align-items: center; justify-content: center; }
</style>
"""

# The policy lets a browser load nothing else, not even if a text should ever slip through.
_PAGE = Template("""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:$origin; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
$head</head>
<body>
<main>
$body
</main>
</body>
</html>
""")

_HEAD = """\
<meta name="color-scheme" content="light dark">
<style>
:root { color-scheme: light dark; }
body { font-family: system-ui, sans-serif; margin: 24px; }
</style>
"""


class HtmlView:
    """A piece of HTML: the last line of a notebook's cell shows it.

    Parameters
    ----------
    body : str
        HTML in which every text is escaped.
    title : str
        What it shows.
    origin : str, optional
        Server that pictures are loaded from, ``https://HOST``. Default: none, all are within.

    Attributes
    ----------
    html : str
        The piece with its style, to be put into other pages.
    """

    def __init__(self, body: str, title: str, origin: str = ""):
        self.html = f'{_STYLE}<div class="paperclip">\n{body}\n</div>'
        self._title = title
        self._origin = origin

    def __repr__(self):
        return (
            f"<HtmlView of {self._title!r}, {len(self.html) / 1000:.0f} kB: a notebook shows it, "
            "write(path) makes a page of it>"
        )

    def _repr_html_(self) -> str:
        return self.html

    def write(self, path: str | os.PathLike, *, overwrite: bool = False) -> None:
        """Write a page that needs no other file, whole or not at all.

        Parameters
        ----------
        path : str or path-like
            The file, ``.html`` by custom.
        overwrite : bool
            Whether to replace a file that is there.

        Raises
        ------
        OSError
            If the file is there and shall not be replaced.
        """
        check_free(path, overwrite)
        page = document(self._title, _HEAD, self.html, self._origin)
        with written_whole(path) as temporary:
            temporary.write_text(page, encoding="utf-8")


def document(title: str, head: str, body: str, origin: str = "") -> str:
    """Make a page whose scripts do not run, and that loads nothing but pictures of one server.

    Parameters
    ----------
    title : str
        Of the window; escaped here.
    head, body : str
        HTML: whole lines, such as a ``style``, and what is read.
    origin : str, optional
        Server that pictures are loaded from. Default: none, all are within.

    Returns
    -------
    str
        A whole HTML document.
    """
    origin = f" {origin}" if origin else ""
    return _PAGE.substitute(title=html.escape(title), head=head, body=body, origin=origin)


def link(inner: str, url: str) -> str:
    """Make a link that opens in a window of its own.

    Parameters
    ----------
    inner : str
        HTML: what is read or seen.
    url : str
        Where it leads; "" for nowhere.

    Returns
    -------
    str
        HTML: what was given alone where there is no address.
    """
    if not url:
        return inner
    return f'<a href="{html.escape(url)}" target="_blank" rel="noopener noreferrer">{inner}</a>'
