"""Every number that the package takes from Ginzburg et al. (2021), or chose where the paper is silent, asserted once.

The section is the paper's; "ours" marks a choice of this package, which docs/paper.rst lists.
"""

import inspect

import astropy.units as u
import numpy as np
import pytest

from astroclumps import (
    ClumpFinder3D,
    ClumpPhotometry,
    ClumpTracker,
    ContrastDetector,
    LibrarySED,
    LongevityClassifier,
    SersicMocks,
    SyntheticSuite,
    bands,
)
from astroclumps.detection import contrast, host, sources, stretch
from astroclumps.evaluation import curves, matching
from astroclumps.image import DEFAULT_PIXEL_SCALE
from astroclumps.longevity import stamps
from astroclumps.mock import sky
from astroclumps.photometry import background
from astroclumps.sed import priors
from astroclumps.simulation import boundedness, disc, finder, origin, projection, properties, snapshot
from astroclumps.simulation.lifetimes import clump_times, longevity
from astroclumps.synthetic import clumps as synthetic_clumps
from astroclumps.synthetic import relations
from astroclumps.synthetic.galaxy import scale_factors
from astroclumps.training import augment


def default(function, name):
    return inspect.signature(function).parameters[name].default


# clumps in simulations: sections 3.1.1 to 3.1.3, METHODS 1


def test_cold_mass_is_gas_below_15000_k_and_stars_below_100_myr():  # section 3.1.2
    for function in (ClumpFinder3D, disc.measure_disc):
        assert default(function, "cold_temperature") == 1.5e4 * u.K
        assert default(function, "young_age") == 100 * u.Myr
    assert default(projection.project, "cold_temperature") == 1.5e4 * u.K  # Fig. 3


def test_the_disc_holds_85_percent_of_the_cold_mass():  # section 3.1.2; METHODS 1
    assert disc._PART == 0.85
    assert disc._REACH == 0.15  # virial radii
    assert disc._SHEET == 1.0  # kpc, half-thickness of the first cylinder


def test_cells_are_70_pc():  # section 3.1.2
    assert ClumpFinder3D().cell_size == 70 * u.pc


def test_the_background_is_half_of_r_d_and_at_most_2_5_kpc():  # section 3.1.2
    class Galaxy:
        name = "galaxy"

    for radius, width in ((4.0, 2.0), (5.0, 2.5), (9.0, 2.5)):
        Galaxy.disc = type("Disc", (), {"r_d": radius * u.kpc})
        assert ClumpFinder3D()._fwhm(Galaxy) == width
    assert finder.FWHM == pytest.approx(2.3548, abs=1e-4)  # of a Gaussian, in standard deviations


def test_clumps_are_eight_connected_cells_above_an_overdensity_of_10():  # section 3.1.2
    assert (ClumpFinder3D().overdensity, ClumpFinder3D().min_cells) == (10, 8)


def test_cells_are_connected_by_faces():  # ours: section 3.1.2 does not say
    assert ClumpFinder3D().connectivity == 6


def test_regions_of_few_elements_are_left_out_and_nothing_is_unbound():  # ours; section 3.1.2 deposits all
    assert ClumpFinder3D().min_elements == 10
    assert ClumpFinder3D().unbind is False


def test_the_grid_holds_the_disc():  # ours: R_d and 3 H_d, from a corner on the centre
    assert ClumpFinder3D().extent == (1, 3)
    assert ClumpFinder3D().origin is None


def test_the_bulge_lies_within_two_cells():  # section 3.1.3
    assert origin.BULGE_CELLS == 2


def test_ex_situ_clumps_have_dark_matter():  # section 3.1.3; the threshold is ours
    assert ClumpFinder3D().ex_situ_overdensity == 0.5


def test_star_formation_is_that_of_60_myr():  # METHODS 5
    assert properties.SFR_TIME == 0.06  # Gyr
    assert disc._SFR_TIME == 60 * u.Myr


def test_the_virial_parameter_has_a_factor_of_5_over_3():  # ours: METHODS 1 says of order 1
    assert properties.VIRIAL_FACTOR == 5 / 3


def test_gravity_is_that_of_astropy():
    from astropy.constants import G

    assert boundedness.G == pytest.approx(G.to_value(u.kpc * u.km**2 / u.s**2 / u.Msun), rel=1e-4)


def test_the_halo_ends_at_200_times_the_critical_density():  # ours
    assert snapshot._OVERDENSITY == 200


def test_the_cosmology_is_that_of_vela():  # METHODS 2
    cosmology = snapshot.vela_cosmology()
    assert (cosmology.H0.value, cosmology.Om0, cosmology.Ok0) == (70.4, 0.2726, 0)


def test_clumps_of_ten_stars_are_tracked_by_a_quarter_of_their_stars():  # section 3.1.2
    assert (ClumpTracker().min_stars, ClumpTracker().shared_fraction) == (10, 0.25)


def test_progenitors_are_looked_for_up_to_the_first_snapshot():  # section 3.1.2
    assert ClumpTracker().max_gap is None
    assert ClumpTracker().min_shared == 1


def test_clump_time_begins_with_the_mean_age_where_that_is_no_older_than_a_step():  # section 3.1.2
    for age, expected in ((0.12, 0.12), (0.13, 0.0)):
        times, _ = clump_times(np.array([1.0]), np.array([0.12]), np.array([age]), np.array([0]))
        assert times[0] == expected


def test_long_lived_from_20_free_fall_times():  # section 3.1.3
    assert ClumpTracker().long_lived == 20
    lifetime = np.array([0.0, 1e-3, 199.9, 200.0])
    assert longevity(lifetime, np.full(4, 10.0), long_lived=20).tolist() == ["ZLC", "SLC", "SLC", "LLC"]


def test_synthetic_snapshots_are_a_hundredth_in_scale_factor_apart():  # section 3.1.1; a from about 0.2 to 0.5 (METHODS 1)
    made = scale_factors(np.random.default_rng(0), 20)
    assert np.allclose(np.diff(made), 0.01)
    assert made[0] >= 0.2
    assert made[-1] <= 0.5
    assert SyntheticSuite(n_galaxies=1, seed=0).n_snapshots == 20  # ours


def test_synthetic_discs_are_those_of_methods_1():
    assert relations._RD_RVIR[2:] == (0.07, 0.12)
    assert relations._HD_RD[2:] == (0.30, 0.55)


def test_synthetic_clumps_are_those_of_methods_1():
    assert synthetic_clumps._MASSES == (10**6.5, 10**9.5)
    # a power law; the input is shallower than METHODS 1, so that what is found (docs/tables/synthetic_populations.csv) is near -2
    assert -2 < synthetic_clumps._SLOPE < -1
    assert 0.03 <= synthetic_clumps._EFFICIENCY[0] <= 0.04  # a free-fall time


# images: sections 3.1.4 and 3.2.1


def test_the_seven_bands():  # section 3.1.4
    assert [b.name for b in bands.CANDELS] == ["F435W", "F606W", "F775W", "F850LP", "F105W", "F125W", "F160W"]


def test_pixels_are_those_of_wfc3():  # section 3.2.1: ACS is downsampled by two to the resolution of WFC3
    assert DEFAULT_PIXEL_SCALE == 0.06 * u.arcsec
    assert [b.pixel_scale.to_value(u.arcsec) for b in bands.CANDELS] == [0.03] * 4 + [0.06] * 3
    assert SersicMocks(seed=0).pixel_scale == 0.06 * u.arcsec


def test_images_are_64_pixels():  # section 3.2.1
    assert stretch.TILE == 64
    assert SersicMocks(seed=0).shape == (64, 64)


def test_the_sky_is_that_of_candels():  # METHODS 2: measured on real sky
    assert sky.CANDELS_CORRELATION == (0.15,) * 4 + (0.54,) * 3
    assert sky.CANDELS_RMS == (5.1e-4, 4.4e-4, 6.6e-4, 6.4e-4, 6.9e-4, 6.3e-4, 5.9e-4)


# detector: sections 2.2, 3.2.1 and 4.1


def test_a_clump_is_a_square_of_two_pixels_in_the_truth():  # section 3.2.1
    from astroclumps.training.dataset import MockSet

    one = object.__new__(MockSet)
    one.data, one._first = np.zeros((1, 7, 16, 16)), np.array([0, 1])
    one._clumps = {"x": np.array([7.3]), "y": np.array([5.2])}
    assert np.argwhere(one.truth_map(0)).tolist() == [[5, 7], [5, 8], [6, 7], [6, 8]]


def test_half_are_turned_and_half_reflected():  # section 3.2.1: a multiple of 90 degrees, 25% each; a random axis
    class Counting:
        """A generator whose probabilities are set."""

        def __init__(self, *draws):
            self.draws = list(draws)

        def random(self):
            return self.draws.pop(0)

        def integers(self, low, high):
            self.low_high = (low, high)
            return low + 1 if low == 0 else low

    square = np.arange(4).reshape(2, 2)
    for draws, expected in (((0.51, 0.51), square), ((0.49, 0.51), np.rot90(square)), ((0.51, 0.49), square[::-1])):
        (out,) = augment.dihedral([square], rng=Counting(*draws))
        assert out.tolist() == expected.tolist()
    rng = Counting(0.49, 0.51)
    augment.dihedral([square], rng=rng)
    assert rng.low_high == (0, 4)


def test_patches_of_4_to_24_pixels_are_hidden():  # section 3.2.1 (random size); the sides are ours (METHODS 3)
    assert default(augment.hide_patch, "sides") == (4, 24)


def test_sextractor_is_set_as_the_group_did():  # METHODS 3
    assert default(sources.extract, "min_pixels") == 4
    assert default(sources.extract, "deblend_levels") == 32
    assert default(sources.extract, "deblend_contrast") == 1e-4


@pytest.mark.needs_torch
def test_the_u_net_is_trained_with_adam():  # METHODS 3: Adam, 1e-3
    pytest.importorskip("torch", reason="needs torch")
    from astroclumps.training.loop import TrainingLoop

    assert default(TrainingLoop, "learning_rate") == 1e-3


@pytest.mark.needs_torch
def test_the_blocks_of_the_u_net():  # section 2.2
    torch = pytest.importorskip("torch", reason="needs torch")
    from astroclumps.detection.network import UNet

    network = UNet(7)
    blocks = [*network.down, network.bottom, *network.join]
    assert all([layer.kernel_size for layer in block if isinstance(layer, torch.nn.Conv2d)] == [(3, 3), (3, 3)] for block in blocks)
    assert {(up.kernel_size, up.stride) for up in network.up} == {((2, 2), (2, 2))}
    assert network.last.kernel_size == (1, 1)
    # filters are given in a figure only; ours, chosen by measurement
    assert (default(UNet, "filters"), default(UNet, "levels")) == (16, 3)


def test_a_clump_lies_in_a_galaxy():  # ours
    assert host.MIN_HOST == 0.5


def test_detections_match_within_3_pixels():  # METHODS 3, ours
    assert default(matching.match, "radius") == 3.0
    assert default(matching.completeness_at_purity, "radius") == 3.0
    assert default(matching.completeness_at_purity, "purity") == 0.9


def test_contrast_after_guo_2015():  # METHODS 3: boxcar of 10 px, 2 sigma, 5 connected pixels, 8% of the ultraviolet light
    detector = ContrastDetector()
    assert (detector.box, detector.n_sigma, detector.min_pixels, detector.min_uv_fraction) == (10, 2.0, 5, 0.08)
    assert contrast._ULTRAVIOLET[:3] == ((1.0, "F435W"), (2.0, "F606W"), (3.0, "F775W"))


# classifier: sections 2.1, 3.2.2 and 4


def test_stamps_are_10_pixels():  # section 4.1
    assert stamps.STAMP == 10


def test_the_magnitude_of_stamps_lies_in_that_of_the_training():  # section 3.2.2: 19-24 in H; the fixed one is ours
    assert 19 < stamps.FIXED_MAGNITUDE < 24
    assert stamps.FIXED_MAGNITUDE == 21.5


def test_long_lived_at_p_0():  # section 4.2
    assert LongevityClassifier().threshold == 0.5
    assert default(curves.balanced_scores, "threshold") == 0.5


@pytest.mark.needs_torch
def test_the_blocks_of_the_classifier():  # section 2.1
    torch = pytest.importorskip("torch", reason="needs torch")
    from astroclumps.longevity.network import LongevityCNN

    network = LongevityCNN(7)
    kinds = [type(layer) for layer in network.blocks]
    assert kinds.count(torch.nn.MaxPool2d) == kinds.count(torch.nn.BatchNorm2d) == 3
    assert kinds.count(torch.nn.Conv2d) == 6
    assert sum(isinstance(layer, torch.nn.Linear) for layer in network.dense) == 3  # two dense layers and the last neuron
    assert {layer.p for layer in network.blocks if isinstance(layer, torch.nn.Dropout)} == {0.7}
    # filters and neurons are given in a figure only; ours
    assert default(LongevityCNN, "filters") == (32, 64, 128)
    assert default(LongevityCNN, "dense") == (128, 64)


@pytest.mark.needs_torch
def test_the_classes_and_batches_of_the_classifier():  # section 3.2.2
    pytest.importorskip("torch", reason="needs torch")
    from astroclumps.training import classifier

    assert classifier.PURE == 0.9  # C_0
    assert classifier.MAGNITUDES == (19.0, 24.0)
    assert default(classifier.ClassifierBatches, "batch_size") == 64  # B
    assert default(classifier.train_classifier, "batch_size") == 64
    assert default(classifier.train_classifier, "dropout") == 0.7  # section 2.1


@pytest.mark.needs_torch
def test_a_batch_takes_a_multiple_of_one_eighth_of_short_lived_clumps():  # section 3.2.2
    pytest.importorskip("torch", reason="needs torch")
    from astroclumps.training.classifier import ClassifierBatches, StampSet

    long_lived = np.arange(20) < 5
    sky_of = np.full((20, 3), 1e-3)
    made = StampSet(np.ones((20, 3, 10, 10), "f4"), long_lived, np.arange(20), sky_of, 0 * sky_of, ("F435W", "F606W", "F160W"))
    numbers = {int(64 - ClassifierBatches(made)(np.random.default_rng(seed))[1].sum()) for seed in range(20)}
    assert numbers <= {8 * k for k in range(9)}
    assert len(numbers) > 4


# augmentation that is ours


def test_bands_are_lost_in_a_quarter_of_the_images():  # ours
    assert default(augment.lose_bands, "probability") == 0.25
    assert default(augment.lose_bands, "keep") == 3


def test_sky_and_depth_are_a_little_uncertain():  # ours
    assert default(augment.add_sky, "background") == 0.15
    assert default(augment.add_sky, "depth") == 0.1


# photometry and spectra: section 5.1


def test_the_background_is_taken_between_4_and_6_pixels():  # section 5.1
    assert (background.INNER, background.OUTER) == (4.0, 6.0)
    assert background.ring("annulus", 3.0) == (4.0, 6.0)


def test_the_aperture_is_ours():  # METHODS 5: the paper does not state it
    assert ClumpPhotometry().radius == 3 * u.pix
    assert ClumpPhotometry().aperture_correction is True
    assert ClumpPhotometry().background == "annulus"


def test_priors_are_those_of_methods_5():
    assert priors.LOG_MASS == (5.0, 11.0)
    prior = priors.Prior(sfh="tau", redshift=2.0)
    low, high = (np.array(prior.from_cube([[c] * 4])).ravel() for c in (0.0, 1.0))
    assert low.tolist() == pytest.approx([0.01, 0.05, 0.1, 0.0])  # age (Gyr), tau (Gyr), metallicity (solar), A_V (mag)
    assert high.tolist() == pytest.approx([3.227, 10.0, 2.0, 3.0], rel=1e-3)  # the Universe is 3.23 Gyr old at z = 2
    middle = np.array(prior.from_cube([[0.5] * 4])).ravel()
    assert middle.tolist() == pytest.approx([(0.01 + high[0]) / 2, np.sqrt(0.05 * 10), np.sqrt(0.1 * 2), 1.5])
    assert priors.HISTORIES == ("tau", "constant")


def test_star_formation_rates_are_those_of_100_myr():  # METHODS 5
    from astroclumps import star_formation

    assert star_formation._SFR_TIME == 0.1


def test_errors_of_fits_have_a_floor():  # ours
    assert LibrarySED().error_floor == 0.05


# clumps through time and their survival: sections 3.1.2, 3.1.3 and 6.2


def test_clumps_are_tracked_by_a_quarter_of_ten_stars():  # section 3.1.2
    from astroclumps import ClumpTracker

    tracker = ClumpTracker()
    assert (tracker.min_stars, tracker.shared_fraction) == (10, 0.25)
    assert tracker.max_gap is None  # back to the first snapshot
    assert tracker.min_shared == 1  # ours: any number that makes a quarter


def test_long_lives_last_20_free_fall_times():  # section 3.1.3
    from astroclumps import ClumpTracker

    assert ClumpTracker().long_lived == 20.0


def test_supernovae_disrupt_clumps_below_30_km_s_in_halos_below_150_km_s():  # section 6.2 and eq. 6; more: tests/test_survival.py
    from astroclumps import survival

    assert survival.clump_velocity_threshold() == 30 * u.km / u.s
    assert survival.clump_velocity_threshold(0.2) == 30 * np.sqrt(2) * u.km / u.s
    assert survival.halo_velocity_threshold() == 150 * u.km / u.s
    assert survival.halo_velocity_threshold(rounded=False).round() == 148 * u.km / u.s
    assert np.isclose(survival.halo_velocity_threshold(efficiency=0.4, cold_fraction=0.1, f_vir=0.7), 1200 * u.km / u.s)
    assert (survival.COLD_FRACTION, survival.F_VIR) == (0.2, 1.4)


def test_halo_mass_goes_with_velocity_cubed_and_redshift_to_minus_three_halves():  # eq. 7
    from astroclumps import survival

    assert survival.halo_mass(200 * u.km / u.s, 2) == 1e12 * u.Msun
    assert np.isclose(survival.halo_mass(100 * u.km / u.s, 11), 1e12 / 8 / 8 * u.Msun)


@pytest.mark.parametrize(("redshift", "halo", "galaxy"), [(1, 7.7, 14.0), (2, 4.2, 2.0), (3, 2.7, 0.9)])
def test_masses_below_which_clumps_do_not_survive(redshift, halo, galaxy):  # eq. 8; Behroozi et al. (2019), METHODS 6
    from astroclumps import survival

    # the paper prints 7.75 as 7.7
    assert np.floor(10 * survival.halo_mass_threshold(redshift).value / 1e11) / 10 == halo
    digits = 0 if galaxy > 10 else 1
    assert np.round(survival.stellar_mass_threshold(redshift).value / 1e9, digits) == galaxy


@pytest.mark.parametrize(("redshift", "log_mass"), [(1, 10.33), (2, 10.02), (3, 9.96)])
def test_stellar_masses_in_halos_of_1e12_msun(redshift, log_mass):  # Behroozi et al. (2019), METHODS 6
    from astroclumps import survival

    assert np.round(np.log10(survival.stellar_mass(1e12 * u.Msun, redshift).value), 2) == log_mass
