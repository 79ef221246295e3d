"""Functions of an image that give x, y and score, for `astroclumps.evaluation.images.detect_images`: detectors and their peers."""

import importlib.util
from dataclasses import dataclass, field

import numpy as np

from . import peers

__all__ = ["Peer", "PluginFinder", "peer_finders"]


@dataclass
class PluginFinder:
    """A detector as a function of an image.

    Parameters
    ----------
    name : str
        Of a detector plugin, such as 'unet'.
    options : dict
        Its settings, such as weights.
    lowest : bool, default True
        Let it give everything down to the floor of its model card, so that a cut can be chosen afterwards.

    Examples
    --------
    >>> from astroclumps.evaluation.finders import PluginFinder
    >>> from astroclumps.testing import example_image
    >>> x, y, score = PluginFinder("contrast", {"min_uv_fraction": 0.03})(example_image())
    >>> x.round()[0]
    np.float64(40.0)
    """

    name: str
    options: dict = field(default_factory=dict)
    lowest: bool = True

    def __getstate__(self):
        return {key: value for key, value in self.__dict__.items() if key != "_made"}

    def detector(self):
        """The detector that is asked."""
        if "_made" not in self.__dict__:
            from astroclumps import plugins

            made = plugins.create("detectors", self.name, **self.options)
            card = getattr(made, "card", None) if self.lowest and "threshold" not in self.options else None
            if card is not None and "floor" in card:
                made = plugins.create("detectors", self.name, **self.options, threshold=float(card["floor"]))
            self._made = made
        return self._made

    def own_cut(self):
        """Score that the detector keeps if nothing else is said; -inf where it has no model card or its threshold was given."""
        if not self.lowest or "threshold" in self.options:
            return -np.inf
        card = getattr(self.detector(), "card", None) or {}
        return float(card.get("threshold", -np.inf))

    def __call__(self, image):
        clumps = self.detector().detect(image)
        return clumps["x"].value, clumps["y"].value, np.asarray(clumps["score"], dtype=float)


@dataclass
class Peer:
    """A classical finder by name, with the settings that were best on Sersic mocks or, ``published``, those of its authors.

    Parameters
    ----------
    name : {'contrast', 'sep', 'folklore'}
        See `astroclumps.evaluation.peers`.
    options : dict
        Settings other than the defaults there.
    """

    name: str
    options: dict = field(default_factory=dict)

    def own_cut(self):
        """Peers give all they find."""
        return -np.inf

    def __call__(self, image):
        return peers.PEERS[self.name](image, **self.options)


def peer_finders():
    """The peers that can be run here.

    Returns
    -------
    finders : dict
        Name -> function of an image. `~astroclumps.ContrastDetector` as published (Guo et al. 2015, every source) and tuned, sep on the
        ultraviolet stack and tuned, and FOLKLORE where ``folklore-clumps`` is installed.
    """
    guo = {"box": 10, "n_sigma": 2.0, "min_pixels": 5, "score": "fraction"}
    ultraviolet = {"bands": "ultraviolet", "mesh": 0, "threshold": 3.0, "min_pixels": 5, "inside": False, "score": "signal"}
    found = {
        "ContrastDetector, Guo et al.": Peer("contrast", guo),
        "ContrastDetector, tuned": Peer("contrast"),
        "sep, ultraviolet": Peer("sep", ultraviolet),
        "sep, tuned": Peer("sep"),
    }
    if importlib.util.find_spec("folklore") is not None:
        found["FOLKLORE"] = Peer("folklore")
    return found
