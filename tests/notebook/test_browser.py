"""Pages in a real browser: whether what is embedded can be seen."""

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=f"needs a browser: {', '.join(NAMES)}")

# The page itself forbids scripts, so that a copy of its body is measured.
MEASURE = """
<script>
window.addEventListener("load", () => {
  const seen = [...document.images].map((image) => ({
    natural: [image.naturalWidth, image.naturalHeight],
    shown: [image.getBoundingClientRect().width, image.getBoundingClientRect().height],
  }));
  const colours = [...document.querySelectorAll(".paperclip td, .paperclip li div")].map(
    (cell) => getComputedStyle(cell).color);
  const facts = {images: seen, colours: [...new Set(colours)], title: document.title,
    wide: document.documentElement.scrollWidth > window.innerWidth,
    background: getComputedStyle(document.body).backgroundColor};
  const place = document.createElement("pre");
  place.id = "facts";
  place.textContent = JSON.stringify(facts);
  document.body.append(place);
});
</script>
"""


def rendered(view, folder, style=""):
    """Return what the browser makes of a view, in a notebook of some style."""
    path = Path(folder) / "measured.html"
    page = f"<!DOCTYPE html><meta charset=utf-8><style>{style}</style>{view.html}{MEASURE}"
    path.write_text(page, encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    options += [f"--user-data-dir={folder}/profile", "--window-size=1000,800", "--dump-dom"]
    done = subprocess.run(
        [CHROMIUM, *options, path.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    found = re.search(r'<pre id="facts">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stderr[-2000:]
    return json.loads(unescape(found[1]))


@pytest.mark.parametrize("kind", ["show_table", "show_grid"])
def test_pictures_are_seen_in_their_size(make_result, tmp_path, kind):
    view = getattr(make_result(4, size=(300, 200)), kind)(side=90)
    facts = rendered(view, tmp_path)
    assert [image["natural"] for image in facts["images"]] == [[90, 60]] * 4
    for image in facts["images"]:
        width, height = image["shown"]
        assert width >= 60
        assert height >= 60
    assert not facts["wide"]


@pytest.mark.parametrize("colour", ["rgb(240, 240, 240)", "rgb(20, 20, 20)"])
@pytest.mark.parametrize("kind", ["show_table", "show_grid"])
def test_words_have_the_colour_of_the_notebook(make_result, tmp_path, kind, colour):
    facts = rendered(getattr(make_result(1), kind)(), tmp_path, f"body {{ color: {colour} }}")
    assert facts["colours"] == [colour]


def test_hostile_texts_run_nothing(make_result, tmp_path):
    hostile = (
        "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"
    )
    facts = rendered(make_result(2, target_name=hostile, title=hostile).show_table(), tmp_path)
    assert facts["title"] == ""
    assert len(facts["images"]) == 2
