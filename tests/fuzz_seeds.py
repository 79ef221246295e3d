"""Small right files for every reader; `astroclumps` reads each of them before it is damaged."""

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.table import QTable
from astropy.wcs import WCS

from astroclumps import MultiBandImage, catalog
from astroclumps.exceptions import CatalogError, ImageError, SnapshotError, SurveyError

SHAPE = (10, 12)


def values(*shape, seed=0):
    return np.random.default_rng(seed).normal(1, 0.3, shape).astype(np.float32)


def sky_wcs():
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.cunit, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], ["deg", "deg"], [53.1, -27.8], [6.0, 5.0]
    wcs.wcs.cdelt = [-0.06 / 3600, 0.06 / 3600]
    return wcs


def image():
    return MultiBandImage(
        data=values(2, *SHAPE) * u.uJy,
        bands=["F606W", "F160W"],
        uncertainty=np.full((2, *SHAPE), 0.1) * u.uJy,
        mask=values(2, *SHAPE, seed=2) > 1.5,
        wcs=sky_wcs(),
        psf=values(2, 5, 5, seed=3) ** 2,
        redshift=1.5,
        name="galaxy é",
        meta={"history": ["made", 3, None], "nested": {"a": [1.5, "ü"]}},
    )


def cube(folder):
    image().write(folder / "cube.fits")
    return folder / "cube.fits"


def cube_gz(folder):
    image().write(folder / "cube.fits.gz")
    return folder / "cube.fits.gz"


def _xdf():
    header = fits.Header({"BAND0": "F606W", "BAND1": "F160W", "ZPAB0": 26.5, "ZPAB1": 25.946, "X0": 405, "Y0": 47})
    header.update({"PIXSCALE": 0.06, "BUNIT": "electron/s"})
    return fits.ImageHDU(values(2, *SHAPE), header, name="SCI"), fits.ImageHDU(values(2, *SHAPE, seed=1), name="WHT")


def cube_xdf(folder):
    fits.HDUList([fits.PrimaryHDU(), *_xdf()]).writeto(folder / "xdf.fits")
    return folder / "xdf.fits"


def cube_tiles(folder):
    science = _xdf()[0]
    packed = fits.CompImageHDU(science.data, science.header, name="SCI", compression_type="RICE_1", tile_shape=(1, 5, 12))
    fits.HDUList([fits.PrimaryHDU(), packed]).writeto(folder / "tiles.fits")
    return folder / "tiles.fits"


def folklore(folder):
    header = sky_wcs().to_header()
    header.update({"WCSAXES": 3, "CTYPE3": "FILTER", "CRVAL3": 1, "CDELT3": 1, "CRPIX3": 1})
    header.update({"FILTER1": "hst/acs_f606w", "FILTER2": "F115W-CLEAR", "BUNIT": "10 nJy"})
    fits.writeto(folder / "folklore.fits", values(2, *SHAPE), header)
    return folder / "folklore.fits"


def bands(folder):
    for band, factor in (("f606w", 2), ("f160w", 1)):
        header = sky_wcs().to_header()
        header["CDELT1"], header["CDELT2"] = -0.06 / 3600 / factor, 0.06 / 3600 / factor
        header["CRPIX1"], header["CRPIX2"] = (6.0 - 0.5) * factor + 0.5, (5.0 - 0.5) * factor + 0.5
        header.update({"FILTER": band.upper(), "BUNIT": "electron/s", "PHOTFLAM": 1e-19, "PHOTPLAM": 15369.0, "EXPTIME": 900.0})
        science = fits.PrimaryHDU(values(*(side * factor for side in SHAPE)), header)
        weight = fits.ImageHDU(values(*(side * factor for side in SHAPE), seed=1), name="WHT")
        fits.HDUList([science, weight]).writeto(folder / f"galaxy_{band}_drz.fits")
    return folder / "galaxy_f606w_drz.fits"


def vela(folder):
    from astroclumps.hlsp import write_vela
    from astroclumps.mock.cameras import Camera

    camera = Camera(name="cam17", direction=(0.36, 0.48, 0.8), up=(-0.8, 0.6, 0.0))
    for band, factor in (("F606W", 2), ("F160W", 1)):
        one = MultiBandImage(
            data=values(1, *(side * factor for side in SHAPE)) * u.uJy, bands=[band], pixel_scale=0.06 / factor * u.arcsec, redshift=1.439
        )
        write_vela(one, folder, galaxy=7, camera=camera)
    return sorted(folder.rglob("*.fits"))[0]


def _clumps():
    table = catalog.make_table(["classified", "measured"], 5, bands=["F606W", "F160W"])
    rng = np.random.default_rng(4)
    for name in ("x", "y", "flux_f606w", "flux_f160w"):
        table[name][:] = rng.uniform(1, 9, 5) * table[name].unit
    table["longevity"] = np.array(["LLC", "SLC", "", "LLC", "SLC"])
    table["sky"] = image().sky(table["x"], table["y"])
    table["note"] = np.array(["ä", "", "clump, 3", "'\"", "日本"])
    table.meta["history"] = ["ContrastDetector()", "é"]
    table.meta["source"] = {"n": 3, "list": [1, 2.5]}
    return table


def catalog_ecsv(folder):
    catalog.write(_clumps(), folder / "clumps.ecsv")
    return folder / "clumps.ecsv"


def catalog_fits(folder):
    table = _clumps()
    table.remove_column("note")
    catalog.write(table, folder / "clumps.fits")
    return folder / "clumps.fits"


def catalog_votable(folder):
    catalog.write(_clumps(), folder / "clumps.vot")
    return folder / "clumps.vot"


def snapshot_npz(folder):
    from astroclumps.testing import example_snapshot

    example_snapshot().write(folder / "galaxy.npz")
    return folder / "galaxy.npz"


def _hdf5(layout):
    def make(folder):
        import gadget_files

        return gadget_files.write(folder / f"snap_{layout}.hdf5", layout)

    return make


def vela_text(folder):
    rng = np.random.default_rng(5)
    rows = [" ".join(f"{value:.5g}" for value in (0.2 + 0.1 * i, *rng.uniform(1, 1e5, 21))) for i in range(6)]
    (folder / "disc_catalog.txt").write_text("\n".join(["6", *rows]) + "\n")
    return folder / "disc_catalog.txt"


def galaxy_set(folder):
    from galaxy_sets import write_galaxy_set

    write_galaxy_set(folder, n_galaxies=2, n_images=2, n_clumps=3, shape=(16, 16))
    return folder / "galaxy-000.npz"


def mock_set(folder):
    n, k = 3, 7
    rng = np.random.default_rng(6)
    arrays = {"data": values(n, 2, 16, 16), "redshift": rng.uniform(1, 2, n), "number": np.array([2, 0, 5])}
    arrays |= {name: rng.uniform(0.1, 1, (n, 2)) for name in ("rms", "correlation", "electrons", "psf_fwhm", "galaxy_flux")}
    arrays |= {f"clump_{name}": rng.uniform(1, 9, k) for name in ("x", "y", "mass", "uv_ratio", "radius", "age", "sfr")}
    np.savez(folder / "mocks-00000.npz", **arrays, clump_long_lived=rng.uniform(size=k) > 0.5, clump_flux=rng.uniform(size=(k, 2)))
    return folder / "mocks-00000.npz"


def stamp_set(folder):
    rng = np.random.default_rng(7)
    arrays = {"stamps": values(4, 2, 10, 10), "long_lived": np.array([0.0, 1, 1, 0]), "galaxy": np.arange(4)}
    np.savez(
        folder / "stamps.npz", bands=np.array(["F606W", "F160W"]), **arrays, rms=rng.uniform(size=(4, 2)), correlation=np.zeros((4, 2))
    )
    return folder / "stamps.npz"


def mass_likelihood(folder):
    from astroclumps.sed.mass_likelihood import MassLikelihood

    rng = np.random.default_rng(8)
    grid = np.linspace(7, 9, 5)
    density = rng.uniform(0.5, 1, size=(2, 5, 5))
    tables = {"density": density / density.sum(axis=1, keepdims=True) / 0.5, "detected": np.full((2, 5), 0.4), "n": np.array([20, 30])}
    tables |= {"n_empty": np.array([1, 2]), "observed_limits": np.array([[7.0, 9.0]] * 2)}
    meta = {"format": 1, "name": "x", "widths_dex": [[0.1, 0.1, 0.1]] * 2, "n_groups": 3}
    MassLikelihood(r_edges=np.array([0.0, 1, 2]), log_mass=grid, log_observed=grid, **tables, meta=meta).write(folder / "likelihood.npz")
    return folder / "likelihood.npz"


def _galaxies():
    return QTable({"id": ["a", "b", "c"], "ra": [53.1, 53.2, 53.3] * u.deg, "dec": [-27.8] * 3 * u.deg, "redshift": [1.0, 1.5, 2.0]})


def galaxies_ecsv(folder):
    _galaxies().write(folder / "galaxies.ecsv")
    return folder / "galaxies.ecsv"


def galaxies_csv(folder):
    (folder / "galaxies.csv").write_text("id,ra,dec,redshift,mass\na,53.1,-27.8,1.0,1e10\nb,53.2,-27.7,1.5,2e10\nc,53.3,-27.6,,3e9\n")
    return folder / "galaxies.csv"


def galaxies_fits(folder):
    _galaxies().write(folder / "galaxies.fits")
    return folder / "galaxies.fits"


def galaxies_parquet(folder):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(
        pa.table({"id": ["a", "b", "c"], "ra": [1.0, 2, 3], "dec": [1.0, 2, 3], "redshift": [1.0, None, 2]}), folder / "list.parquet"
    )
    return folder / "list.parquet"


def population_cat(folder):
    text = "# NUMBER RA DEC f re q\n7 53.1 -27.8 0 0.41 0.6\n8 53.2 -27.7 3 -999 -999\n"
    (folder / "sizes.cat").write_text(text)
    return folder / "sizes.cat"


def population_fits(folder):
    QTable({"galaxy": [1, 2], "ra": [53.1, 53.2] * u.deg, "redshift": [1.0, 1.5], "mass": [1e9, 2e9] * u.Msun}).write(folder / "list.fits")
    return folder / "list.fits"


def _survey(kept):
    def make(folder):
        from survey_folders import write_survey

        write_survey(folder, 6, part_size=3, n_thumbnails=2)
        return folder / kept

    return make


def anything(folder):
    (folder / "snapshot.dat").write_bytes(np.random.default_rng(9).bytes(4000))
    return folder / "snapshot.dat"


# ---- what reads them


def _image(path):
    from astroclumps import io

    image = io.read(path)
    assert image.data.shape == (len(image.bands), *image.data.shape[-2:])
    assert image.data.size > 0
    assert image.mask.shape == image.data.shape
    assert 0 < image.pixel_scale.value < np.inf
    assert image.redshift is None or 0 <= image.redshift < np.inf
    return repr(image)


def _vela(path):
    from astroclumps.hlsp import read_vela

    return repr(read_vela(path.parent if path.name.startswith("hlsp") else path))


def _catalog(path):
    table = catalog.read(path)
    assert all(len(table[name]) == len(table) for name in table.colnames)
    assert all(isinstance(line, str) for line in table.meta["history"])
    return table.colnames


def _snapshot(path):
    from astroclumps import Snapshot

    snapshot = Snapshot.read(path)
    assert len(snapshot.stars) + len(snapshot.gas) > 0
    assert snapshot.scale_factor > 0
    for table in (snapshot.stars, snapshot.gas):
        assert all(np.isfinite(table[name].value).all() for name in ("position", "velocity", "mass"))
    return repr(snapshot)


def _text(path):
    from astroclumps.hlsp import read_vela_catalog

    return len(read_vela_catalog(path))


def _galaxy_set(path):
    from astroclumps.training.galaxy_set import GalaxySet

    made = GalaxySet(path.parent)
    return [len(made.clumps(i)["x"]) for i in range(len(made))]


def _mock_set(path):
    from astroclumps.training.dataset import MockSet

    made = MockSet(path.parent)
    return [len(made.clumps(i)["x"]) for i in range(len(made))]


def _stamps(path):
    from astroclumps.training.classifier import StampSet

    return len(StampSet.read(path))


def _likelihood(path):
    from astroclumps.sed.mass_likelihood import MassLikelihood

    return MassLikelihood.read(path).meta["format"]


def _list(path):
    from astroclumps.survey.galaxies import GalaxyList

    made = GalaxyList(path)
    return [made[i] for i in range(len(made))]


def _population(path):
    from astroclumps.population.galaxies import read_galaxies

    return len(read_galaxies(path, columns="3dhst-galfit" if path.suffix == ".cat" else None, missing=[-999], out_of_range="nan"))


def _dataset(path):
    from astroclumps.survey.dataset import Survey

    out = next(one for one in (path.parent, path.parent.parent) if (one / "manifest").is_dir())
    made = Survey(out)
    _ = made.summary
    return [len(made.clumps()), len(made.galaxies()), len(made.failures()), len(made.thumbnails())]


_IMAGE = (ImageError,)
_SNAPSHOT = (SnapshotError, FileNotFoundError)

READERS = {
    # name: (maker, reader, kind of file, documented exceptions)
    "image cube": (cube, _image, "fits", _IMAGE),
    "image cube .gz": (cube_gz, _image, "fits.gz", _IMAGE),
    "image cube XDF": (cube_xdf, _image, "fits", _IMAGE),
    "image cube tiles": (cube_tiles, _image, "fits", _IMAGE),
    "image folklore": (folklore, _image, "fits", _IMAGE),
    "image bands": (bands, lambda path: _image(path.parent), "fits", _IMAGE),
    "image VELA": (vela, _vela, "fits", _IMAGE),
    "catalog ECSV": (catalog_ecsv, _catalog, "ecsv", (CatalogError, FileNotFoundError)),
    "catalog FITS": (catalog_fits, _catalog, "fits", (CatalogError, FileNotFoundError)),
    "catalog VOTable": (catalog_votable, _catalog, "xml", (CatalogError, FileNotFoundError)),
    "snapshot npz": (snapshot_npz, _snapshot, "npz", _SNAPSHOT),
    **{
        f"snapshot {layout}": (_hdf5(layout), _snapshot, "hdf5", (*_SNAPSHOT, IsADirectoryError))
        for layout in ("gizmo", "tng", "eagle", "swift")
    },
    "snapshot yt": (anything, _snapshot, "text", _SNAPSHOT),
    "VELA text": (vela_text, _text, "text", (CatalogError, FileNotFoundError)),
    "galaxy set": (galaxy_set, _galaxy_set, "npz", (ValueError, FileNotFoundError)),
    "mock set": (mock_set, _mock_set, "npz", (ValueError, FileNotFoundError)),
    "stamp set": (stamp_set, _stamps, "npz", (ValueError, FileNotFoundError)),
    "mass likelihood": (mass_likelihood, _likelihood, "npz", (ValueError, FileNotFoundError)),
    "galaxies ECSV": (galaxies_ecsv, _list, "ecsv", (SurveyError,)),
    "galaxies CSV": (galaxies_csv, _list, "text", (SurveyError,)),
    "galaxies FITS": (galaxies_fits, _list, "fits", (SurveyError,)),
    "galaxies Parquet": (galaxies_parquet, _list, "binary", (SurveyError,)),
    "population text": (population_cat, _population, "text", (CatalogError, FileNotFoundError)),
    "population FITS": (population_fits, _population, "fits", (CatalogError, FileNotFoundError)),
    "survey settings": (_survey("survey.json"), _dataset, "text", (SurveyError,)),
    "survey manifest": (_survey("manifest/part-00000.json"), _dataset, "text", (SurveyError,)),
    "survey clumps": (_survey("clumps/part-00000.parquet"), _dataset, "binary", (SurveyError,)),
    "survey thumbnails": (_survey("thumbnails/part-00000.parquet"), _dataset, "binary", (SurveyError,)),
}
NEEDS = {
    "snapshot yt": "yt",
    "galaxies Parquet": "pyarrow",
    **{f"survey {n}": "pyarrow" for n in ("settings", "manifest", "clumps", "thumbnails")},
}
