"""Settings of the documentation; ``ASTROCLUMPS_DOCS_OFFLINE=1`` builds it on a machine without network."""

import os
from importlib.metadata import version as _version

from sphinx_astropy.conf.v2 import *  # noqa: F403
from sphinx_astropy.conf.v2 import exclude_patterns, extensions, intersphinx_mapping

project = "astroclumps"
author = "The astroclumps developers"
copyright = author
release = _version(project)
version = release.partition(".dev")[0]

# neither links to an issue tracker nor a file of settings are written
extensions = [name for name in extensions if name not in ("sphinx_astropy.ext.changelog_links", "sphinx_astropy.ext.generate_config")]
exclude_patterns += ["api/_*", "*.py"]
html_title = f"{project} {release}"
html_theme_options = {"show_prev_next": False, "navigation_with_keys": False}
html_context = {"to_be_indexed": []}
html_sidebars = {"install": [], "weights": [], "plugins": [], "architecture": [], "changes": []}

for name in ("astropy.org", "pythonloc"):
    intersphinx_mapping.pop(name, None)
intersphinx_mapping["regions"] = ("https://astropy-regions.readthedocs.io/en/stable/", None)
intersphinx_mapping["specutils"] = ("https://specutils.readthedocs.io/en/stable/", None)

nitpicky = True
nitpick_ignore_regex = [
    # words of numpydoc's types that are not objects
    (r"py:(class|obj)", r"(optional|array|array_like|path-like|callable|scalar|sequence|mapping|default.*|shape.*|\{.*|\d.*|'.*)"),
    (r"py:.*", r"torch\..*"),
]
if os.environ.get("ASTROCLUMPS_DOCS_OFFLINE", "") not in ("", "0"):
    intersphinx_mapping.clear()
    nitpicky = False
