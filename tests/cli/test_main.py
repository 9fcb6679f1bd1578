import re
import subprocess
import sys
import warnings
from types import ModuleType

import pytest

from astro_paperclip.cli.main import build_parser, main
from astro_paperclip.exceptions import (
    CollectionError,
    ImageError,
    NoResultsWarning,
    PairsError,
    SkippedImageWarning,
)

VERBS = [
    "demo",
    "simulate",
    "build",
    "summarize",
    "train",
    "evaluate",
    "describe",
    "index",
    "index create",
    "index join",
    "index copy",
    "index finish",
    "index check",
    "index upgrade",
    "query",
    "info",
]


@pytest.fixture
def info(monkeypatch):
    """Return a function that puts another one in the place of what ``info`` calls."""

    def replace(describe_collection):
        room = ModuleType("astro_paperclip.building")
        room.describe_collection = describe_collection
        monkeypatch.setitem(sys.modules, room.__name__, room)

    return replace


def raising(error):
    def describe_collection(path):
        raise error

    return describe_collection


def python(code, **kwargs):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, **kwargs
    )


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb_describes_it_with_an_example(verb, capsys):
    with pytest.raises(SystemExit) as end:
        main([*verb.split(), "--help"])
    assert end.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: astro-paperclip {verb}")
    assert f"examples:\n  astro-paperclip {verb}" in shown
    assert max(map(len, shown.splitlines())) <= 100


def test_help_lists_all_verbs(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    listed = capsys.readouterr().out.partition("verbs:")[2]
    assert re.findall(r"^    (\w+(?: \w+)?)(?=  |$)", listed, re.MULTILINE) == VERBS


def test_version(capsys):
    from astro_paperclip import __version__

    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    name, version = capsys.readouterr().out.split()
    assert name == "astro-paperclip"
    assert version.split("+")[0] == __version__.split("+")[0]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["search"],
        ["info"],
        ["index", "here", "--encoder", "compact"],
        ["index", "here", "--pairs", "a.csv"],
        ["index", "here", "--pairs", "a.csv", "--encoder", "x", "--batch-size", "0"],
        ["index", "here", "--pairs", "a.csv", "--encoder", "x", "--views", "all"],
        ["index", "create", "http://a/b"],
        ["index", "create", "http://a/b", "--dimension", "0"],
        ["index", "create", "http://a/b", "--dimension", "4", "--encoder", "x"],
        ["query", "here", "a", "galaxy"],
        ["query", "here", "galaxy", "--limit", "0"],
        ["query", "here", "galaxy", "--limit", "many"],
        ["query", "here", "galaxy", "--output", "table.docx"],
        ["query", "here", "galaxy", "--out", "table.ecsv"],
        ["query", "here"],
        ["query", "here", "galaxy", "--image", "a.jpg"],
        ["describe", "--encoder", "x"],
        ["describe", "a.jpg"],
        ["describe", "a.jpg", "--encoder", "x", "-n", "0"],
        ["describe", "a.jpg", "--encoder", "x", "--output", "table.docx"],
        ["simulate", "here", "--seed", "-1"],
        ["simulate", "here", "--proposals", "1.5"],
        ["train", "--pairs", "a.csv", "--encoder", "compact"],
        ["train", "--pairs", "a", "--encoder", "c", "--output", "o", "--method", "magic"],
        ["train", "--pairs", "a", "--encoder", "c", "--output", "o", "--validation-fraction", "1"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith("usage: astro-paperclip")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (CollectionError("nothing there"), "nothing there"),
        (PairsError("2 faults:\n  row 1\n  row 2"), "2 faults:\n  row 1\n  row 2"),
        (ImageError("Cannot read image 'x.jpg'"), "Cannot read image 'x.jpg'"),
        (FileNotFoundError(2, "No such file or directory", "x"), "No such file or directory: x"),
        (OSError("odd"), "odd"),
        (
            ModuleNotFoundError("No module named 'torch'", name="torch"),
            (
                "torch is not installed: python -m pip install 'astro_paperclip[local]' "
                "installs all that this needs."
            ),
        ),
        (
            ModuleNotFoundError("No module named 'matplotlib'", name="matplotlib"),
            (
                "matplotlib is not installed: python -m pip install 'astro_paperclip[evaluation]' "
                "installs all that this needs."
            ),
        ),
    ],
)
def test_a_mistake_of_the_user_is_told_without_traceback(info, capsys, error, message):
    info(raising(error))
    assert main(["info", "here"]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == f"astro-paperclip: error: {message}\n"


def test_debug_shows_where_an_error_comes_from(info):
    info(raising(CollectionError("nothing there")))
    with pytest.raises(CollectionError):
        main(["info", "here", "--debug"])


@pytest.mark.parametrize(
    "error", [ValueError("a bug"), ModuleNotFoundError("gone", name="astro_paperclip.rooms")]
)
def test_a_mistake_of_ours_keeps_its_traceback(info, error):
    info(raising(error))
    with pytest.raises(type(error)):
        main(["info", "here"])


def test_interrupt_says_how_to_go_on(monkeypatch, capsys):
    room = ModuleType("astro_paperclip.building")
    room.index_pairs = lambda *args, **kwargs: raising(KeyboardInterrupt())(None)
    monkeypatch.setitem(sys.modules, room.__name__, room)
    assert main(["index", "here", "--pairs", "a.csv", "--encoder", "compact"]) == 130
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        "astro-paperclip: interrupted. "
        "What was indexed is kept: the same command goes on from there."
    )


def test_warnings_are_lines_for_the_user(info, capsys):
    def describe_collection(path):
        warnings.warn("one\nimage is broken", SkippedImageWarning, stacklevel=2)
        warnings.warn("nothing found", NoResultsWarning, stacklevel=2)
        warnings.warn("of no interest here", DeprecationWarning, stacklevel=2)
        return {"points": 3}

    shown_before = warnings.showwarning
    info(describe_collection)
    assert main(["info", "here"]) == 0
    assert warnings.showwarning is shown_before
    assert capsys.readouterr().err.splitlines() == [
        "astro-paperclip: warning: one image is broken",
        "astro-paperclip: warning: nothing found",
    ]


def test_parser_gives_a_function_for_every_verb():
    args = build_parser().parse_args(["info", "here"])
    assert args.run.__module__ == "astro_paperclip.cli.info"


def test_process_of_a_failure():
    done = python(
        "import sys; from astro_paperclip.cli.main import main; "
        "sys.exit(main(['query', '/no/such/collection', 'galaxy']))"
    )
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("astro-paperclip: error: ")
    assert "/no/such/collection" in line


@pytest.mark.parametrize("arguments", [["--help"], ["query", "--help"], ["query"], ["--version"]])
def test_help_and_usage_errors_load_no_library(arguments):
    done = python(
        "import sys\n"
        "from astro_paperclip.cli.main import main\n"
        f"try: main({arguments!r})\n"
        "except SystemExit: pass\n"
        "print({'numpy', 'astropy', 'torch', 'PIL'} & set(sys.modules), file=sys.stderr)"
    )
    assert done.stderr.splitlines()[-1] == "set()"


def test_reader_that_goes_away_is_no_failure_to_report():
    code = (
        "import sys, types\n"
        "room = types.ModuleType('astro_paperclip.building')\n"
        "facts = {f'fact {i}': 'x' * 80 for i in range(20_000)}\n"
        "room.describe_collection = lambda path: {'points': 1, **facts}\n"
        "sys.modules[room.__name__] = room\n"
        "from astro_paperclip.cli.main import main\n"
        "sys.exit(main(['info', 'here']))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"1 points\n"
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 141
