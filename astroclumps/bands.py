"""Photometric bands: their curves, pixels, point-spread functions, zeropoints and depths.

The seven bands of the paper (section 3.2) are `CANDELS`, `F814W` is that of COSMOS; `NIRCAM` holds the wide filters of JWST/NIRCam,
`NIRCAM_MEDIUM` those of medium width. Curves come from astro-sedpy.

Examples
--------
>>> from astroclumps import bands
>>> bands.names(bands.CANDELS)
('F435W', 'F606W', 'F775W', 'F850LP', 'F105W', 'F125W', 'F160W')
>>> bands.get("ACS-F606W").column
'f606w'
>>> bands.get("F160W").pivot.round()  # doctest: +FLOAT_CMP
<Quantity 15369. Angstrom>
"""

import re
from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass, field
from functools import lru_cache

import astropy.units as u
import numpy as np

__all__ = ["CANDELS", "F814W", "NIRCAM", "NIRCAM_MEDIUM", "Band", "get", "names"]

# words that may stand beside the filter in a name such as "hst/acs_f606w" or "F115W-CLEAR"
_WORDS = {
    "ACS": {"hst", "acs", "wfc", "acswfc", "clear", "clear1l", "clear2l"},
    "WFC3/IR": {"hst", "wfc3", "ir", "wfc3ir"},
    "NIRCam": {"jwst", "nircam", "nrc", "nrca", "nrcb", "clear"},
}


@lru_cache(maxsize=64)
def _curve(sedpy_name):
    from sedpy.observate import Filter

    curve = Filter(sedpy_name)
    wavelength = np.array(curve.wavelength, dtype=float)
    transmission = np.clip(np.array(curve.transmission, dtype=float), 0, None)
    wavelength.flags.writeable = transmission.flags.writeable = False
    return wavelength, transmission


@lru_cache(maxsize=64)
def _pivot(sedpy_name):
    wavelength, transmission = _curve(sedpy_name)
    return float(np.sqrt(np.trapezoid(transmission * wavelength, wavelength) / np.trapezoid(transmission / wavelength, wavelength)))


@dataclass(frozen=True)
class Band:
    """One photometric band.

    Parameters
    ----------
    name : str
        Filter name in upper case, such as ``'F606W'``.
    instrument : str
        ``'ACS'``, ``'WFC3/IR'`` or ``'NIRCam'``.
    sedpy_name : str
        Name of the curve in astro-sedpy.
    pixel_scale : `~astropy.units.Quantity` ['angle']
        Pixel of the survey mosaics: 0.03" in ACS and NIRCam, 0.06" in WFC3 (METHODS 2).
    psf_fwhm : `~astropy.units.Quantity` ['angle']
        Full width at half maximum of the native point-spread function.
    zeropoint : float, optional
        AB magnitude of 1 electron/s; None where images come in flux units (NIRCam).
    depth : float, optional
        5-sigma AB depth in a circle of r = 0.25" of the GOODS-N stamps (METHODS 2); None where not given.

    Examples
    --------
    >>> from astroclumps import bands
    >>> f606w = bands.get("f606w")
    >>> f606w.zeropoint, f606w.depth
    (26.505, 27.9)
    >>> f606w.psf_fwhm
    <Quantity 0.08 arcsec>
    """

    name: str
    _: KW_ONLY
    instrument: str
    sedpy_name: str
    pixel_scale: u.Quantity[u.arcsec] = field(compare=False)
    psf_fwhm: u.Quantity[u.arcsec] = field(compare=False)
    zeropoint: float | None = None
    depth: float | None = None

    def __post_init__(self):
        for what in ("pixel_scale", "psf_fwhm"):
            value = getattr(self, what)
            if not isinstance(value, u.Quantity) or not value.unit.is_equivalent(u.arcsec):
                raise TypeError(f"{what} must be an angle such as 0.06 * u.arcsec, got {value!r}")
            if not value > 0:
                raise ValueError(f"{what} of {self.name} must be positive, got {value}")
            object.__setattr__(self, what, value.to(u.arcsec))

    @property
    def column(self) -> str:
        """The band's name as it stands in table columns: lower case."""
        return self.name.lower()

    @property
    def pivot(self) -> u.Quantity[u.AA]:
        """Pivot wavelength of the curve in Angstrom, sqrt(int T l dl / int T/l dl) for a photon-counting detector."""
        return _pivot(self.sedpy_name) * u.AA

    def curve(self) -> tuple[np.ndarray, np.ndarray]:
        """Transmission curve of the whole system.

        Returns
        -------
        wavelength, transmission : ndarray of float, shape (n,)
            Angstrom, increasing; electrons per photon, 0 or more. Both are read-only.
        """
        return _curve(self.sedpy_name)


def _band(name, instrument, pixel_scale, psf_fwhm, zeropoint=None, depth=None):
    prefix = {"ACS": "acs_wfc_", "WFC3/IR": "wfc3_ir_", "NIRCam": "jwst_"}[instrument]
    return Band(
        name,
        instrument=instrument,
        sedpy_name=prefix + name.lower(),
        pixel_scale=pixel_scale * u.arcsec,
        psf_fwhm=psf_fwhm * u.arcsec,
        zeropoint=zeropoint,
        depth=depth,
    )


CANDELS = (
    _band("F435W", "ACS", 0.03, 0.08, 25.684, 27.9),
    _band("F606W", "ACS", 0.03, 0.08, 26.505, 27.9),
    _band("F775W", "ACS", 0.03, 0.08, 25.678, 27.5),
    _band("F850LP", "ACS", 0.03, 0.09, 24.867, 27.6),
    _band("F105W", "WFC3/IR", 0.06, 0.15, 26.269, 26.9),
    _band("F125W", "WFC3/IR", 0.06, 0.16, 26.230, 27.1),
    _band("F160W", "WFC3/IR", 0.06, 0.17, 25.946, 27.3),
)
"""The paper's seven bands, blue to red (section 3.2). Zeropoints: the XDF mosaics (Illingworth+2013), as STScI gives them for these epochs.
PSF widths: ACS 0.08-0.09" and WFC3 0.15, 0.16, 0.17" native (METHODS 2; which ACS band has which is ours)."""

NIRCAM = (
    _band("F070W", "NIRCam", 0.03, 0.029),
    _band("F090W", "NIRCam", 0.03, 0.033),
    _band("F115W", "NIRCam", 0.03, 0.040),
    _band("F150W", "NIRCam", 0.03, 0.050),
    _band("F200W", "NIRCam", 0.03, 0.066),
    _band("F277W", "NIRCam", 0.03, 0.092),
    _band("F356W", "NIRCam", 0.03, 0.116),
    _band("F444W", "NIRCam", 0.03, 0.145),
)
"""The wide filters of JWST/NIRCam. PSF widths: the empirical ones of the JWST user documentation; 0.03" is the usual mosaic pixel."""

NIRCAM_MEDIUM = (
    _band("F140M", "NIRCam", 0.03, 0.048),
    _band("F162M", "NIRCam", 0.03, 0.055),
    _band("F182M", "NIRCam", 0.03, 0.062),
    _band("F210M", "NIRCam", 0.03, 0.071),
    _band("F250M", "NIRCam", 0.03, 0.084),
    _band("F300M", "NIRCam", 0.03, 0.100),
    _band("F335M", "NIRCam", 0.03, 0.111),
    _band("F360M", "NIRCam", 0.03, 0.120),
    _band("F410M", "NIRCam", 0.03, 0.137),
    _band("F430M", "NIRCam", 0.03, 0.145),
    _band("F460M", "NIRCam", 0.03, 0.155),
    _band("F480M", "NIRCam", 0.03, 0.162),
)
"""The medium filters of JWST/NIRCam, with PSF widths and pixels like those of `NIRCAM`. A strong emission line can double the flux in
such a band, and the fits know no lines."""

F814W = _band("F814W", "ACS", 0.03, 0.09, 25.947)
"""ACS F814W, the band of COSMOS; none of the paper's seven. Zeropoint: the XDF mosaics (Illingworth+2013)."""

_KNOWN = {band.name.lower(): band for band in (*CANDELS, F814W, *NIRCAM, *NIRCAM_MEDIUM)}


def get(name: "str | Band") -> Band:
    """Find a band by name.

    Parameters
    ----------
    name : str or `Band`
        ``'F606W'`` in any case, alone or with its instrument: ``'ACS-F606W'``, ``'hst/acs_f606w'``, ``'acs_wfc_f606w'``.
        A `Band` is returned as it is.

    Returns
    -------
    `Band`

    Raises
    ------
    ValueError
        If the filter is unknown, or belongs to another instrument (such as WFC3/UVIS F606W).

    Examples
    --------
    >>> from astroclumps import bands
    >>> bands.get("hst/acs_f606w").instrument
    'ACS'
    """
    if isinstance(name, Band):
        return name
    if not isinstance(name, str):
        raise TypeError(f"a band must be a name such as 'F606W' or a Band, got {name!r}")
    words = [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word]
    found = [word for word in words if word in _KNOWN]
    if len(found) == 1 and set(words) - set(found) <= _WORDS[_KNOWN[found[0]].instrument]:
        return _KNOWN[found[0]]
    listing = ", ".join(f"{band.name} ({band.instrument})" for band in _KNOWN.values())
    raise ValueError(f"unknown band {name!r}; known bands: {listing}")


def names(bands: "Iterable[str | Band]") -> tuple[str, ...]:
    """Names in upper case of a sequence of bands.

    Parameters
    ----------
    bands : iterable of str or `Band`
        Bands in any spelling that `get` accepts. A single str is refused.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> from astroclumps import bands
    >>> bands.names(["f435w", "hst/acs_f606w"])
    ('F435W', 'F606W')
    """
    if isinstance(bands, (str, Band)):
        raise TypeError(f"bands must be a sequence such as ['F435W', 'F606W'], got {bands!r}")
    return tuple(get(band).name for band in bands)
