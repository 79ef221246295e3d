"""What detector and classifier share: torch on demand, bands in the order of the network, threads."""

import sys

import astropy.units as u
import numpy as np
import pytest
import tiny_networks as tiny

from astroclumps import MultiBandImage, conf, networks
from astroclumps.exceptions import AstroclumpsWarning


def image(*bands, masked=()):
    cube = np.stack([np.full((4, 4), i + 1.0) for i in range(len(bands))])
    mask = np.zeros(cube.shape, dtype=bool)
    for name in masked:
        mask[bands.index(name)] = True
    return MultiBandImage(data=cube * u.uJy, bands=bands, mask=mask, pixel_scale=0.06 * u.arcsec)


CARD = tiny.unet_card(bands=["F435W", "F606W", "F160W"])


def test_planes_come_in_the_order_of_the_network():
    data, mask = networks.select_planes(image("F160W", "F125W", "F435W", "F606W"), CARD, who="Test")
    assert data.dtype == np.float32
    assert data[:, 0, 0].tolist() == [3, 4, 1]
    assert not mask.any()


def test_a_missing_band_is_zero_and_masked():
    with pytest.warns(AstroclumpsWarning, match="Test takes F606W as missing"):
        data, mask = networks.select_planes(image("F435W", "F160W"), CARD, who="Test")
    assert not data[1].any()
    assert mask.all(axis=(1, 2)).tolist() == [False, True, False]


def test_masked_pixels_are_zero():
    one = image("F435W", "F606W", "F160W")
    one.mask[0, 2, 3] = True
    data, mask = networks.select_planes(one, CARD, who="Test")
    assert data[0, 2, 3] == 0
    assert mask.sum() == 1
    assert one.data[0, 2, 3] == 1


def test_missing_and_masked_bands_count_together():
    with pytest.raises(ValueError, match="F606W, F160W missing or masked everywhere, at most 1 may be"):
        networks.select_planes(image("F435W", "F160W", masked=["F160W"]), CARD, who="Test")


def test_a_card_without_a_limit_allows_no_missing_band():
    card = {k: v for k, v in CARD.items() if k != "max_missing_bands"}
    with pytest.raises(ValueError, match="at most 0 may be"):
        networks.select_planes(image("F435W", "F160W"), card, who="Test")


def test_an_image_masked_everywhere_is_let_through_silently():
    bands = ("F435W", "F606W", "F160W")
    _, mask = networks.select_planes(image(*bands, masked=bands), CARD, who="Test")
    assert mask.all()


@pytest.mark.parametrize(("scale", "fits"), [(0.06, True), (0.055, True), (0.065, True), (0.05, False), (0.07, False)])
def test_pixels_within_ten_percent_are_taken(scale, fits):
    one = MultiBandImage(data=np.ones((3, 4, 4)) * u.uJy, bands=CARD["bands"], pixel_scale=scale * u.arcsec)
    if fits:
        networks.select_planes(one, CARD, who="Test")
    else:
        with pytest.raises(ValueError, match="Test: image has pixels of"):
            networks.select_planes(one, CARD, who="Test")


def test_without_torch_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r'UNetDetector needs torch; install it with  pip install "astroclumps\[ml\]"'):
        networks.import_torch("UNetDetector")


@pytest.mark.needs_torch
@pytest.mark.parametrize("n_jobs", [1, 3])
def test_threads_are_set_and_put_back(n_jobs):
    import torch

    before = torch.get_num_threads()
    with conf.set_temp("n_jobs", n_jobs), networks.threads():
        assert torch.get_num_threads() == n_jobs
    assert torch.get_num_threads() == before


@pytest.mark.needs_torch
def test_threads_are_put_back_after_an_error():
    import torch

    before = torch.get_num_threads()
    with pytest.raises(KeyError), conf.set_temp("n_jobs", before + 1), networks.threads():
        raise KeyError
    assert torch.get_num_threads() == before


@pytest.mark.needs_torch
def test_altered_tensors_do_not_give_the_known_answer(tmp_path):
    torch = pytest.importorskip("torch", reason="needs torch")
    from astroclumps import weights
    from astroclumps.detection.network import UNet
    from astroclumps.exceptions import WeightsError
    from astroclumps.networks import load_network
    from astroclumps.training.card import known_answer

    torch.manual_seed(1)
    network = UNet(2, filters=4, levels=2)
    tensors = {k: v.numpy() for k, v in network.state_dict().items()}
    card = {
        "name": "x", "version": "1.0", "kind": "unet", "architecture": {"channels": 2, "filters": 4, "levels": 2},
        "bands": ["F435W", "F160W"], "pixel_scale": 0.06, "threshold": 0.5, "known_answer": known_answer(network, (1, 2, 16, 16)),
    }  # fmt: skip
    good = weights.save(tmp_path / "good.safetensors", tensors, card)
    assert load_network(UNet, str(good), kind="unet", device="cpu")[1]["name"] == "x"
    tensors["last.bias"] = tensors["last.bias"] + 0.1
    bad = weights.save(tmp_path / "bad.safetensors", tensors, card)
    with pytest.raises(WeightsError, match="do not give the known answer"):
        load_network(UNet, str(bad), kind="unet", device="cpu")
