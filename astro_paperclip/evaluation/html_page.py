"""The parts that an HTML report is put together from; every text in them is escaped."""

import base64
import html
import io
from collections.abc import Iterable, Sequence

from astro_paperclip.exceptions import ImageError
from astro_paperclip.images import letterbox, read_image

__all__ = ["cards", "figure", "heading", "page", "paragraph", "picture_tiles", "table"]

_THUMBNAIL = 208  # pixels of a side
_JPEG_QUALITY = 82
_LONGEST_CAPTION = 160

_HEAD = """\
<style>
:root { --ink: #1d2330; --soft: #5d6678; --line: #dfe3ea; --pale: #f5f7fa; --blue: #0072b2; }
* { box-sizing: border-box; }
body { margin: 0; background: #fff; color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 68rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.8rem; line-height: 1.25; margin: 0 0 .4rem; overflow-wrap: anywhere; }
h2 { font-size: 1.3rem; margin: 2.8rem 0 .6rem; padding-top: .8rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1.02rem; margin: 1.6rem 0 .4rem; }
p { max-width: 46rem; margin: .5rem 0; overflow-wrap: anywhere; }
p.soft { color: var(--soft); }
p.warning { border-left: .25rem solid #d55e00; padding-left: .8rem; }
.wide { overflow-x: auto; margin: .8rem 0; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: right;
  white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; white-space: normal;
  overflow-wrap: anywhere; min-width: 11rem; }
thead th { color: var(--soft); font-weight: 600; vertical-align: bottom; white-space: normal; }
tbody th { font-weight: 400; }
tr.strong th, tr.strong td { font-weight: 600; }
tr.soft th, tr.soft td { color: var(--soft); }
.words th, .words td { text-align: left; white-space: normal; overflow-wrap: anywhere;
  vertical-align: top; }
figure { margin: 1.2rem 0; }
figure img { display: block; max-width: 100%; height: auto; }
figcaption { color: var(--soft); font-size: .88rem; max-width: 46rem; margin-top: .4rem; }
.cards { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1.4rem 0; }
.card { background: var(--pale); border-radius: .5rem; padding: .8rem 1rem; flex: 1 1 12rem; }
.card b { display: block; font-size: 1.6rem; color: var(--blue); }
.card span { display: block; font-size: .86rem; color: var(--soft); }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.2rem, 1fr));
  gap: .8rem; list-style: none; margin: .6rem 0; padding: 0; }
.tiles li { font-size: .78rem; line-height: 1.35; overflow-wrap: anywhere; }
.tiles img, .tiles .gone { display: block; width: 100%; aspect-ratio: 1;
  border-radius: .3rem; margin-bottom: .3rem; }
.tiles .gone { background: var(--pale); color: var(--soft); padding: 1rem; }
.tiles b { margin-right: .4rem; }
@page { size: A4; margin: 15mm; }
@media print { html { font-size: 11px; } main { max-width: none; padding: 0; }
  h2, h3 { break-after: avoid; }
  figure, .tiles li, tr { break-inside: avoid; } }
</style>
"""


def page(title: str, parts: Iterable[str]) -> str:
    """Put a page together.

    Parameters
    ----------
    title : str
        Of the window.
    parts : iterable of str
        HTML, as the other functions make it.

    Returns
    -------
    str
        A whole HTML document that refers to nothing outside.
    """
    from astro_paperclip.notebook.html_view import document

    return document(title, _HEAD, "\n".join(parts))


def heading(text: str, level: int = 2) -> str:
    """Make a heading.

    Parameters
    ----------
    text : str
        What it says.
    level : int
        From 1, that of the page.

    Returns
    -------
    str
        HTML.
    """
    return f"<h{level}>{_escaped(text)}</h{level}>"


def paragraph(text: str, kind: str = "") -> str:
    """Make a paragraph.

    Parameters
    ----------
    text : str
        What it says.
    kind : {"", "soft", "warning"}
        How it looks.

    Returns
    -------
    str
        HTML.
    """
    return f'<p class="{kind}">{_escaped(text)}</p>' if kind else f"<p>{_escaped(text)}</p>"


def cards(items: Sequence[tuple[str, str]]) -> str:
    """Make a row of the figures to look at first.

    Parameters
    ----------
    items : sequence of tuple of str
        Figures, and what they are.

    Returns
    -------
    str
        HTML.
    """
    inner = "".join(
        f'<div class="card"><b>{_escaped(value)}</b><span>{_escaped(what)}</span></div>'
        for value, what in items
    )
    return f'<div class="cards">{inner}</div>'.replace(" %", "&nbsp;%")


def table(
    header: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]], *, words: bool = False
) -> str:
    """Make a table.

    Parameters
    ----------
    header : sequence of str
        Names of the columns.
    rows : iterable of tuple
        Of each row its kind ("", "strong" or "soft") and its cells, the first a label.
    words : bool, optional
        Whether cells hold words, which begin at the left and may have several lines.

    Returns
    -------
    str
        HTML.
    """
    head = "".join(f'<th scope="col">{_escaped(name)}</th>' for name in header)
    body = []
    for kind, (label, *cells) in rows:
        attribute = f' class="{kind}"' if kind else ""
        values = "".join(f"<td>{_escaped(cell)}</td>" for cell in cells)
        body.append(f'<tr{attribute}><th scope="row">{_escaped(label)}</th>{values}</tr>')
    opening = '<table class="words">' if words else "<table>"
    return (
        f'<div class="wide">{opening}<thead><tr>{head}</tr></thead>\n'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def figure(png: bytes, width: float, alternative: str, caption: str) -> str:
    """Embed a figure.

    Parameters
    ----------
    png : bytes
        What to show, as PNG.
    width : float
        How wide to show it [inch].
    alternative : str
        What it shows, for those who do not see it.
    caption : str
        What to write below.

    Returns
    -------
    str
        HTML.
    """
    pixels = round(96 * width)  # CSS has 96 pixels an inch
    return (
        f'<figure><img src="{_data_uri("png", png)}" width="{pixels}" '
        f'alt="{_escaped(alternative)}"><figcaption>{_escaped(caption)}</figcaption></figure>'
    )


def picture_tiles(answers: Sequence[dict]) -> str:
    """Show pictures, small, with scores and captions.

    Parameters
    ----------
    answers : sequence of dict
        With ``image`` (path), ``caption``, ``group_id`` and ``score``.

    Returns
    -------
    str
        HTML, some 8 kB a picture.
    """
    return f'<ul class="tiles">{"".join(map(_tile, answers))}</ul>'


def _tile(answer: dict) -> str:
    caption = _escaped(_shortened(str(answer["caption"])))
    group = _escaped(_shortened(str(answer["group_id"])))
    text = f"<b>{answer['score']:.3f}</b>{caption} <i>({group})</i>"
    try:
        picture = letterbox(read_image(str(answer["image"]), at_least=_THUMBNAIL), _THUMBNAIL)
    except ImageError:
        return f'<li><span class="gone">The picture cannot be read.</span>{text}</li>'
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=_JPEG_QUALITY)
    # The caption stands beside the picture, and need not be read out twice.
    return f'<li><img src="{_data_uri("jpeg", stream.getvalue())}" alt="">{text}</li>'


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_CAPTION else f"{text[: _LONGEST_CAPTION - 1]}…"


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _escaped(text: str) -> str:
    return html.escape(str(text))
