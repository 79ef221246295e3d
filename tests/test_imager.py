"""Mock images: flux, places, noise, dust, and what is carried along."""

import pickle
from dataclasses import replace

import astropy.units as u
import numpy as np
import pytest
from mock_light import SIDE, TOP, disc, moments
from simulated_galaxies import disc_positions, galaxy, gas_table, star_table

from astroclumps import MockImager, MultiBandImage, bands
from astroclumps.mock.cameras import Camera, cameras
from astroclumps.mock.dust import Dust
from astroclumps.mock.sky import CANDELS_CORRELATION, CANDELS_RMS, SkyModel, SkyPatches
from astroclumps.mock.truth import kpc_per_arcsec
from astroclumps.noise import sky_correlation, sky_rms
from astroclumps.simulation.elements import empty_elements
from astroclumps.simulation.snapshot import vela_cosmology

needs_bagpipes = pytest.mark.needs_bagpipes
NAMES = tuple(band.name for band in bands.CANDELS)
BLANK = MultiBandImage(data=np.zeros((1, 70, 70)) * u.uJy, bands=["F606W"], pixel_scale=0.06 * u.arcsec)


def one_star(x=0.0, y=0.0, z=0.0):
    return galaxy(star_table([[x, y, z]], mass=1e7), scale_factor=1 / 3)


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
        (
            {"sky": SkyPatches(images=[BLANK])},
            ValueError,
            "the image has F435W",
        ),
        ({"dust_to_metals": -0.4}, ValueError, "dust_to_metals"),
        ({"dust_to_metals": 0.2, "dust": Dust()}, ValueError, "dust_to_metals is 0.2 beside Dust"),
        ({"cold_temperature": 1e4}, TypeError, "cold_temperature must be a Quantity"),
    ],
)
def test_settings_that_cannot_be_are_told(bad, error, message):
    with pytest.raises(error, match=message):
        MockImager(**bad)


@needs_bagpipes
def test_settings_can_be_replaced():
    snapshot, imager = disc(gas=3000), MockImager(psf=0.15 * u.arcsec)
    wide = replace(imager, psf=0.3 * u.arcsec)
    again = replace(wide, psf=imager.psf)
    images = [one.render(snapshot, TOP, noise=False).data for one in (imager, wide, again)]
    assert images[0].tobytes() == images[2].tobytes()
    assert images[1].max() < 0.9 * images[0].max()
    assert replace(imager, dust_to_metals=0).render(snapshot, TOP, noise=False).data.sum() > images[0].sum()
    both = [replace(imager, dust=Dust(dust_to_metals=0.2)), replace(imager, dust_to_metals=0.2)]
    one, other = (one.render(snapshot, TOP, noise=False).data for one in both)
    assert one.tobytes() == other.tobytes()


def test_settings_are_those_of_the_paper():
    imager = MockImager()
    assert (imager.bands, imager.shape, imager.dust_model.dust_to_metals) == (NAMES, (64, 64), 0.4)
    assert imager.pixel_scale == 0.06 * u.arcsec
    assert imager.sky == SkyModel.candels(NAMES)
    assert imager.sky.rms == CANDELS_RMS
