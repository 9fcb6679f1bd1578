"""Importing the package is cheap: no heavy library, no network."""

import json
import subprocess
import sys

import pytest

HEAVY = (
    "IPython",
    "astroquery.mast",
    "ipyaladin",
    "matplotlib",
    "mocpy",
    "open_clip",
    "openai",
    "outlines",
    "photutils",
    "pydantic",
    "qdrant_client",
    "qdrant_edge",
    "regions",
    "scipy",
    "sklearn",
    "timm",
    "torch",
    "torchvision",
    "transformers",
)

PROBE = """
import json, socket, sys

def refuse(*args, **kwargs):
    raise AssertionError("the network was used")

socket.socket.connect = socket.socket.connect_ex = socket.socket.sendto = refuse
socket.getaddrinfo = refuse
sys.argv = ["astro-paperclip", *{arguments!r}]
try:
    exec({code!r})
except SystemExit as end:
    assert not end.code, end.code
print(json.dumps(sorted(sys.modules)))
"""


def run(code, *arguments):
    """Run code in a fresh interpreter that cannot reach a network; return what it wrote."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", PROBE.format(code=code, arguments=arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def heavy_imports(code, *arguments):
    """Return the heavy libraries that the code imports."""
    done = run(code, *arguments)
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    return sorted(loaded.intersection(HEAVY))


def test_package_imports_nothing_heavy():
    code = "import astro_paperclip; astro_paperclip.conf, astro_paperclip.__version__"
    assert heavy_imports(code) == []


def test_query_class_imports_nothing_heavy():
    assert heavy_imports("from astro_paperclip import PaperclipMast, PaperclipResult") == []


def test_expressions_import_nothing_heavy():
    code = 'from astro_paperclip import Like; Like.parse(\'"a" - 0.5 "b"\') + Like(similar_to=3)'
    assert heavy_imports(code) == []


def test_pairs_import_nothing_heavy():
    assert heavy_imports("import astro_paperclip.pairs") == []


def test_the_sky_imports_nothing_heavy_and_is_not_imported_by_others():
    assert heavy_imports("import astro_paperclip.sky") == []
    code = "import astro_paperclip; assert 'astro_paperclip.sky' not in sys.modules"
    assert heavy_imports(code) == []


def test_the_ways_out_of_a_result_are_imported_when_they_are_taken():
    rooms = {"pyvo", "astro_paperclip.archive", "astro_paperclip.notebook"}
    rooms |= {"astro_paperclip.sky", "astro_paperclip.vo"}
    made = "from astro_paperclip import PaperclipResult; PaperclipResult.from_hits([])"
    code = f"{made}; assert not {rooms!r} & sys.modules.keys()"
    assert heavy_imports(code) == []


@pytest.mark.parametrize("arguments", [["--help"], ["query", "--help"], ["train", "--help"]])
def test_help_imports_nothing_heavy(arguments):
    code = "from astro_paperclip.cli.main import main; sys.exit(main())"
    assert heavy_imports(code, *arguments) == []


def test_every_public_name_is_importable():
    code = "import astro_paperclip; [getattr(astro_paperclip, n) for n in astro_paperclip.__all__]"
    assert heavy_imports(code) == []


def test_probe_sees_a_heavy_import():
    assert heavy_imports("import astro_paperclip, astroquery.mast") == ["astroquery.mast"]


@pytest.mark.parametrize(
    "code",
    [
        "socket.create_connection(('127.0.0.1', 9))",
        "socket.socket().connect_ex(('127.0.0.1', 9))",
        "import urllib.request; urllib.request.urlopen('http://localhost:9')",
    ],
)
def test_probe_sees_a_connection(code):
    done = run(code)
    assert done.returncode != 0
    assert "the network was used" in done.stderr
