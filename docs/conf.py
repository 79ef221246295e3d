"""Settings of the documentation; ``ASTROCLUMPS_DOCS_OFFLINE=1`` builds it on a machine without network."""

import os
import sys
from importlib.metadata import version as _version
from pathlib import Path

from sphinx_astropy.conf.v2 import *  # noqa: F403
from sphinx_astropy.conf.v2 import exclude_patterns, extensions, intersphinx_mapping

sys.path.insert(0, os.path.dirname(__file__))  # gallery_pictures, printed
import printed

printed.write()

project = "astroclumps"
author = "The astroclumps developers"
copyright = author
release = _version(project)
version = release.partition(".dev")[0]

# neither links to an issue tracker nor a file of settings are written
extensions = [name for name in extensions if name not in ("sphinx_astropy.ext.changelog_links", "sphinx_astropy.ext.generate_config")]
extensions += ["sphinx_gallery.gen_gallery"]
exclude_patterns += ["api/_*", "*.py", "examples/*", "example_plugin/*", "gallery/*.py", "gallery/*.ipynb", "generated/*"]
html_title = f"{project} {release}"
html_theme_options = {"show_prev_next": False, "navigation_with_keys": False}
html_context = {"to_be_indexed": []}
# only the reference and the gallery have pages below them
html_sidebars = {path.stem: [] for path in Path(__file__).parent.glob("*.rst") if path.stem != "api"}

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "filename_pattern": "/plot_",
    "ignore_pattern": r"(^|/)tiny\.py",
    "within_subsection_order": "gallery_pictures.sort_key",
    "image_scrapers": ("gallery_pictures.take_picture",),
    "show_memory": False,
    "download_all_examples": False,
    "min_reported_time": 1e9,
}

for name in ("astropy.org", "pythonloc"):
    intersphinx_mapping.pop(name, None)
intersphinx_mapping["regions"] = ("https://astropy-regions.readthedocs.io/en/stable/", None)
intersphinx_mapping["specutils"] = ("https://specutils.readthedocs.io/en/stable/", None)

# a link to a name of ours must lead somewhere; those of other packages are theirs
nitpicky = True
nitpick_ignore_regex = [(r"py:.*", r"(?!astroclumps\.).*")]
if os.environ.get("ASTROCLUMPS_DOCS_OFFLINE", "") not in ("", "0"):
    intersphinx_mapping.clear()


def _public_name(app, env, node, contnode):
    """Lead a link to ``astroclumps.Name`` to the module that documents the name."""
    from astroclumps import _LAZY

    package, _, rest = node.get("reftarget", "").partition(".")
    name, dot, member = rest.partition(".")
    if package != "astroclumps" or name not in _LAZY:
        return None
    target = f"astroclumps.{_LAZY[name]}.{name}{dot}{member}"
    return env.get_domain("py").resolve_xref(env, node["refdoc"], app.builder, "obj", target, node, contnode)


def setup(app):
    app.connect("missing-reference", _public_name)
