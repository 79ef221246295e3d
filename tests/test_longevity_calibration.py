"""Calibration, other mixes of the classes, and ensembles whose scatter is the error."""

import numpy as np
import pytest

from astroclumps.longevity.calibration import correct_mix, estimate_mix, fit_scaling


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def drawn(share, n=40_000, seed=0):
    """Truth, and the probability in a balanced mix, of classes that lie two sigma apart."""
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < share
    return truth, sigmoid(2 * rng.normal(np.where(truth, 1, -1), 1))


def test_scaling_gives_the_balanced_probability_whatever_the_mix():
    for share in (0.5, 0.1):
        truth, p = drawn(share)
        sharper = sigmoid(2.5 * np.log(p / (1 - p)) - 1)
        np.testing.assert_allclose(fit_scaling(truth, sharper), (0.4, 0.4), atol=0.03)


def test_scaling_takes_orientations_before_their_mean():
    truth, p = drawn(0.5)
    np.testing.assert_allclose(fit_scaling(truth, np.stack([p, p])), fit_scaling(truth, p), rtol=1e-6)


def test_perfect_scores_do_not_make_certainty():
    truth = np.arange(20) < 10
    scale, shift = fit_scaling(truth, np.where(truth, 0.9, 0.1))
    assert 0.7 < sigmoid(scale * np.log(9) + shift) < 0.99


def test_one_class_cannot_be_scaled():
    with pytest.raises(ValueError, match="both classes"):
        fit_scaling([True, True], [0.5, 0.6])


@pytest.mark.parametrize("share", [0.05, 0.3, 0.8])
def test_corrected_probabilities_are_frequencies(share):
    truth, p = drawn(share)
    corrected = correct_mix(p, share)
    for low in (0.1, 0.4, 0.7):
        inside = (corrected >= low) & (corrected < low + 0.2)
        assert corrected[inside].mean() == pytest.approx(truth[inside].mean(), abs=0.03)


def test_a_correction_to_the_same_mix_changes_nothing():
    p = np.array([0.0, 0.2, 0.9, 1.0])
    np.testing.assert_allclose(correct_mix(p, 0.3, before=0.3), p)
    np.testing.assert_allclose(correct_mix(correct_mix(p, 0.1), 0.5, before=0.1), p)


@pytest.mark.parametrize("share", [0.0, 1.0, -1, np.nan])
def test_a_share_must_lie_between_0_and_1(share):
    with pytest.raises(ValueError, match="share is a share between 0 and 1"):
        correct_mix([0.5], share)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.75])
def test_the_mix_is_found_from_probabilities_alone(share):
    assert estimate_mix(np.append(drawn(share)[1], np.nan)) == pytest.approx(share, abs=0.02)


def test_nothing_has_no_mix():
    with pytest.raises(ValueError, match="no finite probability"):
        estimate_mix([np.nan])


# ensembles


@pytest.mark.needs_torch
def test_the_error_of_an_ensemble_is_the_scatter_of_its_members(tmp_path):
    torch = pytest.importorskip("torch", reason="needs torch")
    import tiny_networks as tiny
    from test_longevity import clumpy_image, table

    from astroclumps import LongevityClassifier, weights
    from astroclumps.longevity.network import build_network

    card = tiny.cnn_card()
    members = [tiny.build(card, seed=seed) for seed in range(3)]
    paths = [str(weights.save(tmp_path / f"{k}.safetensors", tiny.tensors(m), card)) for k, m in enumerate(members)]
    state = {f"members.{k}.{name}": value for k, m in enumerate(members) for name, value in tiny.tensors(m).items()}
    together = {**card, "architecture": {**card["architecture"], "members": 3}}
    path = str(weights.save(tmp_path / "ensemble.safetensors", state, together))
    p = np.array([LongevityClassifier(one).classify(clumpy_image(), table())["p_long"] for one in paths])
    out = LongevityClassifier(path).classify(clumpy_image(), table())
    np.testing.assert_allclose(out["p_long"], p.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(out["p_long_err"], p.std(axis=0), atol=1e-5)
    # the logit of an ensemble is that of the mean probability
    network = build_network(**together["architecture"]).eval()
    network.load_state_dict({k: torch.from_numpy(v) for k, v in state.items()})
    stamps = torch.randn(4, 2, 10, 10, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        mean = torch.stack([torch.sigmoid(member(stamps)) for member in members]).mean(dim=0)
        assert torch.allclose(torch.sigmoid(network(stamps)), mean, atol=1e-5)


@pytest.mark.needs_torch
def test_a_network_with_wider_stamps_is_shown_wider_stamps(tmp_path):
    pytest.importorskip("torch", reason="needs torch")
    import tiny_networks as tiny
    from test_longevity import clumpy_image, table

    from astroclumps import LongevityClassifier, catalog

    card = tiny.cnn_card()
    path = tiny.random_weights(tmp_path / "wide.safetensors", {**card, "architecture": {**card["architecture"], "size": 16}})
    out = LongevityClassifier(path).classify(clumpy_image(), table([(30, 30), (6, 30)]))
    assert np.isfinite(out["p_long"]).all()
    assert (out["flags"] & catalog.Flag.STAMP_EDGE > 0).tolist() == [False, True]
    with pytest.raises(ValueError, match="smaller than a stamp of 16x16"):
        LongevityClassifier(path).classify(clumpy_image(shape=(12, 12)), table([(6, 6)]))
