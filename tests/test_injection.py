"""Clumps put into images: their light, their places, what is counted as found, the curves."""

import warnings

import astropy.units as u
import numpy as np
import pytest
from photometry_scenes import star

from astroclumps import ContrastDetector, MultiBandImage, catalog
from astroclumps.evaluation.clump_light import Population, band_ratios, clump_planes, electrons_per_ujy, with_clumps
from astroclumps.evaluation.hosts import hosts
from astroclumps.evaluation.injection import Injection
from astroclumps.evaluation.injection_curves import completeness_curve, half_flux
from astroclumps.exceptions import AstroclumpsWarning, NoClumpsWarning
from astroclumps.testing import example_image

BANDS = ("F606W", "F160W")


def disc(*, bands=BANDS, shape=(64, 64), scale=8.0, q=0.5, peak=0.02, noise=1e-4, redshift=1.5, psf=0.17, name="disc", seed=0):
    """An exponential disc with its major axis along x."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    radius = np.hypot(x - 32, (y - 32) / q)
    plane = peak * np.exp(-radius / scale)
    data = plane + np.random.default_rng(seed).normal(0, noise, (len(bands), *shape))
    return MultiBandImage(data=data * u.uJy, bands=bands, psf=psf * u.arcsec, redshift=redshift, name=name)


class Seer:
    """Finds every clump above a flux, because it knows the image without clumps; and what it is told to see always."""

    def __init__(self, image, *, limit=0.0, always=()):
        self.image, self.limit, self.always = image, limit, list(always)

    def detect(self, image):
        extra = (image.data - self.image.data)[0].astype(float)
        places = list(self.always)
        least = 0.05 * extra.max()
        while extra.max() > max(least, 1e-6):
            row, column = np.unravel_index(extra.argmax(), extra.shape)
            y, x = np.mgrid[: extra.shape[0], : extra.shape[1]]
            near = np.hypot(x - column, y - row) < 6
            light = np.clip(extra[near], 0, None)
            if light.sum() > self.limit:
                places.append(((x[near] * light).sum() / light.sum(), (y[near] * light).sum() / light.sum()))
            extra[near] = 0
        table = catalog.make_table("detected", len(places))
        table["id"] = np.arange(1, len(places) + 1)
        table["x"], table["y"] = np.array(places).reshape(-1, 2).T * u.pix
        table["score"] = 0.7
        return table


# light


@pytest.mark.parametrize(("x", "y"), [(30.0, 33.0), (30.5, 33.5), (30.3, 32.8)])
def test_a_point_is_the_point_spread_function(x, y):
    kernel = star(0.17, 32, 32, (65, 65))
    image = disc(psf=0.17)
    image = MultiBandImage(data=image.data * u.uJy, bands=BANDS, psf=kernel)
    light = clump_planes(image, [x], [y], [[2.0, 3.0]], [0.0])
    true = star(0.17, x, y, (64, 64))
    assert abs(light[0] / 2 - true).max() < 0.02 * true.max()
    np.testing.assert_allclose(light[1], light[0] * 1.5, rtol=1e-5, atol=1e-9)
    assert light[0].sum() == pytest.approx(2.0, rel=0.01)


def test_a_gaussian_convolved_with_a_gaussian_is_a_gaussian():
    # sigma 1.5 px PSF; half-light radius 2 px is sigma 2 / sqrt(2 ln 2)
    y, x = np.mgrid[-20:21, -20:21]
    kernel = np.exp(-0.5 * (x**2 + y**2) / 1.5**2)
    image = MultiBandImage(data=np.zeros((1, 64, 64)) * u.uJy, bands=["F606W"], psf=kernel)
    light = clump_planes(image, [31.4], [30.2], [[1.0]], [2.0])[0]
    variance = 1.5**2 + 4 / (2 * np.log(2))
    y, x = np.mgrid[:64, :64]
    true = np.exp(-0.5 * ((x - 31.4) ** 2 + (y - 30.2) ** 2) / variance) / (2 * np.pi * variance)
    assert abs(light - true).max() < 2e-3 * true.max()


@pytest.mark.parametrize(("index", "radius"), [(0.5, 3.0), (1.0, 3.0), (2.0, 2.0)])
def test_half_of_the_light_lies_inside_the_half_light_radius(index, radius):
    y, x = np.mgrid[-3:4, -3:4]
    kernel = np.where((x == 0) & (y == 0), 1.0, 0.0)  # as sharp as a pixel
    image = MultiBandImage(data=np.zeros((1, 129, 129)) * u.uJy, bands=["F606W"], psf=kernel)
    light = clump_planes(image, [64.0], [64.0], [[1.0]], [radius], index=index)[0]
    y, x = np.mgrid[:129, :129]
    inside = np.hypot(x - 64, y - 64)
    share = np.interp(radius, np.sort(inside.ravel()), np.cumsum(light.ravel()[np.argsort(inside.ravel())]))
    assert share == pytest.approx(0.5, abs=0.06)
    assert light.sum() == pytest.approx(1, abs=0.03)


def test_light_outside_the_image_is_cut():
    image = disc()
    assert clump_planes(image, [-0.5], [30.0], [[1.0, 1.0]], [0.0]).sum(axis=(1, 2)) == pytest.approx([0.5, 0.5], abs=0.06)
    assert not clump_planes(image, [-200.0], [30.0], [[1.0, 1.0]], [0.0]).any()


def test_photons_of_the_clump_scatter_as_poisson():
    image = disc(noise=0.0)
    electrons = electrons_per_ujy(BANDS, {"F606W": 10 * u.s})
    assert electrons[0] == pytest.approx(10 * 10 ** (0.4 * (26.505 - 23.9)))
    assert np.isinf(electrons[1])
    sums = []
    for seed in range(150):
        more = with_clumps(image, [30.0], [30.0], [[1.0, 1.0]], [0.0], exposure={"F606W": 10 * u.s}, rng=seed)
        sums.append((more.data.astype(float) - image.data).sum(axis=(1, 2)))
    sums = np.array(sums)
    assert sums[:, 0].mean() == pytest.approx(0.975, abs=0.02)  # the rest is in the wings
    assert sums[:, 0].var() == pytest.approx(1 / electrons[0], rel=0.35)  # 150 draws: 12% scatter
    assert sums[:, 1].std() < 1e-5
    with pytest.raises(ValueError, match="rng"):
        with_clumps(image, [30.0], [30.0], [[1.0, 1.0]], [0.0], exposure=10 * u.s)


def test_the_image_keeps_what_it_has():
    image = example_image(bands=BANDS)
    more = with_clumps(image, [30.0], [30.0], [[0.0, 0.0]], [0.0])
    np.testing.assert_array_equal(more.data, image.data)
    assert more.wcs.to_header() == image.wcs.to_header()
    assert (more.redshift, more.name, more.psf_known) == (image.redshift, image.name, image.psf_known)


# colours


def test_colours_in_bands():
    image = disc()
    assert band_ratios("flat", image, "F160W", None).tolist() == [1, 1]
    assert band_ratios("galaxy", image, "F160W", np.array([2.0, 4.0])).tolist() == [0.5, 1]
    assert band_ratios({"F606W": 3.0, "F160W": 6.0, "F105W": 1.0}, image, "F606W", None).tolist() == [1, 2]
    with pytest.raises(ValueError, match="no flux for F160W"):
        band_ratios({"F606W": 3.0}, image, "F606W", None)
    with pytest.raises(ValueError, match="no flux in F606W"):
        band_ratios("galaxy", image, "F606W", np.array([-1.0, 1.0]))


@pytest.mark.needs_bagpipes
def test_old_and_dusty_stars_are_redder():
    image = disc()

    def red(colour):
        return band_ratios(colour, image, "F606W", None)[1]

    assert red("old") > red("young") > red(Population(age=10 * u.Myr, a_v=0))
    assert red(Population(a_v=2)) > red(Population(a_v=0))
    with pytest.raises(ValueError, match="has no redshift"):
        band_ratios("young", disc(redshift=None), "F606W", None)


# hosts


def test_ellipses_of_an_inclined_disc():
    # half of the light of an exponential disc lies inside 1.678 scale lengths; the footprint and its noise cut the wings
    [host] = hosts(disc(scale=4.0))
    assert host.half_light == pytest.approx(1.678 * 4, rel=0.1)
    assert host.r_norm[32, 32 + 12] == pytest.approx(host.r_norm[32 + 6, 32], rel=0.1)
    total = 2 * np.pi * 0.02 * 16 * 0.5
    assert host.flux == pytest.approx([total, total], rel=0.05)


# runs


def injected(image, detector, **options):
    settings = {"ratio": (0.01, 1.0), "repeats": 40, "seed": 3} | options
    return Injection(**settings).run([image], detector)


def test_clumps_lie_where_they_were_asked_for():
    image = disc()
    clumps = injected(image, Seer(image), radii=(0.4, 0.8), n_clumps=2, gap=8.0)
    assert len(clumps) == 80
    assert clumps["r_norm"].min() >= 0.4
    assert clumps["r_norm"].max() <= 0.8
    for run in range(40):
        x, y = (clumps[name][clumps["run"] == run].value for name in "xy")
        assert np.hypot(x[0] - x[1], y[0] - y[1]) >= 8
    assert clumps["ratio"].min() >= 0.01
    assert clumps["ratio"].max() <= 1
    assert np.median(clumps["ratio"]) == pytest.approx(0.1, rel=0.5)
    np.testing.assert_allclose(clumps["flux"].value, clumps["ratio"] * hosts(image)[0].flux[0])


def test_places_follow_a_disc_or_the_area():
    image = disc(scale=5.0)
    near, far = (0.5, 1.0), (1.5, 2.0)
    shares = {}
    for places in ("disc", "area"):
        radius = injected(image, Seer(image), places=places, repeats=60, radii=(0.5, 2.0))["r_norm"]
        shares[places] = ((radius < near[1]).mean(), (radius > far[0]).mean())
    # uniform in area: (1 - 0.25) / (4 - 0.25) and (4 - 2.25) / (4 - 0.25)
    assert shares["area"] == pytest.approx((0.2, 0.467), abs=0.1)

    def light(r):  # of an exponential disc inside r half-light radii, without its factor
        return 1 - (1 + 1.678 * r) * np.exp(-1.678 * r)

    total = light(2) - light(0.5)
    expected = [(light(high) - light(low)) / total for low, high in (near, far)]
    assert shares["disc"] == pytest.approx(expected, abs=0.1)
    assert shares["disc"][0] > shares["area"][0] + 0.1


def test_a_detector_that_sees_all_finds_all_at_its_place():
    image = disc()
    clumps = injected(image, Seer(image))
    assert clumps["found"].all()
    assert clumps["distance"].max() < 0.3 * u.pix
    assert set(clumps["score"]) == {0.7}
    assert set(clumps["n_extra"]) == {0}
    assert set(clumps["n_lost"]) == {0}


def test_a_blind_detector_finds_nothing():
    image = disc(peak=0.02)
    with pytest.warns(AstroclumpsWarning, match="does not cross one half"):
        half = half_flux(injected(image, Seer(image, limit=np.inf)), by="ratio", n_bootstrap=5)
    assert np.isnan(half.half)


def test_what_was_there_before_is_not_counted():
    image = disc()
    always = [(x, y) for x in range(14, 52, 3) for y in range(20, 46, 3)]  # within 3 px of any place
    blind = Seer(image, limit=np.inf, always=always)
    clumps = injected(image, blind, gap=0.0)
    assert not clumps["found"].any()
    assert set(clumps["n_before"]) == {len(always)}
    # with room around the detections there is no place left
    blind = Seer(image, limit=np.inf, always=[(x, y) for x in range(0, 64, 4) for y in range(0, 64, 4)])
    with pytest.warns(AstroclumpsWarning, match="'disc' has no room for a clump"):
        assert len(injected(image, blind)) == 0


def test_detections_elsewhere_are_extra_and_missing_ones_lost():
    image = disc()

    class Fickle(Seer):
        def detect(self, other):
            self.always = [(10.0, 10.0)] if other is self.image else [(50.0, 50.0)]
            return super().detect(other)

    clumps = injected(image, Fickle(image, limit=np.inf), repeats=5)
    assert set(clumps["n_lost"]) == {1}
    assert set(clumps["n_extra"]) == {1}
    assert not clumps["found"].any()


def test_all_detectors_see_the_same_clumps():
    image = disc()
    clumps = injected(image, {"all": Seer(image), "some": Seer(image, limit=0.1 * hosts(image)[0].flux[0])})
    seen = {name: clumps[clumps["detector"] == name] for name in ("all", "some")}
    np.testing.assert_array_equal(seen["all"]["x"], seen["some"]["x"])
    ratio, found = np.asarray(seen["some"]["ratio"]), np.asarray(seen["some"]["found"])
    assert not found[ratio < 0.1].any()
    assert found[ratio > 0.115].all()  # some light is in the wings
    with pytest.raises(ValueError, match="choose one with detector="):
        half_flux(clumps)


def test_the_same_seed_gives_the_same_clumps():
    image = example_image(bands=BANDS)
    settings = {"flux": [27, 24] * u.ABmag, "size": [0.1, 0.5] * u.kpc, "exposure": 1000 * u.s, "colour": "flat", "repeats": 4}
    first, again, other = (Injection(**settings, seed=seed).run([image], ContrastDetector()) for seed in (1, 1, 2))
    for name in ("x", "flux", "size", "found"):
        np.testing.assert_array_equal(first[name], again[name])
    assert (first["x"] != other["x"]).any()
    magnitude = first["flux"].to_value(u.ABmag)
    assert magnitude.min() >= 24
    assert magnitude.max() <= 27
    # 0.1-0.5 kpc at redshift 1.5, 8.6 kpc an arcsec
    assert first["size"].min() > 0.1 / 8.7 * u.arcsec
    assert first["size"].max() < 0.5 / 8.5 * u.arcsec


def test_blank_sky_is_left_out_with_a_warning():
    blank = MultiBandImage(data=np.random.default_rng(0).normal(0, 1e-3, (2, 64, 64)) * u.uJy, bands=BANDS, redshift=1.5, name="blank")
    with pytest.warns(AstroclumpsWarning, match="'blank' holds no galaxy"):
        clumps = Injection(ratio=(0.1, 1)).run([blank], Seer(blank))
    assert len(clumps) == 0
    assert len(completeness_curve(clumps)) == 0


def test_nothing_found_is_no_warning_a_wrong_band_is_one():
    image = disc(bands=("F105W", "F160W"))
    with warnings.catch_warnings():
        warnings.simplefilter("error", NoClumpsWarning)
        with pytest.warns(AstroclumpsWarning, match="took F105W instead") as told:
            injected(image, ContrastDetector(), repeats=3)
    assert len(told) == 1


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        ({}, ValueError, "give the limits"),
        ({"ratio": (0.1, 1), "flux": [1, 2] * u.uJy}, ValueError, "one of them"),
        ({"flux": (0.1, 1)}, TypeError, "flux must be a Quantity"),
        ({"ratio": 0.1}, ValueError, "ratio has two limits"),
        ({"ratio": (0.5, 0.01)}, ValueError, "the smaller first"),
        ({"flux": [24, 28] * u.ABmag}, ValueError, "the fainter first"),
        ({"ratio": (0, 1)}, ValueError, "ratio must be positive"),
        ({"ratio": (0.1, 1), "size": 0.1}, TypeError, "size must be a Quantity"),
        ({"ratio": (0.1, 1), "size": [0, 1] * u.kpc}, ValueError, "size is one half-light radius"),
        ({"ratio": (0.1, 1), "index": 9}, ValueError, "Sersic index"),
        ({"ratio": (0.1, 1), "colour": "teal"}, ValueError, "'galaxy', 'flat', 'young', 'old'"),
        ({"ratio": (0.1, 1), "radii": (2, 1)}, ValueError, "radii are two limits"),
        ({"ratio": (0.1, 1), "places": "arms"}, ValueError, "'disc' or 'area'"),
        ({"ratio": (0.1, 1), "repeats": 0}, ValueError, "repeats is a whole number"),
        ({"ratio": (0.1, 1), "exposure": 1000}, TypeError, "exposure must be a Quantity"),
        ({"ratio": (0.1, 1), "gap": -1}, ValueError, "gap"),
    ],
)
def test_settings_that_make_no_sense_are_told(bad, error, message):
    with pytest.raises(error, match=message):
        Injection(**bad)


def test_a_band_that_the_image_lacks_is_told():
    image = disc()
    with pytest.raises(ValueError, match="band F435W of the clumps' fluxes is not in 'disc'"):
        injected(image, Seer(image), band="F435W")
    with pytest.raises(ValueError, match="no redshift, which a size in kpc needs"):
        injected(disc(redshift=None), Seer(image), size=1 * u.kpc)


# curves


def drawn(*, half=0.1, width=0.3, plateau=0.9, n=4000, galaxies=20, seed=0):
    """Clumps whose probability to be found is a logistic curve."""
    from astropy.table import QTable

    rng = np.random.default_rng(seed)
    ratio = np.exp(rng.uniform(np.log(0.005), np.log(2), n))
    middle = np.log(half) - width * np.log(0.5 / (plateau - 0.5))
    found = rng.random(n) < plateau / (1 + np.exp(-(np.log(ratio) - middle) / width))
    return QTable({"detector": ["one"] * n, "galaxy": np.arange(n) % galaxies, "ratio": ratio, "flux": ratio * u.uJy, "found": found})


def test_the_half_flux_of_a_known_curve():
    fit = half_flux(drawn(), by="ratio", n_bootstrap=30)
    assert fit.half == pytest.approx(0.1, rel=0.08)
    assert fit.lower < fit.half < fit.upper
    assert fit.upper / fit.lower < 1.2
    assert fit.plateau == pytest.approx(0.9, abs=0.03)
    assert fit.width == pytest.approx(0.3, abs=0.06)
    assert fit.curve(fit.half) == pytest.approx(0.5)
    assert fit.curve(100.0) == pytest.approx(fit.plateau)
    assert half_flux(drawn(), n_bootstrap=2).half == pytest.approx(fit.half)  # flux has a unit, ratio has none


def test_a_rise_beyond_all_clumps_has_no_plateau():
    clumps = drawn(n=40)
    clumps["found"] = np.zeros(len(clumps), dtype=bool)
    with pytest.warns(AstroclumpsWarning, match="does not cross one half"):
        fit = half_flux(clumps, by="ratio", n_bootstrap=5)
    assert np.isnan(fit.half)
    assert not fit.plateau > 0.05  # NaN, or next to none


def test_shares_and_binomial_errors_in_bins():
    from astropy.table import QTable

    clumps = QTable({"detector": ["one"] * 40, "galaxy": ["a"] * 20 + ["b"] * 20, "ratio": [0.1] * 20 + [1.0] * 20})
    clumps["found"] = np.arange(40) % 20 < 10
    curve = completeness_curve(clumps, by="ratio", bins=[0.05, 0.5, 5])
    assert curve["n"].tolist() == [20, 20]
    assert curve["completeness"].tolist() == [0.5, 0.5]
    assert curve["middle"].tolist() == [0.1, 1.0]
    # Wilson: centre 0.5, half width z / (1 + z^2 / n) * sqrt(p (1 - p) / n + z^2 / 4 n^2) with z = 1.0000 and n = 20
    half = 1 / (1 + 1 / 20) * np.sqrt(0.25 / 20 + 1 / 1600)
    assert curve["upper"][0] - 0.5 == pytest.approx(half, rel=1e-3)
    assert 0.5 - curve["lower"][0] == pytest.approx(half, rel=1e-3)


def test_errors_hold_what_differs_from_galaxy_to_galaxy():
    from astropy.table import QTable

    # ten galaxies, in which either all or none are found: 0.5 +- 0.5 / sqrt(10)
    clumps = QTable({"detector": ["one"] * 1000, "galaxy": np.arange(1000) // 100, "ratio": np.full(1000, 0.1)})
    clumps["found"] = (np.arange(1000) // 100) % 2 == 0
    curve = completeness_curve(clumps, by="ratio", bins=[0.05, 0.5], n_bootstrap=1000)
    assert curve["error"][0] == pytest.approx(0.158, rel=0.1)
    assert curve["upper"][0] - 0.5 < 0.02


def test_errors_of_few_clumps_do_not_vanish():
    from astropy.table import QTable

    clumps = QTable({"detector": ["one"] * 5, "galaxy": ["a", "a", "b", "b", "b"], "ratio": [0.1] * 5, "found": [False] * 5})
    curve = completeness_curve(clumps, by="ratio", bins=[0.05, 0.5])
    assert curve["completeness"][0] == 0
    # Wilson, z = 1: 0 to z^2 / (n + z^2)
    assert curve["error"][0] == pytest.approx(0.5 / 6, rel=1e-2)


@pytest.mark.filterwarnings("ignore:the completeness of one does not cross one half")
@pytest.mark.parametrize(("n", "galaxies"), [(10, 2), (20, 4)])
def test_the_range_of_the_half_flux_holds_the_truth_as_often_as_it_says(n, galaxies):
    fits = [half_flux(drawn(n=n, galaxies=galaxies, seed=seed), by="ratio", n_bootstrap=10) for seed in range(30)]
    known = [fit for fit in fits if np.isfinite(fit.lower) and np.isfinite(fit.upper)]
    assert len(known) > 20
    assert 0.5 < np.mean([fit.lower <= 0.1 <= fit.upper for fit in known]) < 0.9


@pytest.mark.filterwarnings("ignore::astroclumps.exceptions.AstroclumpsWarning")
def test_a_range_that_the_clumps_do_not_bound_is_nan():
    from astropy.table import QTable

    # of two clumps the brighter is found: one half lies somewhere, nobody knows where
    clumps = QTable({"detector": ["one"] * 2, "galaxy": ["a", "b"], "ratio": [0.01, 1.0], "found": [False, True]})
    fit = half_flux(clumps, by="ratio", n_bootstrap=20)
    assert np.isnan(fit.lower)
    assert np.isnan(fit.upper)


def test_bins_that_make_no_sense_are_told():
    clumps = drawn(n=10)
    for bins, error in ((0, ValueError), ([1, 1] * u.uJy, ValueError), ([0.1, 1], TypeError)):
        with pytest.raises(error, match="bins"):
            completeness_curve(clumps, bins=bins)
    with pytest.raises(ValueError, match="by is 'flux'"):
        completeness_curve(clumps, by="x")
    with pytest.raises(ValueError, match="no detector 'two'"):
        half_flux(clumps, detector="two")


@pytest.mark.real_data
def test_bright_clumps_are_found_in_a_real_galaxy(real_data):
    path = real_data / "hst_xdf" / "cutout64_clumpyA.fits"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstroclumpsWarning)  # the header states no zeropoints
        image = MultiBandImage.read(path, psf=0.3 * u.arcsec)
    detector = ContrastDetector(band="F606W")
    settings = {"band": "F606W", "colour": "flat", "seed": 5, "repeats": 12}
    bright = Injection(ratio=(0.4, 0.6), **settings).run([image], detector)
    assert np.mean(bright["found"]) > 0.6
    assert np.nanmedian(bright["distance"].value) < 1
    faint = Injection(ratio=(1e-4, 1e-3), **settings).run([image], detector)
    assert np.mean(faint["found"]) < 0.1
