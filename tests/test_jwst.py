"""A real galaxy at redshift 4.13 in 5 ACS and 14 NIRCam bands (docs/jwst.rst states these numbers)."""

import astropy.units as u
import h5py
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from jwst_galaxy import LINES, read_galaxy, with_stand_ins

from astroclumps import ClumpPhotometry, ContrastDetector, LibrarySED, UNetDetector, bands, catalog
from astroclumps.exceptions import AstroclumpsWarning, NoClumpsWarning

pytestmark = pytest.mark.real_data

KNOTS = np.array([[30.0, 28.0], [36.9, 32.9]])  # x, y; the peaks that the eye sees


@pytest.fixture(scope="module")
def path(real_data):
    return real_data / "jwst" / "JOF_psfmatched_36.h5"


@pytest.fixture(scope="module")
def image(path):
    return read_galaxy(path)


@pytest.fixture(scope="module")
def measured(image):
    clumps = catalog.make_table("detected", 2)
    clumps["id"] = [1, 2]
    clumps["x"], clumps["y"] = KNOTS.T * u.pix
    return ClumpPhotometry(radius=0.18 * u.arcsec).measure(image, clumps)


def distances(clumps, scale=1.0):
    """From each knot to the nearest clump, in pixels of the image."""
    x, y = ((clumps[name].value + 0.5) * scale - 0.5 for name in "xy")
    return np.hypot(x[:, None] - KNOTS[:, 0], y[:, None] - KNOTS[:, 1]).min(axis=0)


def test_all_bands_place_and_pixels_are_read(image):
    assert len(image.bands) == 19
    assert sum(bands.get(name).instrument == "NIRCam" for name in image.bands) == 14
    assert image.pixel_scale.to_value(u.arcsec) == pytest.approx(0.03, rel=1e-3)
    assert image.redshift == pytest.approx(4.1348, abs=1e-4)
    assert not image.mask.any()
    assert image.sky(32, 32).separation(SkyCoord("53.10361387 -27.86432199", unit="deg")) < 0.03 * u.arcsec


def test_fluxes_are_those_that_came_with_the_file_but_for_one_factor(path, image):
    from photutils.aperture import CircularAperture

    with h5py.File(path) as file:
        known = file["aperture_photometry/0.32 arcsec/flux"][:] * 1e6
    x, y = image.wcs.world_to_pixel(SkyCoord("53.10361387 -27.86432199", unit="deg"))
    aperture = CircularAperture((x, y), 0.16 / 0.03)
    ratio = np.array([aperture.do_photometry(plane)[0][0] for plane in image.data.astype(float)]) / known
    # theirs are corrected for the light outside the aperture, by one factor in matched bands
    assert ratio[1:].std() / ratio[1:].mean() < 0.02
    assert 0.6 < ratio[1:].mean() < 0.68


def test_contrast_finds_the_knot_that_is_not_the_centre_in_deep_bands_only(image):
    for band in ("F090W", "F115W", "F150W"):
        found = ContrastDetector(band=band).detect(image)
        assert len(found) == 1
        assert distances(found)[1] < 1.0
    with pytest.warns(NoClumpsWarning):  # F850LP, the band of this redshift, is noisy
        assert len(ContrastDetector().detect(image)) == 0


@pytest.mark.needs_torch
def test_network_with_three_bands_missing_is_blind(image):
    with pytest.warns(NoClumpsWarning), pytest.warns(AstroclumpsWarning, match="takes F105W, F125W, F160W as missing"):
        found = UNetDetector("unet-synthetic").detect_with_maps(image.rebin(2))
    assert len(found.clumps) == 0
    assert 0.05 < found.map.max() < 0.3


@pytest.mark.needs_torch
@pytest.mark.parametrize("weights", ["unet-synthetic", "unet-sersic"])
def test_network_with_nircam_for_wfc3_finds_both_knots(image, weights):
    seen = with_stand_ins(image.rebin(2), {"F090W": "F105W", "F115W": "F125W", "F150W": "F160W"})
    found = UNetDetector(weights).detect(seen)
    assert len(found) == 3
    assert (distances(found, scale=2) < 2.0).all()


def test_knots_are_measured_in_all_bands_and_dark_below_the_lyman_limit(measured):
    for row in measured:
        assert abs(row["flux_f435w"]) < 2 * row["flux_err_f435w"]
        assert all(row[f"flux_{band.column}"] > 30 * row[f"flux_err_{band.column}"] for band in bands.NIRCAM[1:])
    # [O III] and H beta
    assert (measured["flux_f250m"] / measured["flux_f300m"] > 2).all()


@pytest.mark.needs_bagpipes
def test_fits_without_line_bands_are_possible_and_with_them_are_not(image, measured):
    both = LibrarySED().fit(measured, redshift=image.redshift)
    assert all("POOR_FIT" in names for names in catalog.decode_flags(both["flags"]))
    rest = measured.copy()
    rest.remove_columns([f"{what}_{band.lower()}" for band in LINES for what in ("flux", "flux_err")])
    fitted = LibrarySED().fit(rest, redshift=image.redshift)
    assert (fitted["chi2"] < 40).all()
    assert (both["chi2"] > 3 * fitted["chi2"]).all()
    assert (abs(np.log10(fitted["mass"].to_value(u.Msun)) - [8.55, 8.27]) < 0.1).all()
    assert (fitted["age_hi"] < 0.05 * u.Gyr).all()
