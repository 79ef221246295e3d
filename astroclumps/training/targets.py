"""What a U-Net is asked for in the images of simulated galaxies: clumps that can be seen, blends merged."""

from dataclasses import dataclass

import numpy as np

from astroclumps.evaluation import kernels
from astroclumps.evaluation.truth import PIXEL, gather, merge_blends, psf_fwhm

__all__ = ["ClumpTargets", "TruthRule", "signal_to_noise"]

_RADIUS = 2.5  # pixels: the light of the galaxy around a clump


def signal_to_noise(flux, *, psf_fwhm, rms, correlation):
    """Signal-to-noise of point sources that are fitted with their PSF in every band, in sky whose pixels are correlated.

    Parameters
    ----------
    flux, psf_fwhm, rms, correlation : ndarray, shape (n, band)
        uJy; arcsec; rms of a pixel in uJy; correlation of neighbouring pixels, which raises the noise on the scale of the PSF.

    Returns
    -------
    ratio : ndarray, shape (n,)

    Examples
    --------
    >>> from astroclumps.training.targets import signal_to_noise
    >>> signal_to_noise([[0.01]], psf_fwhm=[[0.17]], rms=[[1e-3]], correlation=[[0.0]]).round(2)
    array([2.28])
    """
    sigma = np.hypot(np.asarray(psf_fwhm) / 2.3548 / PIXEL, 0.29)  # with the width of a pixel
    smooth = np.clip(correlation, 1e-9, 0.95)
    raised = np.maximum(np.sqrt(np.pi / -np.log(smooth)), 1)  # Gaussian filter of that correlation, on large scales
    noise = np.asarray(rms) * np.sqrt(4 * np.pi) * sigma * raised
    return np.sqrt(((np.asarray(flux) / np.where(noise > 0, noise, np.inf)) ** 2).sum(axis=-1))


@dataclass(frozen=True, kw_only=True)
class TruthRule:
    """Which clumps a U-Net is asked for.

    Many clumps of 10^6.5 Msun cannot be seen at the depth of CANDELS. A network that must paint them paints the whole disc; so those
    below `min_snr` or `min_contrast` are left out of the loss, where painting is neither rewarded nor punished.

    Parameters
    ----------
    sf_zlc : {'all', 'none'} or float, default 'all'
        See `~astroclumps.training.galaxy_set.GalaxySet.positives`.
    min_snr : float, default 5
        Least signal-to-noise of a blend, all bands together (ours).
    min_contrast : float, default 0.1
        Least flux over the light within 2.5 pixels, in the band where that is largest (ours).
    mass_ramp : tuple of float, optional
        log10 of two baryonic masses in Msun: what is painted for a clump grows from 0.1 at the first to 1 at the second, so that the
        network ranks heavy clumps above light ones that are as bright (ours). Default: 1 for all.

    Examples
    --------
    >>> from astroclumps.training.targets import TruthRule
    >>> TruthRule(mass_ramp=(6.5, 7.5)).worth([1e6, 1e7, 1e8]).round(2).tolist()
    [0.1, 0.55, 1.0]
    """

    sf_zlc: object = "all"
    min_snr: float = 5.0
    min_contrast: float = 0.1
    mass_ramp: tuple | None = None

    def __post_init__(self):
        if self.mass_ramp is not None and not (len(self.mass_ramp) == 2 and self.mass_ramp[0] < self.mass_ramp[1]):
            raise ValueError(f"mass_ramp is two rising log10 masses, such as (6.5, 7.5), or None; got {self.mass_ramp!r}")

    def worth(self, mass):
        """What is painted for clumps of these masses in Msun, 0.1 to 1."""
        mass = np.asarray(mass, dtype=float)
        if self.mass_ramp is None:
            return np.ones(mass.shape)
        return np.interp(np.log10(np.maximum(mass, 1.0)), self.mass_ramp, (0.1, 1.0))


class ClumpTargets:
    """The positives of a set, those closer than the FWHM of the PSF merged into one (`astroclumps.evaluation.truth`).

    Parameters
    ----------
    galaxies : `~astroclumps.training.galaxy_set.GalaxySet`
    rule : TruthRule

    Attributes
    ----------
    truth : `~astroclumps.evaluation.truth.Truth`
        Merged positives of all images.
    ratio, contrast : ndarray, shape (n,)
        What the rule asks about.
    visible : ndarray of bool, shape (n,)
        Bright enough to be asked for.
    worth : ndarray, shape (n,)
        What is painted for it.
    """

    def __init__(self, galaxies, rule):
        everything = gather(galaxies, policies=(rule.sf_zlc,))
        self.truth, _ = merge_blends(everything.where(everything.positive[rule.sf_zlc]), psf_fwhm(galaxies))
        image = self.truth.image
        self.ratio = signal_to_noise(
            self.truth.flux, psf_fwhm=galaxies.psf_fwhm[image], rms=galaxies.rms[image], correlation=galaxies.correlation[image]
        )
        self.contrast = np.zeros(len(self.truth))
        place = image.astype(np.int64), self.truth.x.astype(float), self.truth.y.astype(float)
        for band in range(len(galaxies.bands)):
            around, _ = kernels.local_light(np.ascontiguousarray(galaxies.data[:, band]), *place, _RADIUS, _RADIUS, _RADIUS)
            share = self.truth.flux[:, band] / np.where(around > 0, around, np.inf)
            self.contrast = np.maximum(self.contrast, share)
        self.visible = (self.ratio >= rule.min_snr) & (self.contrast >= rule.min_contrast)
        self.worth = rule.worth(self.truth["mass"])
        self.shape = galaxies.data.shape[-2:]

    def rows(self, i):
        """Rows of ``truth`` in image ``i``, a slice."""
        return slice(int(self.truth.first[i]), int(self.truth.first[i + 1]))

    def map(self, i):
        """What a U-Net is to paint in image ``i``.

        Parameters
        ----------
        i : int

        Returns
        -------
        target : ndarray of float32, shape (y, x)
            `worth` (1 without a ramp) in the 2x2 pixels nearest to what is visible (paper section 3.2.1), -1 (left out of the loss) in 4x4
            pixels around what is not, else 0.
        """
        out = np.zeros(self.shape, dtype=np.float32)
        rows = self.rows(i)
        left, low = np.floor(self.truth.x[rows]).astype(int), np.floor(self.truth.y[rows]).astype(int)
        worth = np.where(self.visible[rows], self.worth[rows], -1)
        for k in np.argsort(worth, kind="stable"):  # what is worth most comes last, and stays
            wide = int(worth[k] < 0)
            column, row, side = left[k] - wide, low[k] - wide, 2 + 2 * wide
            out[max(row, 0) : max(row + side, 0), max(column, 0) : max(column + side, 0)] = worth[k]
        return out
