"""Each check passes what keeps the contract and catches the one thing that a fake gets wrong."""

import dataclasses
import warnings

import astropy.units as u
import numpy as np
import pytest

from astroclumps import MultiBandImage, catalog, testing
from astroclumps.exceptions import ImageError, NoClumpsWarning, PluginError

BANDS = ("F606W", "F125W", "F160W")


@dataclasses.dataclass(frozen=True)
class Brightest:
    """A good detector: the brightest unmasked pixel, if it stands out of the image."""

    def detect(self, image):
        plane = np.where(image.mask.any(axis=0), 0, image.data.sum(axis=0))
        table = catalog.make_table("detected", int(plane.max() > 0.01))
        if not len(table):
            warnings.warn("no clumps", NoClumpsWarning, stacklevel=2)
            return table
        y, x = np.unravel_index(plane.argmax(), plane.shape)
        table["x"], table["y"] = [float(x)] * u.pix, [float(y)] * u.pix
        table["score"], table["n_pixels"] = 1.0, 1
        table["sky"] = image.sky([x], [y])
        catalog.add_history(table, repr(self))
        return table


class WrongUnit(Brightest):
    def detect(self, image):
        table = super().detect(image)
        table["x"] = table["x"].value * u.arcsec
        return table


class NoScore(Brightest):
    def detect(self, image):
        table = super().detect(image)
        table.remove_column("score")
        return table


class OffByOne(Brightest):
    def detect(self, image):
        table = super().detect(image)
        table["id"] -= len(table) > 0
        return table


class TwoOffset(Brightest):
    def detect(self, image):
        table = super().detect(image)
        table["id"] += 5
        return table


class Outside(Brightest):
    def detect(self, image):
        table = super().detect(image)
        table["x"] += 100 * u.pix
        return table


class WrongSky(Brightest):
    def detect(self, image):
        table = super().detect(image)
        if len(table):
            table["sky"] = image.sky(table["x"].value + 1, table["y"].value)
        return table


class Silent(Brightest):
    def detect(self, image):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return super().detect(image)


class NoneForNothing(Brightest):
    def detect(self, image):
        return super().detect(image) if image.data.max() > 0.01 else None


class Scribbler(Brightest):
    def detect(self, image):
        image.data[0, 0, 0] += 1
        return super().detect(image)


class MetaScribbler(Brightest):
    def detect(self, image):
        image.meta["seen"] = True
        return super().detect(image)


class Unseeded(Brightest):
    def detect(self, image):
        table = super().detect(image)
        table["score"] = np.random.default_rng().random(len(table))
        return table


class Counting(Brightest):
    calls = 0

    def __reduce__(self):
        return _counted, ()

    def detect(self, image):
        table = super().detect(image)
        table["n_pixels"] = self.calls
        return table


def _counted():
    made = Counting()
    object.__setattr__(made, "calls", 100)
    return made


class Unpicklable(Brightest):
    def __reduce__(self):
        raise TypeError("cannot pickle '_thread.lock' object")


class Crashing(Brightest):
    def detect(self, image):
        if image.mask.all():
            raise IndexError("argmax of an empty sequence")
        return super().detect(image)


class Dreamer(Brightest):
    def detect(self, image):
        table = catalog.make_table("detected", 1)
        table["x"], table["y"], table["score"] = [3.0] * u.pix, [3.0] * u.pix, 1.0
        return table


class HistoryOfNumbers(Brightest):
    def detect(self, image):
        table = super().detect(image)
        table.meta["history"] = [1]
        return table


def test_a_good_detector_passes():
    testing.check_detector(Brightest(), bands=BANDS)


@pytest.mark.parametrize(
    ("detector", "message"),
    [
        (WrongUnit, "WrongUnit, galaxy with clumps: column 'x' must have the unit pix, got the unit arcsec"),
        (NoScore, "NoScore, galaxy with clumps: column 'score' of stage detected is missing"),
        (OffByOne, "OffByOne, galaxy with clumps: column 'id' must"),
        (TwoOffset, r"column 'id' must run from 1 to 1, got \[.*6.*\]"),
        (Outside, r"column 'x' must lie between -0.5 and 63.5, inside the image, got \[140.0\]"),
        (WrongSky, r"column 'sky' is up to 0.06 arcsec away from \(x, y\)"),
        (Silent, "Silent, blank image: NoClumpsWarning must be given when nothing was found, and only then"),
        (NoneForNothing, "NoneForNothing, blank image: a table must be an astropy QTable, got NoneType"),
        (Scribbler, "Scribbler, galaxy with clumps: changed the image it was given"),
        (MetaScribbler, "MetaScribbler, galaxy with clumps: changed the image it was given"),
        (Unseeded, "Unseeded, the same input again: gave another table: column 'score'"),
        (Counting, "Counting, a pickled copy: gave another table: column 'n_pixels'"),
        (Unpicklable, "Unpicklable cannot be pickled, so it cannot be sent to a worker: cannot pickle '_thread.lock' object"),
        (Crashing, "Crashing, all pixels masked: raised IndexError: argmax of an empty sequence"),
        (Dreamer, "Dreamer, blank image: found 1 clumps where there are none"),
        (HistoryOfNumbers, r"meta\['history'\] must be a list of str, got \[1\]"),
    ],
)
def test_a_detector_that_breaks_the_contract_is_named(detector, message):
    with pytest.raises(PluginError, match=message):
        testing.check_detector(detector(), bands=BANDS)


@pytest.mark.parametrize("check", [testing.check_detector, testing.check_classifier, testing.check_sed_backend])
def test_an_object_without_the_verb_and_a_class_are_refused(check):
    with pytest.raises(PluginError, match=r"int has no method \w+\(\)"):
        check(3)
    with pytest.raises(PluginError, match=r"Brightest is a class; make an object of it first: Brightest\(\)"):
        check(Brightest)


@dataclasses.dataclass(frozen=True)
class ByScore:
    """A good classifier: a number from the pixel under the clump."""

    def classify(self, image, clumps):
        table = clumps.copy()
        x, y = (np.asarray(clumps[name].value, dtype=int) for name in ("x", "y"))
        flux = np.where(image.mask.any(axis=0), np.nan, image.data.mean(axis=0))[y, x]
        table["p_long"] = 1 / (1 + np.exp(-flux.astype(float)))
        table["p_long_err"] = np.zeros(len(table)) + 0 * flux
        table["longevity"] = np.where(np.isnan(flux), "", np.where(flux > 0.01, "LLC", "SLC")).astype("U3")
        catalog.add_history(table, repr(self))
        return table


def spoiled(base, verb, spoil):
    """A class whose result is spoiled before it is returned."""

    def method(self, *args, **options):
        return spoil(getattr(base, verb)(self, *args, **options), *args)

    return type("Spoiled", (base,), {verb: method})


def with_column(name, value):
    def spoil(table, *args):
        table[name] = value(table) if callable(value) else value
        return table

    return spoil


def unseeded(table):
    return np.random.default_rng().random(len(table))


def scribble(table, *args):
    args[-1]["x"] += 1 * u.pix
    return table


def forget(table, *args):
    table.meta["history"] = table.meta["history"][-1:]
    return table


def without(name):
    def spoil(table, *args):
        table.remove_column(name)
        return table

    return spoil


class InPlace(ByScore):
    def classify(self, image, clumps):
        made = super().classify(image, clumps)
        for name in ("p_long", "p_long_err", "longevity"):
            clumps[name] = made[name]
        return clumps


def test_a_good_classifier_passes():
    testing.check_classifier(ByScore(), bands=BANDS)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (with_column("p_long", lambda table: table["p_long"] + 1), r"column 'p_long' must lie between 0 and 1 or be NaN, got 1\."),
        (with_column("longevity", "old"), "column 'longevity' is 'old' where p_long is"),
        (with_column("p_long_err", lambda table: np.full(len(table), 3)), "column 'p_long_err' must hold float64"),
        (without("p_long"), "column 'p_long' of stage classified is missing"),
        (without("my_column"), r"lost the columns \['my_column'\]"),
        (with_column("score", 0.1), "must add columns to a copy and keep the others, changed column 'score'"),
        (lambda table, *args: table[1:], "4 rows went in, 3 came out; a row that fails gets NaN and a flag"),
        (lambda table, *args: table[::-1], "changed column 'id'"),
        (scribble, "changed the table it was given: column 'x'"),
        (forget, r"lost lines of meta\['history'\]"),
        (lambda table, *args: None, "must be an astropy QTable"),
    ],
)
def test_a_classifier_that_breaks_the_contract_is_named(spoil, message):
    with pytest.raises(PluginError, match=message):
        testing.check_classifier(spoiled(ByScore, "classify", spoil)(), bands=BANDS)


def test_a_classifier_that_works_in_place_is_named():
    with pytest.raises(PluginError, match="InPlace, galaxy with clumps: changed the table it was given: columns"):
        testing.check_classifier(InPlace(), bands=BANDS)


def test_a_classifier_that_cannot_take_an_empty_table_is_named():
    def spoil(table, *args):
        return table if len(table) else 1 / 0

    with pytest.raises(PluginError, match="no clumps: raised ZeroDivisionError"):
        testing.check_classifier(spoiled(ByScore, "classify", spoil)(), bands=BANDS)


@dataclasses.dataclass(frozen=True)
class OneNumber:
    """A good SED backend: the same posterior for all that have a flux."""

    def fit(self, photometry, *, redshift):
        if not redshift > 0:
            raise ValueError(f"redshift must be positive, got {redshift}")
        table = photometry.copy()
        usable = np.any([np.isfinite(table[name].value) for name in table.colnames if name.startswith("flux_f")], axis=0)
        for column in catalog.columns("fitted"):
            if column.stage == "fitted":
                value = 0.5 + 0.1 * column.name.endswith("_hi") - 0.1 * column.name.endswith("_lo")
                values = np.full(len(table), "tau") if column.dtype == "str" else np.where(usable, value, np.nan)
                table[column.name] = values if column.unit is None else values * column.unit
        table["redshift"] = np.full(len(table), redshift)
        table["flags"] = table["flags"] | np.where(usable, 0, int(catalog.Flag.SED_FAILED))
        catalog.add_history(table, repr(self))
        return table


class TakesAnything(OneNumber):
    def fit(self, photometry, *, redshift):
        return super().fit(photometry, redshift=abs(np.nan_to_num(redshift)) or 1.5)


class Offended(OneNumber):
    def fit(self, photometry, *, redshift):
        if not redshift > 0:
            raise KeyError(redshift)
        return super().fit(photometry, redshift=redshift)


def test_a_good_sed_backend_passes():
    testing.check_sed_backend(OneNumber(), bands=BANDS)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (with_column("mass", 0 * u.Msun), "percentiles of 'mass' must rise, got 0.4, 0.0, 0.6"),
        (with_column("sfr_lo", np.nan * u.Msun / u.yr), "percentiles of 'sfr' must rise"),
        (with_column("age", lambda table: np.nan_to_num(table["age"])), "column 'age' must be NaN for a clump without any band, got 0.0"),
        (with_column("age", lambda table: table["age"].to(u.Myr)), "column 'age' must have the unit Gyr, got the unit Myr"),
        (with_column("flags", lambda table: np.full(len(table), 16)), "flag SED_FAILED must be set where the fit failed"),
        (with_column("flags", lambda table: np.full(len(table), 48)), "flag SED_FAILED must be set where the fit failed, and only there"),
        (with_column("flags", lambda table: table["flags"] & 32), "flags that were set must stay set"),
        (with_column("redshift", 2.0), "column 'redshift' must hold the redshift given, 1.5"),
        (with_column("flux_f160w", 1 * u.uJy), "must add columns to a copy and keep the others, changed column 'flux_f160w'"),
        (without("background_f125w"), "column 'background_f125w' of stage measured is missing"),
        (lambda table, *args: table[:1], "2 rows went in, 1 came out"),
        (scribble, "changed the photometry it was given: column 'x'"),
        (forget, r"lost lines of meta\['history'\]"),
        (with_column("chi2", unseeded), "the same input again: gave another table: column 'chi2'"),
    ],
)
def test_a_sed_backend_that_breaks_the_contract_is_named(spoil, message):
    with pytest.raises(PluginError, match=message):
        testing.check_sed_backend(spoiled(OneNumber, "fit", spoil)(), bands=BANDS)


def test_a_sed_backend_that_takes_a_wrong_redshift_is_named():
    with pytest.raises(PluginError, match="redshift=nan must raise a ValueError, was taken"):
        testing.check_sed_backend(TakesAnything(), bands=BANDS)
    with pytest.raises(PluginError, match="redshift=nan must raise a ValueError, raised KeyError"):
        testing.check_sed_backend(Offended(), bands=BANDS)


def read_numpy(path, *, name="read"):
    """A good reader of a format of its own."""
    try:
        with open(path, "rb") as file:
            content = np.load(file)
            return MultiBandImage(data=content["data"] * u.uJy, bands=content["bands"].tolist(), name=name)
    except FileNotFoundError:
        raise
    except Exception as exc:
        raise ImageError(f"{path} is no image: {exc}") from exc


def read_array(path):
    return np.load(path)["data"]


def read_and_touch(path):
    image = read_numpy(path)
    with open(path, "ab") as file:
        file.write(b"\0")
    return image


def read_any(path):
    return testing.example_image(bands=BANDS)


def read_with_other_errors(path):
    with open(path, "rb") as file:
        content = np.load(file)
        return MultiBandImage(data=content["data"] * u.uJy, bands=content["bands"].tolist())


def read_unseeded(path):
    return testing.example_image(bands=BANDS, seed=np.random.default_rng().integers(10**6))


@pytest.fixture
def image_file(tmp_path):
    path = tmp_path / "image.npz"
    image = testing.example_image(bands=BANDS)
    np.savez(path, data=image.data, bands=np.array(image.bands))
    return path


def test_a_good_reader_passes(image_file):
    testing.check_image_reader(read_numpy, image_file, name="other")


@pytest.mark.parametrize(
    ("reader", "message"),
    [
        (read_array, "read_array must return a MultiBandImage, got ndarray"),
        (read_and_touch, "read_and_touch changed the file"),
        (read_any, "read_any, a missing file: must raise ImageError or FileNotFoundError, was read"),
        (read_with_other_errors, "a truncated file: must raise ImageError, raised BadZipFile"),
        (read_unseeded, "read_unseeded, again: the same file gave another image"),
        (lambda path: read_numpy(path), "cannot be pickled"),
        (7, "int cannot be called"),
    ],
)
def test_a_reader_that_breaks_the_contract_is_named(image_file, reader, message):
    with pytest.raises(PluginError, match=message):
        testing.check_image_reader(reader, image_file)


def test_the_example_image_is_the_same_for_the_same_seed():
    one, same, other = (testing.example_image(bands=BANDS, seed=seed) for seed in (0, 0, 1))
    assert (one.data == same.data).all()
    assert (one.data != other.data).any()


def test_the_example_photometry_is_of_its_stage():
    catalog.validate(testing.example_photometry(), "measured", who="example_photometry")
