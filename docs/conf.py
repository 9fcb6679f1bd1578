"""Configuration of the documentation, on top of what sphinx-astropy sets."""

import os
import tomllib
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from sphinx_astropy.conf.v3 import *

_PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
_GITHUB = "astro-paperclip/astro_paperclip"

# -- Project -----------------------------------------------------------------------------------

project = _PROJECT["name"]
author = _PROJECT["authors"][0]["name"]
copyright = f"{datetime.now(tz=UTC).year}, {author}"
release = metadata.version(project)
version = ".".join(release.split(".")[:2])

# -- General -----------------------------------------------------------------------------------

needs_sphinx = "8.2"  # keep in step with pyproject.toml
highlight_language = "python3"
extensions += ["sphinx_design", "myst_nb"]
# Tutorials are kept without outputs, and run when the pages are built.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 600
nb_execution_in_temp = True
exclude_patterns += ["_build"]
rst_epilog = ""
plot_pre_code = ""

# Signatures name types as they stand in the source, which says less than the parameters do.
autodoc_typehints = "none"
numpydoc_xref_ignore |= {"callable", "collections", "iterable", "iterator", "file"}

# -- References ----------------------------------------------------------------------------------

nitpicky = True
# The docstrings that pydantic gives to every one of its models.
nitpick_ignore = [("py:obj", name) for name in ("ConfigDict", "ValidationError", "self")]
intersphinx_mapping = {
    name: intersphinx_mapping[name] for name in ("python", "numpy", "astropy", "matplotlib")
} | {
    "PIL": ("https://pillow.readthedocs.io/en/stable/", None),
    "astroquery": ("https://astroquery.readthedocs.io/en/latest/", None),
    "mocpy": ("https://cds-astro.github.io/mocpy/", None),
    "pydantic": ("https://docs.pydantic.dev/latest/", None),
    "pyarrow": ("https://arrow.apache.org/docs/", None),
    "pyvo": ("https://pyvo.readthedocs.io/en/latest/", None),
    "regions": ("https://astropy-regions.readthedocs.io/en/stable/", None),
    "torch": ("https://docs.pytorch.org/docs/stable/", None),
    "urllib3": ("https://urllib3.readthedocs.io/en/stable/", None),
}
if os.environ.get("PAPERCLIP_DOCS_OFFLINE") == "1":
    # Without a network, references into other projects cannot be checked.
    _standard_library = ["abc", "collections", "datetime", "os", "pathlib"]
    _others = "|".join([*intersphinx_mapping, *_standard_library])
    nitpick_ignore_regex = [(r"py:.*", rf"({_others})\..*")]
    intersphinx_mapping = {}

linkcheck_retry = 3
linkcheck_timeout = 60
linkcheck_ignore = [rf"https://github\.com/{_GITHUB}/(issues|pull)/\d+"]

# -- HTML ----------------------------------------------------------------------------------------

html_title = f"{project} {release}"
html_static_path = ["_static"]
html_baseurl = os.environ.get("READTHEDOCS_CANONICAL_URL", "")
html_theme_options = {
    "icon_links": [
        {
            "name": "GitHub",
            "url": f"https://github.com/{_GITHUB}",
            "icon": "fa-brands fa-github",
        }
    ],
}
html_context = {
    "github_user": _GITHUB.partition("/")[0],
    "github_repo": _GITHUB.partition("/")[2],
    "github_version": "main",
    "doc_path": "docs",
}
