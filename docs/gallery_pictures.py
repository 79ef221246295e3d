"""Pictures of the gallery (the file that the variable ``picture`` of an example names), and the order of its examples."""

import shutil
from pathlib import Path

from sphinx_gallery.scrapers import figure_rst

__all__ = ["sort_key", "take_picture"]

# what a user does first comes first; what is not named here stands at the end, by name
_ORDER = (
    "own_images",
    "mosaics",
    "survey",
    "simulation",
    "training",
    "sed",
    "sed_backends",
    "jwst",
    "injection",
    "sizes",
    "galaxy_table",
    "mass_correction",
    "mass_function",
    "shares",
    "radii",
    "hosts",
    "ages",
    "lensing",
    "survival",
    "detectors",
    "purity",
    "completeness",
    "squares",
    "clumps_per_square",
    "true_detection",
    "failures",
    "classifier",
    "p_long",
    "band_use",
)


def sort_key(filename):
    """Place of an example in the gallery."""
    name = Path(filename).stem.removeprefix("plot_")
    return (_ORDER.index(name) if name in _ORDER else len(_ORDER), name)


def take_picture(block, block_vars, gallery_conf):
    """Copy the picture of an example to where the gallery wants it."""
    picture = block_vars["example_globals"].pop("picture", None)
    if picture is None:
        return ""
    target = next(block_vars["image_path_iterator"])
    shutil.copyfile(picture, target)
    return figure_rst([target], gallery_conf["src_dir"])
