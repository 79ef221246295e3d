"""The reference fit with bagpipes and nautilus."""

import builtins
import os

import astropy.units as u
import numpy as np
import pytest
from test_sed_library import NAMES, clump_table

from astroclumps import catalog, starlight
from astroclumps.catalog import Flag
from astroclumps.sed import BagpipesSED, LibrarySED, bagpipes

pytestmark = pytest.mark.needs_bagpipes


class PriorSampler:
    """Stands in for nautilus where only the plumbing is tested: draws from the prior, weighed by the likelihood."""

    def __init__(self, prior, likelihood, *, n_dim, n_live, seed):
        self.prior, self.likelihood, self.n_dim = prior, likelihood, n_dim
        self.rng = np.random.default_rng(seed)
        self.n_draws = 5 * n_live

    def run(self, *, n_eff, verbose):
        cubes = self.rng.random((self.n_draws, self.n_dim))
        self.points = np.array([self.prior(cube) for cube in cubes])
        self.log_like = np.array([self.likelihood(point) for point in self.points])
        self.log_z = np.logaddexp.reduce(self.log_like) - np.log(self.n_draws)

    def posterior(self):
        return self.points, self.log_like - np.logaddexp.reduce(self.log_like), self.log_like


@pytest.fixture
def quick(monkeypatch):
    nautilus = pytest.importorskip("nautilus", reason="the sampler of BagpipesSED")
    monkeypatch.setattr(nautilus, "Sampler", PriorSampler)


def test_missing_bagpipes_names_the_extra(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("bagpipes"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r'pip install "astroclumps\[sed\]"'):
        bagpipes._import.__wrapped__()


def test_fit_writes_no_file_and_prints_nothing(quick, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    table, _ = clump_table(1, signal_to_noise=3)
    before = table.copy()
    fitted = BagpipesSED(n_live=40).fit(table, redshift=1.5)
    catalog.validate(fitted, "fitted", who="BagpipesSED", bands=NAMES)
    assert os.listdir(tmp_path) == []
    assert capfd.readouterr().out == ""
    assert table.colnames == before.colnames
    assert fitted.meta["history"][-1].startswith("BagpipesSED(")
    assert fitted["mass_lo"][0] <= fitted["mass"][0] <= fitted["mass_hi"][0]


def test_same_seed_same_numbers(quick):
    table, _ = clump_table(1, signal_to_noise=3)
    first, again, other = (BagpipesSED(n_live=20, seed=seed).fit(table, redshift=1.5) for seed in (0, 0, 1))
    assert first["mass"][0] == again["mass"][0] != other["mass"][0]


def test_chi_squared_of_both_backends_is_the_same(quick):
    table, _ = clump_table(1, signal_to_noise=10)
    table["flux_f775w"][0] = np.nan * u.uJy
    fitted = BagpipesSED(n_live=30, error_floor=0).fit(table, redshift=1.5)[0]
    best = {name: fitted[f"best_{name}"] for name in ("age", "tau", "metallicity", "a_v")}
    model = starlight.component_fluxes(NAMES, 1.5, sfh="tau", **best)
    chi2 = 0
    for b, name in enumerate(NAMES):
        if name != "F775W":
            flux = (model.flux[0, b] * fitted["best_mass_formed"]).to_value(u.uJy)
            chi2 += ((flux - table[f"flux_{name.lower()}"][0].value) / table[f"flux_err_{name.lower()}"][0].value) ** 2
    assert fitted["chi2"] == pytest.approx(chi2, rel=0.02)


def test_both_histories_and_rows_without_bands(quick):
    table, _ = clump_table(2, signal_to_noise=3)
    for name in NAMES[1:]:
        table[f"flux_err_{name.lower()}"][1] = np.nan * u.uJy
    fitted = BagpipesSED(sfh="both", n_live=20).fit(table, redshift=1.5)
    assert fitted["sfh"][0] in ("tau", "constant")
    assert fitted["flags"][1] == Flag.SED_FAILED
    assert np.isnan(fitted["mass"][1])


def test_spectrum_agrees_with_the_one_of_the_library(quick):
    pytest.importorskip("specutils", reason="spectrum returns a specutils.Spectrum")
    table, _ = clump_table(1, signal_to_noise=3)
    fitted = BagpipesSED(n_live=20).fit(table, redshift=1.5)
    theirs, ours = (backend.spectrum(fitted[0], redshift=1.5) for backend in (BagpipesSED(), LibrarySED()))
    for start in (5000, 9000, 15000):
        wave = np.arange(start, 1.2 * start)
        values = [np.interp(wave, s.spectral_axis.to_value(u.AA), s.flux.to_value(u.uJy)).mean() for s in (theirs, ours)]
        assert values[0] == pytest.approx(values[1], rel=0.05)


def test_redshift_beyond_bagpipes_is_refused():
    table, _ = clump_table(1)
    with pytest.raises(ValueError, match="bagpipes reaches redshift 10"):
        BagpipesSED().fit(table, redshift=11.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"sfh": "delayed"}, "'tau', 'constant' or 'both'"), ({"n_live": 5}, "at least 20"), ({"n_effective": 0}, "must be positive")],
)
def test_bad_settings(options, message):
    with pytest.raises(ValueError, match=message):
        BagpipesSED(**options)


@pytest.mark.slow
def test_library_agrees_with_nested_sampling():
    pytest.importorskip("nautilus", reason="the sampler of BagpipesSED")
    table, _ = clump_table(1, signal_to_noise=10)
    options = {"sfh": "constant", "error_floor": 0}
    theirs = BagpipesSED(n_live=100, n_effective=200, **options).fit(table, redshift=1.5)
    ours = LibrarySED(**options).fit(table, redshift=1.5)
    assert np.log10(ours["mass"] / theirs["mass"])[0].value == pytest.approx(0, abs=0.06)
    assert ours["log_evidence"][0] == pytest.approx(theirs["log_evidence"][0], abs=0.3)
    assert ours["age"][0].value == pytest.approx(theirs["age"][0].value, rel=0.2)
