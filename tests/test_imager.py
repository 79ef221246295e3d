"""Mock images: flux, places, widths, noise, dust, and what is carried along."""

import pickle
from dataclasses import replace

import astropy.units as u
import numpy as np
import pytest
from simulated_galaxies import clump_table, disc_positions, galaxy, gas_table, star_table

from astroclumps import MockImager, MultiBandImage, bands
from astroclumps.mock.cameras import Camera, cameras
from astroclumps.mock.dust import Dust
from astroclumps.mock.optics import Optics, read_psf
from astroclumps.mock.psf import moffat
from astroclumps.mock.sky import CANDELS_CORRELATION, CANDELS_RMS, SkyModel, SkyPatches
from astroclumps.mock.truth import kpc_per_arcsec, square_map
from astroclumps.noise import sky_correlation, sky_rms
from astroclumps.point_spread import fwhm
from astroclumps.simulation.elements import empty_elements
from astroclumps.simulation.snapshot import vela_cosmology

pytestmark = pytest.mark.filterwarnings("error")
needs_bagpipes = pytest.mark.needs_bagpipes
TOP = Camera(name="top", direction=(0, 0, 1), up=(0, 1, 0))
SIDE = Camera(name="side", direction=(1, 0, 0), up=(0, 0, 1))
NAMES = tuple(band.name for band in bands.CANDELS)


def disc(*, stars=2000, gas=0, **options):
    """A disc of young stars at redshift 2, with a lump that breaks its symmetry."""
    rng = np.random.default_rng(5)
    lump = rng.normal([2.0, 1.0, 0.0], 0.1, (stars // 10, 3))
    places = np.vstack([disc_positions(stars, seed=1), lump])
    clouds = gas_table(disc_positions(gas, seed=2, height=0.3), mass=4e5, first=10**6) if gas else empty_elements("gas")
    return galaxy(star_table(places), clouds, scale_factor=1 / 3, **options)


def one_star(x=0.0, y=0.0, z=0.0):
    return galaxy(star_table([[x, y, z]], mass=1e7), scale_factor=1 / 3)


def optics_image(x, y, *, shape=(21, 21), names=NAMES, scale=0.06, psf=None, sigma=0.0):
    """A point of unit flux at a pixel of the image, by the loops of the imager."""
    from astroclumps.mock.particle_kernels import deposit_light, transmission_table

    optics = Optics(names, shape, scale, psf, widest=sigma)
    fine = scale / optics.fine
    position = np.array([[(x - (shape[1] - 1) / 2) * fine, (y - (shape[0] - 1) / 2) * fine, 0.0]])
    maps = np.zeros((len(optics.widths), *optics.full, len(names)))
    level, share = optics.levels(np.array([sigma]))
    none, flux = np.empty((0, len(names)), dtype=np.float32), np.ones((1, len(names)), dtype=np.float32)
    no_dust = np.empty(0, dtype=np.float32), np.ones(len(names)), transmission_table(0.0)
    deposit_light(position, flux, *no_dust, level, share, np.eye(3), 1.0, optics.middle, maps.reshape(*maps.shape[:2], -1), none)
    return optics.image(maps)


def moments(image):
    """Centre (x, y) and second moments of an image."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    w = image / image.sum()
    cx, cy = (w * x).sum(), (w * y).sum()
    return cx, cy, (w * (x - cx) ** 2).sum(), (w * (y - cy) ** 2).sum()


# optics


def test_acs_is_rebinned_by_summing_its_native_pixels():
    # the middle of a pixel of 0.06" is the corner of four of 0.03": each holds the Moffat profile there, summed they are the pixel's flux
    image = optics_image(10, 10, names=("F606W",))[0]
    fine = moffat(0.08, size=21 * 10, pixel_scale=0.006)  # the middle lies between its pixels
    exact = fine.reshape(21, 10, 21, 10).sum(axis=(1, 3))
    assert image.sum() == pytest.approx(1, abs=2e-4)  # the rest lies beyond the image
    np.testing.assert_allclose(image, exact, atol=0.02 * exact.max())


def test_wfc3_has_its_point_spread_function_in_its_pixels():
    image = optics_image(10, 10, names=("F606W", "F160W"))[1]
    exact = moffat(0.17, size=33, pixel_scale=0.06)[6:-6, 6:-6]
    np.testing.assert_allclose(image, exact, atol=0.005 * exact.max())


@pytest.mark.parametrize(("x", "y"), [(10, 10), (9.5, 10.5), (8.37, 11.81), (10.25, 9.1)])
def test_a_point_lies_where_it_is_put_in_every_band(x, y):
    for image in optics_image(x, y):
        cx, cy, *_ = moments(np.where(np.hypot(*np.mgrid[:21, :21] - np.array([y, x])[:, None, None]) < 8, image, 0))
        assert (cx, cy) == (pytest.approx(x, abs=0.02), pytest.approx(y, abs=0.02))
        assert image.sum() == pytest.approx(1, abs=0.01)  # the rest is beyond the image


@pytest.mark.parametrize("width", [0.12, 0.15, 0.2, 0.3])
def test_measured_widths_are_those_asked_for(width):
    kernel = Optics(("F105W",), (41, 41), 0.06, [width]).kernels(41)[0]
    # a square pixel of 0.06" widens the core by about its own dispersion
    assert fwhm(kernel) * 0.06 == pytest.approx(np.sqrt(width**2 + 2.355**2 * 0.06**2 / 12), rel=0.05)


def test_the_default_widths_are_those_of_the_bands():
    fine = Optics(NAMES[:4], (81, 81), 0.03).kernels(81)
    coarse = Optics(NAMES[4:], (41, 41), 0.06).kernels(41)
    for name, kernel, scale in zip(NAMES, [*fine, *coarse], [0.03] * 4 + [0.06] * 3, strict=True):
        expected = np.sqrt(bands.get(name).psf_fwhm.value ** 2 + 2.355**2 * scale**2 / 12)
        assert fwhm(kernel) * scale == pytest.approx(expected, rel=0.05), name


def test_a_given_point_spread_function_comes_out_of_the_image():
    y, x = np.mgrid[-8:9, -8:9]
    given = np.exp(-0.5 * (x**2 / 1.6**2 + y**2 / 1.2**2)) + 0.1 * np.exp(-0.5 * ((x - y) ** 2 / 9 + (x + y) ** 2 / 2))
    given /= given.sum()
    wfc3 = optics_image(20, 20, shape=(41, 41), names=("F160W",), psf={"F160W": given})[0]
    np.testing.assert_allclose(wfc3[12:29, 12:29], given, atol=0.02 * given.max())
    # ACS: the native pixel 40 has its middle at (40 + 0.5) / 2 - 0.5; blocks of 2x2 are summed
    acs = optics_image(19.75, 19.75, shape=(41, 41), names=("F606W",), psf={"F606W": given})[0]
    native = np.zeros((82, 82))
    native[32:49, 32:49] = given
    np.testing.assert_allclose(acs, native.reshape(41, 2, 41, 2).sum(axis=(1, 3)), atol=0.02 * acs.max())
    assert (wfc3.sum(), acs.sum()) == (pytest.approx(1, abs=1e-5), pytest.approx(1, abs=1e-5))


def test_an_off_centre_or_even_point_spread_function_is_centred():
    y, x = np.mgrid[:40, :36]
    given = 3 * np.exp(-0.5 * ((x - 14.3) ** 2 + (y - 22.6) ** 2) / 1.5**2)
    cx, cy, *_ = moments(optics_image(10, 10, names=("F160W",), psf={"F160W": given})[0])
    assert (cx, cy) == (pytest.approx(10, abs=0.02), pytest.approx(10, abs=0.02))


@pytest.mark.parametrize("sigma", [0.011, 0.02, 0.045, 0.1])
def test_kernels_add_their_variance_and_keep_flux(sigma):
    plain, wide = (optics_image(20, 20, shape=(41, 41), names=("F606W",), sigma=s)[0] for s in (0.0, sigma))
    assert wide.sum() == pytest.approx(plain.sum(), abs=1e-5)
    added = moments(wide)[2] - moments(plain)[2]
    assert np.sqrt(added) * 0.06 == pytest.approx(sigma, rel=0.03)


def test_pixels_that_do_not_fit_are_told():
    with pytest.raises(ValueError, match='no whole multiple of 0.06", the native pixel of F160W'):
        Optics(("F160W",), (8, 8), 0.1)
    assert Optics(("F606W",), (8, 8), 0.03).image(np.zeros((1, 40, 40, 1))).shape == (1, 8, 8)


@pytest.mark.real_data
def test_real_point_spread_functions_are_read_and_used(real_data):
    with pytest.raises(ValueError, match="has pixels of 0.06"):
        read_psf(real_data / "psf" / "F160W_rebin.fits", pixel_scale=0.03 * u.arcsec)
    measured = {"F435W": "psf_gs_old_acs_f435w_30mas_centered", "F850LP": "psf_acs_goods-s_f850l_30mas_centered"}
    measured |= {f"{name}W": f"psf_acs_goods-s_{name.lower()}w_30mas_centered" for name in ("F606", "F775")}
    measured |= {f"{name}W": f"gn_all_5epoch_{name.lower()}w_v0.1" for name in ("F105", "F125", "F160")}
    psf = {name: read_psf(real_data / "psf" / f"{file}.fits") for name, file in measured.items()}
    for name, given in psf.items():
        native = bands.get(name).pixel_scale
        kernel = Optics((name,), (41, 41), native.value, psf).kernels(41)[0]
        row, column = np.unravel_index(given.argmax(), given.shape)
        # ACS has about two native pixels in a width: a lone star is right to 7% of its peak there, 3% in the rebinned image
        close = 0.02 if native.value > 0.05 else 0.12
        assert fwhm(kernel) == pytest.approx(fwhm(given[row - 20 : row + 21, column - 20 : column + 21]), rel=close), name
    imager = MockImager(psf=psf)
    np.testing.assert_allclose(imager.psf_arrays.sum(axis=(1, 2)), 1)
    assert abs(imager.psf_arrays - MockImager().psf_arrays).max() > 0.01


# flux and places


@needs_bagpipes
def test_the_flux_of_the_image_is_that_of_the_particles():
    snapshot = disc()
    for options in ({}, {"smoothing": 0 * u.kpc}, {"smoothing": 200 * u.pc}):
        imager = MockImager(**options)
        image = imager.render(snapshot, TOP, noise=False)
        particles = imager.scene(snapshot).flux.sum(axis=0, dtype=float)
        np.testing.assert_allclose(image.data.sum(axis=(1, 2), dtype=float), particles, rtol=2e-5)
        assert image.meta["n_outside"] == 0
        assert image.meta["n_stars"] == 2200


@needs_bagpipes
def test_dimmed_particles_sum_to_the_image_too():
    snapshot = disc(gas=5000)
    labels = np.ones(2200, dtype=np.int32)
    imager = MockImager()
    table = imager.clump_light(snapshot, TOP, labels)
    image = imager.render(snapshot, TOP, noise=False)
    for i, band in enumerate(image.bands):
        assert table[f"flux_{band.lower()}"][0].value == pytest.approx(image.data[i].sum(dtype=float), rel=2e-5)
        assert table[f"intrinsic_{band.lower()}"][0] > table[f"flux_{band.lower()}"][0]


@needs_bagpipes
def test_light_of_clumps_is_told_apart():
    snapshot = disc()
    labels = np.zeros(2200, dtype=np.int64)
    labels[2000:] = 3
    table = MockImager().clump_light(snapshot, TOP, labels)
    assert table["id"].tolist() == [1, 2, 3]
    scene = MockImager().scene(snapshot)
    flux = scene.flux[scene.rows >= 2000].sum(axis=0)
    np.testing.assert_allclose([table[f"flux_{band.lower()}"][2].value for band in NAMES], flux, rtol=1e-5)
    assert table["flux_f160w"][0] == 0 * u.uJy
    with pytest.raises(ValueError, match="star_labels must be 2200 whole numbers"):
        MockImager().clump_light(snapshot, TOP, labels[:5])


@needs_bagpipes
def test_stars_appear_where_the_camera_projects_them():
    place = np.array([3.0, -4.5, 7.0])
    camera = Camera(name="any", direction=(1.0, 2.0, -0.5), up=(0.3, 0.1, 2.0))
    imager = MockImager(smoothing=0 * u.kpc)
    image = imager.render(one_star(*place), camera, noise=False)
    x, y, _ = camera.project(place * u.kpc, pixel=image.meta["pixel_kpc"] * u.kpc, shape=(64, 64))
    for plane in image.data:
        near = np.hypot(*(np.mgrid[:64, :64] - np.array([y[0], x[0]])[:, None, None])) < 8
        cx, cy, *_ = moments(np.where(near, plane, 0))
        assert (cx, cy) == (pytest.approx(x[0], abs=0.02), pytest.approx(y[0], abs=0.02))


@needs_bagpipes
@pytest.mark.parametrize("gas", [0, 4000])
def test_an_image_turned_by_90_degrees_is_that_of_the_turned_camera(gas):
    snapshot, imager = disc(gas=gas), MockImager()
    camera = cameras(snapshot, rng=1)[0]
    image = imager.render(snapshot, camera, noise=False).data
    turned = imager.render(snapshot, camera.turned(90 * u.deg), noise=False).data
    # from +x towards +y; rows count upwards
    np.testing.assert_allclose(turned, np.rot90(image, -1, axes=(1, 2)), atol=2e-4 * image.max())
    assert abs(turned - image).max() > 0.1 * image.max()


@needs_bagpipes
def test_stars_outside_are_ignored_and_counted():
    inside = disc()
    places = np.vstack([inside.stars["position"].value, [[100.0, 0, 0], [0, -80.0, 3], [0, 0, 300.0]]])
    both = galaxy(star_table(places), scale_factor=1 / 3)
    imager = MockImager()
    one, other = (imager.render(snapshot, TOP, noise=False) for snapshot in (inside, both))
    assert (one.meta["n_outside"], other.meta["n_outside"]) == (0, 2)  # the third lies behind the middle
    assert other.data.sum() > one.data.sum()
    assert MockImager().render(both, SIDE, noise=False).meta["n_outside"] == 2


@needs_bagpipes
def test_the_image_carries_what_it_was_made_with():
    image = MockImager(shape=(20, 30)).render(disc(), cameras(disc(), rng=1)[4], rng=1)
    assert isinstance(image, MultiBandImage)
    assert (image.bands, image.data.shape, image.redshift) == (NAMES, (7, 20, 30), pytest.approx(2))
    assert image.pixel_scale == 0.06 * u.arcsec
    assert image.psf.shape == (7, 31, 31)
    assert image.meta["camera"] == "cam04"
    assert image.meta["pixel_kpc"] == pytest.approx(32.7 / 64, rel=2e-3)
    assert "MockImager" in image.meta["history"][0]


def test_the_field_is_as_wide_as_in_the_paper():
    for redshift, kpc in ((1, 31.1), (2, 32.7), (3, 30.2)):  # METHODS 2
        assert 64 * 0.06 * kpc_per_arcsec(vela_cosmology(), redshift) == pytest.approx(kpc, abs=0.05)
    with pytest.raises(ValueError, match="redshift must lie above 0"):
        kpc_per_arcsec(vela_cosmology(), 0.0)


@needs_bagpipes
def test_a_galaxy_can_be_seen_at_another_redshift():
    snapshot, imager = disc(), MockImager()
    near, far = (imager.render(snapshot, TOP, redshift=z, noise=False) for z in (1.0, 3.0))
    assert near.redshift == 1
    assert near.data.sum() > 3 * far.data.sum()
    assert near.meta["pixel_kpc"] > far.meta["pixel_kpc"]
    again = imager.render(imager.scene(snapshot, redshift=1.0), TOP, noise=False)
    assert again.data.tobytes() == near.data.tobytes()
    with pytest.raises(ValueError, match="made for redshift 1, not 3"):
        imager.render(imager.scene(snapshot, redshift=1.0), TOP, redshift=3.0, noise=False)
    with pytest.raises(ValueError, match="this imager has F160W"):
        MockImager(bands=["F160W"]).render(imager.scene(snapshot), TOP, noise=False)


# dust


@needs_bagpipes
def test_dust_dims_blue_more_than_red_and_edge_on_more_than_face_on():
    snapshot, imager = disc(gas=8000), MockImager()
    bare = imager.scene(snapshot).flux.sum(axis=0)
    through = {camera.name: imager.render(snapshot, camera, noise=False).data.sum(axis=(1, 2)) / bare for camera in (TOP, SIDE)}
    for part in through.values():
        assert part[0] < part[3] < part[6] < 1
    assert (through["side"] < through["top"]).all()


@needs_bagpipes
def test_no_metals_are_no_dust():
    snapshot = disc(gas=3000)
    snapshot.gas["metallicity"][:] = 0
    one, other = (imager.render(snapshot, TOP, noise=False).data for imager in (MockImager(), MockImager(dust_to_metals=0)))
    assert one.tobytes() == other.tobytes()
    assert one.tobytes() == MockImager().render(disc(), TOP, noise=False).data.tobytes()


@needs_bagpipes
def test_the_curve_can_be_chosen():
    snapshot = disc(gas=8000)
    colour = {}
    for curve in ("calzetti", "milky way", "smc"):
        flux = MockImager(dust=Dust(curve=curve, scatter=0)).render(snapshot, TOP, noise=False).data.sum(axis=(1, 2))
        colour[curve] = flux[0] / flux[6]
    assert colour["smc"] < min(colour["milky way"], colour["calzetti"])


# noise


@needs_bagpipes
def test_the_same_seed_gives_the_same_bytes():
    snapshot, imager = disc(gas=500), MockImager()
    first, second, third = (imager.render(snapshot, TOP, rng=seed).data for seed in (4, np.random.default_rng(4), 5))
    assert first.tobytes() == second.tobytes() != third.tobytes()
    assert pickle.loads(pickle.dumps(imager)).render(snapshot, TOP, rng=4).data.tobytes() == first.tobytes()
    with pytest.raises(TypeError, match="render needs rng"):
        imager.render(snapshot, TOP)


@needs_bagpipes
def test_a_snapshot_without_stars_is_sky():
    empty = galaxy(empty_elements("stars"), gas_table(disc_positions(100)), scale_factor=1 / 3)
    imager = MockImager(shape=(96, 96))
    assert not imager.render(empty, TOP, noise=False).data.any()
    np.testing.assert_allclose(imager.render(empty, TOP, rng=1).sky_rms, CANDELS_RMS, rtol=0.06)


def noise_of(imager, seeds):
    """Images of next to nothing: the sky alone."""
    nothing = galaxy(star_table([[0.0, 0, 0]], mass=1e-6), scale_factor=1 / 3)
    return [imager.render(nothing, TOP, rng=seed).data for seed in range(seeds)]


@needs_bagpipes
def test_the_sky_has_the_scatter_and_correlation_of_its_model():
    noise = noise_of(MockImager(), 10)
    np.testing.assert_allclose(np.mean([sky_rms(one) for one in noise], axis=0), CANDELS_RMS, rtol=0.05)
    np.testing.assert_allclose(np.mean([sky_correlation(one) for one in noise], axis=0), CANDELS_CORRELATION, atol=0.03)


def real_sky(folder):
    letters = ("b", "v", "i", "z", "f105", "f125", "f160")
    for number in (1, 2):
        files = {name: folder / "candels_sky" / f"bk_{letter}_{number}.fits" for name, letter in zip(NAMES, letters, strict=True)}
        yield MultiBandImage.read(files, pixel_scale=0.06 * u.arcsec, native_scale=0.06 * u.arcsec)


def correlation(plane, rms):
    """Of neighbouring pixels, without sources and defects."""
    plane = np.where(abs(plane - np.median(plane)) < 5 * rms, plane, np.median(plane))
    return np.mean([np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in ((plane[1:], plane[:-1]), (plane[:, 1:], plane[:, :-1]))])


@needs_bagpipes
@pytest.mark.real_data
def test_noise_is_that_of_real_candels_sky(real_data):
    images = list(real_sky(real_data))
    rms = np.mean([image.sky_rms for image in images], axis=0)
    real = np.mean([[correlation(p, r) for p, r in zip(image.data, image.sky_rms, strict=True)] for image in images], axis=0)
    for imager in (MockImager(), MockImager(sky=SkyPatches(images=images))):
        noise = noise_of(imager, 12)
        found = np.mean([sky_rms(one) for one in noise], axis=0)
        np.testing.assert_allclose(found, rms, rtol=0.1)
        ours = np.mean([[correlation(p, r) for p, r in zip(one, found, strict=True)] for one in noise], axis=0)
        np.testing.assert_allclose(ours, real, rtol=0.1)


@needs_bagpipes
def test_sources_have_photon_noise():
    bright = galaxy(star_table(disc_positions(3000, radius=3.0, height=0.01), mass=3e6), scale_factor=1 / 3)
    sky = SkyModel(rms=(1e-5,) * 7, correlation=(0.0,) * 7, electrons_per_ujy=(1e4,) * 7)
    imager = MockImager(sky=sky, smoothing=300 * u.pc)
    clean = imager.render(bright, TOP, noise=False).data
    noise = np.array([imager.render(bright, TOP, rng=seed).data for seed in range(60)]) - clean
    middle = (slice(None), slice(28, 36), slice(28, 36))
    np.testing.assert_allclose(noise.var(axis=0)[middle].mean(axis=(1, 2)), (clean[middle] / 1e4).mean(axis=(1, 2)), rtol=0.1)


def blank(n=40, names=("F606W", "F160W"), value=None):
    data = np.random.default_rng(0).normal(0, 1e-3, (len(names), n, n + 10)) if value is None else np.full((len(names), n, n), value)
    return MultiBandImage(data=data * u.uJy, bands=names, pixel_scale=0.06 * u.arcsec)


def test_patches_are_parts_of_the_real_sky():
    image = blank()
    known = set(image.data.ravel().tolist())
    sky = SkyPatches(images=[image])
    one, other, again = (sky.sample((16, 24), rng=np.random.default_rng(seed)) for seed in (1, 2, 1))
    assert one.shape == (2, 16, 24)
    assert set(one.ravel().tolist()) <= known
    assert one.tobytes() == again.tobytes() != other.tobytes()


def test_aligned_patches_come_from_one_place():
    names = ("F606W", "F160W")
    plane = np.random.default_rng(0).normal(0, 1, (30, 30))
    image = MultiBandImage(data=np.stack([plane, 2 * plane]) * u.uJy, bands=names, pixel_scale=0.06 * u.arcsec)
    for aligned in (True, False):
        samples = [SkyPatches(images=[image], aligned=aligned).sample((8, 8), rng=np.random.default_rng(s)) for s in range(6)]
        assert all(np.allclose(2 * a, b) for a, b in samples) is aligned


def test_patches_have_the_photon_noise_of_the_source():
    sky = SkyPatches(images=[blank(value=0.0)], electrons_per_ujy=(1e3, 1e3))
    source = np.full((2, 32, 32), 0.1, dtype=np.float32)
    noise = np.array([sky.sample((32, 32), rng=np.random.default_rng(seed), source=source) for seed in range(12)])
    np.testing.assert_allclose(noise.std(axis=(0, 2, 3)), 0.01, rtol=0.05)


def test_patches_that_cannot_be_are_told():
    masked = blank()
    masked.mask[0, 3, 3] = True
    for bad, message in (
        ({"images": []}, "at least one blank image"),
        ({"images": [blank(), blank(names=("F606W",))]}, "the same bands and pixels"),
        ({"images": [masked]}, "1 masked pixels"),
        ({"images": [blank()], "electrons_per_ujy": (1.0,)}, "one value for each"),
    ):
        with pytest.raises(ValueError, match=message):
            SkyPatches(**bad)
    with pytest.raises(ValueError, match="smaller than 64 x 64"):
        SkyPatches(images=[blank()]).sample((64, 64), rng=np.random.default_rng(0))


# truth


def test_truth_squares_are_the_four_nearest_pixels():
    clumps = clump_table([[0, 0, 0], [4.0, -2.0, 1.0], [100.0, 0, 0]])
    squares, table = MockImager().truth(clumps, TOP, redshift=2.0)
    side = 0.06 * kpc_per_arcsec(vela_cosmology(), 2.0)
    np.testing.assert_allclose(table["x"].value, 31.5 + np.array([0, 4, 100]) / side)
    np.testing.assert_allclose(table["y"].value, 31.5 + np.array([0, -2, 0]) / side)
    assert table["inside"].tolist() == [1, 1, 0]
    assert table["depth"][1] == 1 * u.kpc
    assert squares.sum() == 8
    assert squares[31:33, 31:33].all()
    x, y = table["x"][1].value, table["y"][1].value
    distance = np.hypot(*(np.mgrid[:64, :64] - np.array([y, x])[:, None, None])).ravel()
    assert set(np.argsort(distance)[:4]) <= set(np.flatnonzero(squares.ravel()))


@needs_bagpipes
def test_clumps_lie_on_their_light():
    snapshot, imager = disc(), MockImager()
    for camera in cameras(snapshot, rng=2)[:14]:
        lump = replace(imager.scene(snapshot), flux=imager.scene(snapshot).flux * (imager.scene(snapshot).rows >= 2000)[:, None])
        image = imager.render(lump, camera, noise=False)
        _, table = imager.truth(clump_table([[2.0, 1.0, 0.0]]), camera, redshift=2.0)
        cx, cy, *_ = moments(image.band("F160W"))
        assert (cx, cy) == (pytest.approx(table["x"][0].value, abs=0.15), pytest.approx(table["y"][0].value, abs=0.15))


def test_the_bulge_and_some_short_lived_clumps_are_no_positives():
    clumps = clump_table(np.arange(15).reshape(5, 3), sfr=[1.0, 1.0, 0.0, 1e-3, 5.0] * u.Msun / u.yr, scale_factor=1 / 3)
    clumps["origin"] = ["bulge", "ex situ", "in situ", "in situ", "in situ"]
    clumps["longevity"] = ["", "LLC", "ZLC", "ZLC", "SLC"]
    imager = MockImager()

    def positives(**policy):
        return imager.truth(clumps, TOP, **policy)[1]["positive"].tolist()

    assert imager.truth(clumps, TOP)[1]["label"].tolist() == ["bulge", "ex situ", "ZLC", "ZLC", "SLC"]
    assert positives() == [0, 1, 0, 1, 1]
    assert positives(sf_zlc="none") == [0, 1, 0, 0, 1]
    assert positives(sf_zlc=1e-3, disc_sfr=10 * u.Msun / u.yr) == [0, 1, 0, 0, 1]
    assert positives(sf_zlc=1e-3, disc_sfr=0.1 * u.Msun / u.yr) == [0, 1, 0, 1, 1]
    with pytest.raises(ValueError, match="needs disc_sfr"):
        positives(sf_zlc=1e-3)
    with pytest.raises(ValueError, match="sf_zlc must be 'all', 'none'"):
        positives(sf_zlc="some")


def test_truth_of_a_found_table_needs_its_redshift():
    found = clump_table([[0, 0, 0], [1, 1, 1]], stage="found")
    with pytest.raises(ValueError, match="does not tell its redshift"):
        MockImager().truth(found, TOP)
    assert MockImager().truth(found, TOP, redshift=1.5)[1]["label"].tolist() == ["in situ"] * 2
    mixed = clump_table([[0, 0, 0], [1, 1, 1]], scale_factor=[0.3, 0.4])
    with pytest.raises(ValueError, match="clumps of 2 snapshots"):
        MockImager().truth(mixed, TOP)


def test_squares_over_the_edge_are_cut():
    assert square_map([-0.4, 3.9, 50.0], [0.2, 3.5, 1.0], (4, 4)).sum() == 2 + 1
    assert square_map([], [], (4, 4)).sum() == 0


# settings


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        ({"pixel_scale": 0.06}, TypeError, "pixel_scale must be a Quantity"),
        ({"bands": ["F606W", "F606W"]}, ValueError, "different bands"),
        ({"shape": (64,)}, ValueError, "shape must be"),
        ({"psf": 0.1}, TypeError, "psf must be an angle"),
        ({"psf": {"F606W": np.ones((5, 5))}}, ValueError, "no array for F435W"),
        ({"smoothing": "none"}, ValueError, "smoothing must be 'adaptive'"),
        ({"smoothing": 0.1}, TypeError, "smoothing must be a Quantity"),
        ({"smoothing": 3 * u.kpc}, ValueError, "at most 1 kpc"),
        ({"sky": 1.0}, TypeError, "sky must be a SkyModel"),
        ({"sky": SkyModel(rms=(1,), correlation=(0,))}, ValueError, "the sky has 1 bands"),
        ({"sky": SkyPatches(images=[blank()])}, ValueError, "the image has F435W"),
        ({"dust_to_metals": -0.4}, ValueError, "dust_to_metals"),
        ({"cold_temperature": 1e4}, TypeError, "cold_temperature must be a Quantity"),
    ],
)
def test_settings_that_cannot_be_are_told(bad, error, message):
    with pytest.raises(error, match=message):
        MockImager(**bad)


def test_settings_are_those_of_the_paper():
    imager = MockImager()
    assert (imager.bands, imager.shape, imager.dust_to_metals) == (NAMES, (64, 64), 0.4)
    assert imager.pixel_scale == 0.06 * u.arcsec
    assert imager.sky == SkyModel.candels(NAMES)
    assert imager.sky.rms == CANDELS_RMS


@needs_bagpipes
@pytest.mark.real_data
def test_clumps_of_a_hydrodynamical_disc_shine_where_the_truth_has_them(real_data):
    from astroclumps import ClumpFinder3D, Snapshot

    path = real_data / "sims" / "gizmo_clumpy_disc" / "snapshot_010.hdf5"
    disc = Snapshot.read(path, format="hdf5", old_star_age=[1, 3] * u.Gyr, metallicity=0.01, redshift=2.0, r_vir=100 * u.kpc)
    clumps, labels = ClumpFinder3D(cell_size=100 * u.pc).find(disc)
    clumps = clumps[clumps["n_stars"] >= 20]
    camera, imager = cameras(disc, rng=1)[0], MockImager()
    blue = imager.render(disc, camera, noise=False).band("F606W")
    squares, table = imager.truth(clumps, camera, redshift=2.0)
    assert table["inside"].all()
    on = blue[squares > 0].mean()
    beside = np.mean([blue[np.rot90(squares, turns) > 0].mean() for turns in (1, 2, 3)])
    assert on > 1.3 * beside
    light = imager.clump_light(disc, camera, labels)
    assert 0 < light["flux_f606w"].sum().value < blue.sum()
