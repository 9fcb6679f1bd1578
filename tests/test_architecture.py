"""The rules of the house, stated once and checked on the source of every module.

A room is a module or a sub-package at the top of ``astro_paperclip``. `ROOMS` says which
rooms each may import; `OWNERS` says which rooms may import a heavy library. See
``docs/development/architecture.rst``.
"""

import ast
from graphlib import TopologicalSorter
from importlib.util import find_spec
from pathlib import Path
from textwrap import dedent

import pytest

PACKAGE = "astro_paperclip"
LONGEST_MODULE = 400

EVERYWHERE = {"cache", "config", "exceptions", "files", "logger"}
"""Rooms that every other room may import."""

ROOMS = {
    "cli": {"building", "core", "demo", "encoders", "evaluation", "index", "language", "notebook"}
    | {"pairs.summarize", "simulation", "training", "vocabulary"},
    "demo": {"building", "core", "encoders", "evaluation", "notebook", "results", "simulation"}
    | {"training"},
    "building": {
        "archive",
        "calibration.bank",
        "collection",
        "columns",
        "encoders",
        "images",
        "index",
        "pairs",
        "training",
    },
    "archive": {"columns", "criteria", "images", "sky"},
    "core": {"archive", "calibration", "collection", "columns", "criteria", "encoders"}
    | {"evaluation.descriptions", "expressions", "index", "language", "results", "searching"}
    | {"sky", "vocabulary"},
    "searching": {"calibration", "collection", "columns", "criteria", "evaluation.descriptions"}
    | {"expressions", "index", "vocabulary"},
    "calibration": {"index", "vocabulary"},
    "expressions": {"archive.obsids", "images"},
    "evaluation": {"encoders", "images", "language", "notebook.html_view", "notebook.tiles"}
    | {"pairs", "vocabulary"},
    "training": {"captions", "encoders", "evaluation.in_batch", "images", "pairs"},
    "encoders": {"captions", "images"},
    "pairs": {"columns", "images", "language", "vocabulary"},
    "index": {"collection", "columns", "criteria", "sky"},
    "simulation": {"columns", "images.footprint"},
    "results": {"archive", "columns", "notebook", "sky", "vo"},
    "vo": {"archive.mast", "columns", "sky"},
    "notebook": {"archive.links", "archive.mast", "columns", "images", "sky"},
    "captions": set(),
    "collection": set(),
    "columns": set(),
    "criteria": {"columns", "sky"},
    "images": set(),
    "sky": set(),
    "language": set(),
    "vocabulary": set(),
    "cache": {"config"},
    "config": set(),
    "exceptions": set(),
    "files": set(),
    "logger": set(),
    "__init__": set(),
}
"""What each room may import besides `EVERYWHERE`."""

OWNERS = {
    "torch": {"encoders", "language", "training"},
    "torchvision": {"encoders", "training"},
    "open_clip": {"encoders", "training"},
    "timm": {"encoders", "training"},
    "transformers": {"encoders", "language", "training"},
    "qdrant_client": {"index"},
    "qdrant_edge": {"index"},
    "astroquery.mast": {"archive"},
    "pyvo": {"archive.observations.tap", "vo"},
    "mocpy": {"sky.export"},
    "matplotlib": {"evaluation.figures", "notebook"},
    "ipyaladin": {"notebook"},
    "photutils": {"simulation"},
    "sklearn": {"evaluation"},
    "openai": {"language"},
    "outlines": {"language"},
    "pydantic": {"evaluation.language_judge", "index", "language", "pairs.summarize"},
}
"""Rooms, or modules of rooms, that may import a library."""

WITHOUT_ALL = {"version"}
"""Modules that are written by a tool."""


def is_within(name, parents):
    """Say whether a dotted name is one of the parents, or lies below one."""
    return any(name == parent or name.startswith(f"{parent}.") for parent in parents)


class Module:
    """A module of the package: its name below the package, its source and its imports."""

    def __init__(self, root, path):
        parts = path.relative_to(root).with_suffix("").parts
        self.is_package = parts[-1] == "__init__"
        self.name = ".".join(parts[:-1] if self.is_package and len(parts) > 1 else parts)
        self.room = self.name.partition(".")[0]
        self.source = path.read_text(encoding="utf-8")
        self.tree = ast.parse(self.source)
        self._siblings = {
            ".".join(p.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
            for p in root.rglob("*.py")
        }

    def imports(self):
        """Yield the line and the absolute dotted name of whatever is imported, anywhere."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = self._absolute(node)
                yield from ((node.lineno, self._target(base, alias.name)) for alias in node.names)
            elif isinstance(node, ast.Call):
                yield from self._dynamic_import(node)

    def rooms_imported(self):
        """Yield the line and the name below the package of each module that is imported."""
        for line, target in self.imports():
            if target == PACKAGE:
                yield line, "__init__"
            elif target.startswith(f"{PACKAGE}."):
                yield line, target.removeprefix(f"{PACKAGE}.")

    def _absolute(self, node):
        if not node.level:
            return node.module
        parts = [PACKAGE] if self.name == "__init__" else [PACKAGE, *self.name.split(".")]
        parts = parts[: len(parts) - node.level + self.is_package]
        return ".".join([*parts, node.module] if node.module else parts)

    def _target(self, base, name):
        """Return the module that ``from base import name`` binds, not the name within it."""
        if base != PACKAGE and not base.startswith(f"{PACKAGE}."):
            return f"{base}.{name}"
        below = f"{base}.{name}".removeprefix(f"{PACKAGE}.")
        return f"{PACKAGE}.{below}" if below in self._siblings else base

    @staticmethod
    def _dynamic_import(node):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func
        called = called.id if isinstance(called, ast.Name) else called
        if called in ("import_module", "__import__") and node.args:
            name = node.args[0]
            if isinstance(name, ast.Constant) and not name.value.startswith("."):
                yield node.lineno, name.value


def modules(root):
    """Return every module below a package's folder."""
    return [Module(root, path) for path in sorted(root.rglob("*.py"))]


def wrong_rooms(module):
    """Yield imports of a room that the module's own room may not import."""
    allowed = ROOMS.get(module.room, set()) | EVERYWHERE
    for line, target in module.rooms_imported():
        if target.partition(".")[0] != module.room and not is_within(target, allowed):
            yield f"{module.name}:{line} imports {target}"


def wrong_libraries(module):
    """Yield imports of a library by a room that does not own it."""
    for line, target in module.imports():
        for library, owners in OWNERS.items():
            if is_within(target, {library}) and not is_within(module.name, owners):
                yield f"{module.name}:{line} imports {target}"


def prints(module):
    """Yield calls of ``print`` outside the command line."""
    if module.room == "cli":
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "print":
            yield f"{module.name}:{node.lineno} prints"


def too_long(module):
    """Yield the length of a module that is too long to read in one go."""
    length = len(module.source.splitlines())
    if length > LONGEST_MODULE:
        yield f"{module.name} has {length} lines"


def without_all(module):
    """Yield a public module that does not say which of its names are public."""
    private = any(part.startswith("_") and part != "__init__" for part in module.name.split("."))
    names = {
        target.id
        for node in module.tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    has_code = any(not isinstance(node, ast.Expr) for node in module.tree.body)
    if has_code and not private and module.name not in WITHOUT_ALL and "__all__" not in names:
        yield f"{module.name} has no __all__"


CHECKS = [wrong_rooms, wrong_libraries, prints, too_long, without_all]


@pytest.fixture(scope="module")
def house():
    """Return the modules of the installed package."""
    (root,) = find_spec(PACKAGE).submodule_search_locations
    return modules(Path(root))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_house(house, check):
    assert [fault for module in house for fault in check(module)] == []


def test_every_room_is_in_the_table(house):
    assert {module.room for module in house} - WITHOUT_ALL <= set(ROOMS)


def test_no_arrow_runs_back_up():
    arrows = {
        room: {target.partition(".")[0] for target in targets} for room, targets in ROOMS.items()
    }
    order = list(TopologicalSorter(arrows).static_order())
    assert order.index("cli") > order.index("core") > order.index("index") > order.index("criteria")
    assert order.index("criteria") > order.index("sky")


def test_only_the_top_imports_core():
    assert {room for room, targets in ROOMS.items() if "core" in targets} == {"cli", "demo"}


@pytest.fixture
def build(tmp_path):
    """Return a function that makes a module in an otherwise fitting tree, and reads it."""

    def build(name, source):
        for other in ("__init__", "core", "exceptions", "index/__init__", "index/store"):
            path = tmp_path / f"{other}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text("")
        path = tmp_path / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(source))
        return Module(tmp_path, path)

    return build


@pytest.mark.parametrize(
    ("statement", "target"),
    [
        ("import astro_paperclip.core", "core"),
        ("from astro_paperclip.core import PaperclipMast", "core"),
        ("from astro_paperclip import core", "core"),
        ("from astro_paperclip import PaperclipMast", "__init__"),
        ("from ..core import PaperclipMast", "core"),
        ("from .. import core", "core"),
        ("def f():\n    from ..core import PaperclipMast", "core"),
        ("import importlib\nimportlib.import_module('astro_paperclip.core')", "core"),
        ("from importlib import import_module\nimport_module('astro_paperclip.core')", "core"),
    ],
)
@pytest.mark.parametrize("importer", ["pairs/table", "pairs/__init__"])
def test_an_arrow_that_runs_up_is_found(build, importer, statement, target):
    found = list(wrong_rooms(build(importer, statement)))
    assert len(found) == 1
    assert found[0].endswith(f"imports {target}")


@pytest.mark.parametrize(
    "statement",
    [
        "from . import store",
        "from .store import Store",
        "from ..exceptions import CollectionError",
        "from astro_paperclip.index.store import Store",
        "import astropy.table",
    ],
)
def test_fitting_imports_pass(build, statement):
    assert list(wrong_rooms(build("index/embedded", statement))) == []


def test_one_module_of_a_room_may_be_allowed(build):
    build("images/footprint", "")
    whole = build("simulation/camera", "from astro_paperclip.images import read_image")
    part = build("simulation/camera", "from astro_paperclip.images.footprint import outside")
    assert list(wrong_rooms(whole)) == ["simulation.camera:1 imports images"]
    assert list(wrong_rooms(part)) == []


@pytest.mark.parametrize(
    ("name", "source", "is_wrong"),
    [
        ("core", "def f():\n    import torch.nn", True),
        ("core", "from torch import nn", True),
        ("training/loss", "import torch", False),
        ("pairs/table", "from astroquery.mast import Observations", True),
        ("pairs/table", "from astroquery import mast", True),
        ("pairs/table", "from astroquery.exceptions import NoResultsWarning", False),
        ("archive/observations/tap", "import pyvo", False),
        ("archive/products", "import pyvo", True),
        ("vo/dal", "from pyvo.dal import SIA2Results", False),
        ("results/table", "from mocpy import MOC", True),
        ("evaluation/ranks", "import matplotlib.pyplot as plt", True),
        ("index/store", "import torchmetrics", False),
    ],
)
def test_a_library_in_the_wrong_room_is_found(build, name, source, is_wrong):
    assert bool(list(wrong_libraries(build(name, source)))) == is_wrong


def test_prints_are_found(build):
    assert list(prints(build("core", "def f():\n    print(1)"))) == ["core:2 prints"]
    assert list(prints(build("cli/query", "print(1)"))) == []


def test_long_modules_are_found(build):
    assert list(too_long(build("core", "x = 1\n" * 401))) == ["core has 401 lines"]
    assert list(too_long(build("core", "x = 1\n" * 400))) == []


def test_modules_without_all_are_found(build):
    assert list(without_all(build("core", "x = 1"))) == ["core has no __all__"]
    assert list(without_all(build("core", '__all__ = ["x"]\nx = 1'))) == []
    assert list(without_all(build("index/_locks", "x = 1"))) == []
    assert list(without_all(build("index/__init__", '"""A room."""'))) == []
