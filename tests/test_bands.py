import pickle

import astropy.units as u
import numpy as np
import pytest

from astroclumps import bands

# AB zeropoints of 1 electron/s in the XDF and CANDELS mosaics
ZEROPOINTS = [25.684, 26.505, 25.678, 24.867, 26.269, 26.230, 25.946]
# STScI's pivot wavelengths in Angstrom: PHOTPLAM of the CANDELS GOODS-N mosaics
PIVOTS = [4327.2134, 5919.4609, 7693.4131, 9036.4502, 10551.047, 12486.06, 15369.176]


def test_candels_bands_are_the_papers_seven_in_order():
    # section 3.2
    assert bands.names(bands.CANDELS) == ("F435W", "F606W", "F775W", "F850LP", "F105W", "F125W", "F160W")


def test_candels_zeropoints_scales_and_psf_widths():
    # METHODS 2: ACS 0.03" pixels and 0.08-0.09" PSF, WFC3 0.06" pixels and 0.15, 0.16, 0.17" PSF
    assert [band.zeropoint for band in bands.CANDELS] == ZEROPOINTS
    assert [band.pixel_scale.to_value(u.arcsec) for band in bands.CANDELS] == [0.03] * 4 + [0.06] * 3
    fwhm = [band.psf_fwhm.to_value(u.arcsec) for band in bands.CANDELS]
    assert all(0.08 <= value <= 0.09 for value in fwhm[:4])
    assert fwhm[4:] == [0.15, 0.16, 0.17]


def test_candels_depths():
    # METHODS 2: 5 sigma, r = 0.25", GOODS-N
    assert [band.depth for band in bands.CANDELS] == [27.9, 27.9, 27.5, 27.6, 26.9, 27.1, 27.3]


@pytest.mark.parametrize(("band", "pivot"), list(zip(bands.CANDELS, PIVOTS, strict=True)))
def test_pivot_agrees_with_the_observatory(band, pivot):
    assert abs(band.pivot.to_value(u.AA) - pivot) < 1.0


@pytest.mark.parametrize("band", bands.CANDELS + bands.NIRCAM + bands.NIRCAM_MEDIUM, ids=lambda band: band.name)
def test_curve_is_clean_and_peaks_near_the_name(band):
    wavelength, transmission = band.curve()
    assert wavelength.shape == transmission.shape
    assert (np.diff(wavelength) > 0).all()
    assert (transmission >= 0).all()
    per_step = 100 if band.instrument != "ACS" else 10
    nominal = int(band.name[1:4]) * per_step
    assert abs(band.pivot.to_value(u.AA) / nominal - 1) < 0.07
    assert not wavelength.flags.writeable


@pytest.mark.parametrize("filters", [bands.NIRCAM, bands.NIRCAM_MEDIUM], ids=["wide", "medium"])
def test_nircam_is_ordered_and_has_no_zeropoint(filters):
    pivots = [band.pivot.to_value(u.um) for band in filters]
    assert pivots == sorted(pivots)
    assert {band.zeropoint for band in filters} == {None}


def test_medium_bands_are_found_by_name_and_as_sharp_as_wide_ones_of_their_wavelength():
    assert bands.get("jwst_f335m") is bands.NIRCAM_MEDIUM[6]
    wide = bands.NIRCAM
    pivots, widths = ([float(value) for value in column] for column in ([b.pivot.value for b in wide], [b.psf_fwhm.value for b in wide]))
    for band in bands.NIRCAM_MEDIUM:
        expected = np.interp(band.pivot.value, pivots, widths) * max(1, band.pivot.value / pivots[-1])
        assert abs(band.psf_fwhm.value / expected - 1) < 0.06, band.name


@pytest.mark.parametrize("spelling", ["F606W", "f606w", "ACS-F606W", "hst/acs_f606w", "acs_wfc_f606w", "HST ACS/WFC F606W"])
def test_get_accepts_spellings(spelling):
    assert bands.get(spelling) is bands.CANDELS[1]


def test_get_returns_a_band_unchanged():
    assert bands.get(bands.NIRCAM[2]) is bands.NIRCAM[2]
    assert bands.get("F115W-CLEAR") is bands.NIRCAM[2]


@pytest.mark.parametrize("name", ["F999W", "", "F606", "wfc3_uvis_f606w", "F606W F160W", "niriss_f115w"])
def test_unknown_band_is_an_error_with_the_list(name):
    with pytest.raises(ValueError, match=r"unknown band .*F435W \(ACS\).*F444W"):
        bands.get(name)


def test_get_refuses_what_is_not_a_name():
    with pytest.raises(TypeError, match="must be a name"):
        bands.get(606)


def test_names_refuses_a_single_string():
    with pytest.raises(TypeError, match="sequence"):
        bands.names("F606W")


def test_band_pickles_hashes_and_is_frozen():
    band = bands.get("F160W")
    assert pickle.loads(pickle.dumps(band)) == band
    assert len({band, pickle.loads(pickle.dumps(band))}) == 1
    with pytest.raises(AttributeError):
        band.zeropoint = 25.0


@pytest.mark.parametrize(("what", "value", "error"), [("psf_fwhm", 0.1, TypeError), ("pixel_scale", 0.0 * u.arcsec, ValueError)])
def test_band_refuses_bare_numbers_and_zero(what, value, error):
    settings = {"instrument": "ACS", "sedpy_name": "acs_wfc_f814w", "pixel_scale": 30 * u.mas, "psf_fwhm": 0.09 * u.arcsec}
    assert bands.Band("F814W", **settings).pixel_scale.unit == u.arcsec
    with pytest.raises(error, match=what):
        bands.Band("F814W", **(settings | {what: value}))
