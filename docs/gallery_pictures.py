"""Pictures of the gallery: the file that the variable ``picture`` of an example names."""

import shutil

from sphinx_gallery.scrapers import figure_rst

__all__ = ["take_picture"]


def take_picture(block, block_vars, gallery_conf):
    """Copy the picture of an example to where the gallery wants it."""
    picture = block_vars["example_globals"].pop("picture", None)
    if picture is None:
        return ""
    target = next(block_vars["image_path_iterator"])
    shutil.copyfile(picture, target)
    return figure_rst([target], gallery_conf["src_dir"])
