"""Files of the VELA-Sunrise release (MAST, ``hlsp_vela``): images, maps and catalogues read, images written in the same layout.

No file of the release was at hand; what is known of the layout comes from public code that writes and reads it.
"""

from .catalogs import clump_pixels, read_vela_catalog
from .maps import VelaMaps, read_vela_maps
from .names import VelaName, parse_name
from .reader import read_vela
from .view import VelaView, rotated_corner, rotated_pixel
from .writer import write_vela

__all__ = [
    "VelaMaps",
    "VelaName",
    "VelaView",
    "clump_pixels",
    "parse_name",
    "read_vela",
    "read_vela_catalog",
    "read_vela_maps",
    "rotated_corner",
    "rotated_pixel",
    "write_vela",
]
