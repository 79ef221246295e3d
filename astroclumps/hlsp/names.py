"""Names of the files of the VELA-Sunrise release at MAST, taken apart and put together."""

import re
from dataclasses import dataclass
from pathlib import Path

from astroclumps.exceptions import ImageError

__all__ = ["PRODUCTS", "VelaName", "parse_name"]

PRODUCTS = ("sim", "aux", "cat", "auxcat", "tar", "candelized")
"""What a file can hold: an image in one band, maps of masses, a catalogue of the images or of the maps, an archive of images, or an
image as it was called before the release."""

_GALAXY, _CAMERA, _SCALE = r"(?P<galaxy>vela\d\d)", r"cam(?P<camera>\d\d)", r"a(?P<scale_factor>\d\.\d{3})"
_BAND = r"(?P<observatory>[a-z0-9]+)_(?P<instrument>[a-z0-9]+)"
_VERSION = r"(?P<version>v\d+(?:-\d+)?)"
_PATTERNS = {
    "aux": rf"hlsp_vela_none_none_{_GALAXY}-{_CAMERA}-{_SCALE}_aux_{_VERSION}_sim\.fits(?:\.gz)?",
    "sim": rf"hlsp_vela_{_BAND}_{_GALAXY}-{_CAMERA}-{_SCALE}_(?P<filter>[a-z0-9]+)_{_VERSION}_sim(?:-(?P<dust>mw|ns|smc))?\.fits(?:\.gz)?",
    "auxcat": rf"hlsp_vela_multi_multi_{_GALAXY}_multi_{_VERSION}_auxcat\.txt",
    "cat": rf"hlsp_vela_multi_multi_{_GALAXY}_multi_{_VERSION}_cat\.txt",
    "tar": rf"hlsp_vela_{_BAND}_{_GALAXY}_(?P<filter>[a-z0-9]+)_{_VERSION}_sim\.tar(?:\.gz)?",
    "candelized": rf"{_GALAXY}_{_SCALE}_sunrise_{_CAMERA}_(?P<instrument>[a-z0-9]+)-(?P<filter>[a-z0-9]+)_SB\d\d(?:-pred)?\.fits(?:\.gz)?",
}
_PATTERNS = {product: re.compile(pattern, re.IGNORECASE) for product, pattern in _PATTERNS.items()}
_NEEDED = {
    "sim": ("observatory", "instrument", "camera", "scale_factor", "filter", "version"),
    "aux": ("camera", "scale_factor", "version"),
    "cat": ("version",),
    "auxcat": ("version",),
    "tar": ("observatory", "instrument", "filter", "version"),
    "candelized": ("instrument", "camera", "scale_factor", "filter"),
}


@dataclass(frozen=True, kw_only=True)
class VelaName:
    """Parts of the name of a file.

    Parameters
    ----------
    galaxy : int
        Number of the galaxy, 0 to 99.
    camera : int, optional
        Number of the camera, 0 to 99; the release has 00-18 in v3 and 00-24 in v3-2.
    scale_factor : float, optional
        Scale factor with three decimals.
    observatory, instrument, filter : str, optional
        Such as ``'hst'``, ``'acs'``, ``'f606w'``; in lower case.
    version : str, optional
        ``'v3'``, ``'v3-2'`` or ``'v6'``. Default ``'v3'``.
    dust : str, optional
        ``'mw'`` (Milky Way), ``'smc'`` or ``'ns'`` (without scattering) in v3-2 and v6; empty in v3. Default ``''``.
    product : str, optional
        One of `PRODUCTS`. Default ``'sim'``.

    Examples
    --------
    >>> from astroclumps.hlsp import VelaName
    >>> VelaName(galaxy=7, camera=17, scale_factor=0.41, observatory="hst", instrument="acs", filter="f606w").filename
    'hlsp_vela_hst_acs_vela07-cam17-a0.410_f606w_v3_sim.fits'
    """

    galaxy: int
    camera: int | None = None
    scale_factor: float | None = None
    observatory: str = ""
    instrument: str = ""
    filter: str = ""
    version: str = "v3"
    dust: str = ""
    product: str = "sim"

    def __post_init__(self):
        if self.product not in PRODUCTS:
            raise ValueError(f"product must be one of {', '.join(PRODUCTS)}, got {self.product!r}")
        missing = [part for part in _NEEDED[self.product] if getattr(self, part) in (None, "")]
        if missing:
            raise ValueError(f"the name of a file of the product {self.product!r} needs {', '.join(missing)}")
        for part in ("galaxy", "camera"):
            value = getattr(self, part)
            if value is not None and (isinstance(value, bool) or value != int(value) or not 0 <= value <= 99):
                raise ValueError(f"{part} must be a whole number from 0 to 99, got {value!r}")
        if self.scale_factor is not None and not 0 < self.scale_factor < 9.9995:
            raise ValueError(f"scale_factor must lie between 0 and 9.999, got {self.scale_factor!r}")
        if not (_PATTERNS["candelized"] if self.product == "candelized" else _PATTERNS[self.product]).fullmatch(self.filename):
            raise ValueError(
                f"{self.filename!r} would be no name of the release; observatory, instrument and filter are letters and digits"
            )

    @property
    def filename(self) -> str:
        """The name; of an archive that with ``.gz``, of an image before the release that of the one without noise (``SB00``)."""
        galaxy = f"vela{int(self.galaxy):02d}"
        view = "" if self.camera is None else f"cam{int(self.camera):02d}"
        scale = "" if self.scale_factor is None else f"a{self.scale_factor:.3f}"
        band = f"{self.observatory}_{self.instrument}"
        dust = f"-{self.dust}" if self.dust else ""
        return {
            "sim": f"hlsp_vela_{band}_{galaxy}-{view}-{scale}_{self.filter}_{self.version}_sim{dust}.fits",
            "aux": f"hlsp_vela_none_none_{galaxy}-{view}-{scale}_aux_{self.version}_sim.fits",
            "cat": f"hlsp_vela_multi_multi_{galaxy}_multi_{self.version}_cat.txt",
            "auxcat": f"hlsp_vela_multi_multi_{galaxy}_multi_{self.version}_auxcat.txt",
            "tar": f"hlsp_vela_{band}_{galaxy}_{self.filter}_{self.version}_sim.tar.gz",
            "candelized": f"{galaxy.upper()}_{scale}_sunrise_{view}_{self.instrument.upper()}-{self.filter.upper()}_SB00.fits",
        }[self.product]

    @property
    def folder(self) -> str:
        """Where the release keeps an image or maps, below its root; ``/`` between the folders."""
        parts = ["vela", f"vela{int(self.galaxy):02d}", *([] if self.camera is None else [f"cam{int(self.camera):02d}"])]
        return "/".join(parts + ([self.observatory, self.instrument, self.filter] if self.product == "sim" else []))

    @property
    def group(self) -> tuple:
        """What files of one image share: galaxy, camera, scale factor, version and dust."""
        return (self.galaxy, self.camera, self.scale_factor, self.version, self.dust)

    @property
    def label(self) -> str:
        """Galaxy, camera and scale factor, as in ``'vela07-cam17-a0.410'``."""
        view = "" if self.camera is None else f"-cam{int(self.camera):02d}"
        return f"vela{int(self.galaxy):02d}{view}" + ("" if self.scale_factor is None else f"-a{self.scale_factor:.3f}")


def parse_name(path) -> VelaName:
    """Take the name of a file apart.

    Parameters
    ----------
    path : path-like
        A file; only its name matters, in any case. Folders above it are ignored.

    Returns
    -------
    `VelaName`

    Raises
    ------
    ImageError
        If the name follows none of the patterns.

    Examples
    --------
    >>> from astroclumps.hlsp import parse_name
    >>> name = parse_name("hlsp_vela_hst_wfc3_vela07-cam17-a0.410_f160w_v3-2_sim-mw.fits")
    >>> name.galaxy, name.camera, name.scale_factor, name.filter, name.version, name.dust
    (7, 17, 0.41, 'f160w', 'v3-2', 'mw')
    >>> parse_name("VELA07_a0.410_sunrise_cam17_ACS-F606W_SB00.fits").product
    'candelized'
    """
    name = Path(path).name
    for product, pattern in _PATTERNS.items():
        match = pattern.fullmatch(name)
        if match is not None:
            parts = {key: value.lower() for key, value in match.groupdict().items() if value is not None}
            parts["galaxy"] = int(parts["galaxy"].removeprefix("vela"))
            for key, kind in (("camera", int), ("scale_factor", float)):
                if key in parts:
                    parts[key] = kind(parts[key])
            return VelaName(product=product, **parts)
    raise ImageError(
        f"{name} is no name of the VELA release, such as hlsp_vela_hst_acs_vela07-cam17-a0.410_f606w_v3_sim.fits "
        "or VELA07_a0.410_sunrise_cam17_ACS-F606W_SB00.fits"
    )
