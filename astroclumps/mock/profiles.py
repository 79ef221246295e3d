"""Surface-brightness maps of smooth galaxies on a fine grid: Sersic profiles, spiral arms, texture."""

import numpy as np

__all__ = ["deproject", "sersic_map", "spiral_modulation", "texture"]


def deproject(x, y, *, x0, y0, axis_ratio, angle):
    """Coordinates in the plane of an inclined disc.

    Parameters
    ----------
    x, y : array_like of float
        Image coordinates, any unit.
    x0, y0 : float
        Centre, same unit.
    axis_ratio : float
        Minor over major axis, 0 to 1.
    angle : float
        Position angle of the major axis in radian, from +x towards +y.

    Returns
    -------
    major, minor : ndarray
        Distance along the major axis, and along the minor axis divided by ``axis_ratio``.
    """
    dx, dy = np.subtract(x, x0), np.subtract(y, y0)
    cos, sin = np.cos(angle), np.sin(angle)
    return dx * cos + dy * sin, (dy * cos - dx * sin) / axis_ratio


def sersic_map(grid, *, x0, y0, r_eff, n, axis_ratio, angle):
    """Sersic (1963) profile of unit sum on a grid.

    Parameters
    ----------
    grid : tuple of ndarray
        (x, y) coordinates of the grid points, spacing 1.
    x0, y0, r_eff : float
        Centre and half-light radius in grid points.
    n : float
        Sersic index, 0.3 to 8.
    axis_ratio, angle : float
        See `deproject`.

    Returns
    -------
    profile : ndarray of float32, shape of the grid
        The part of the profile on the grid, scaled to a sum of 1. The cusp is integrated over the grid points near it.
    """
    from scipy.special import gammaincinv

    b = gammaincinv(2 * n, 0.5)

    def value(x, y):
        major, minor = deproject(x, y, x0=x0, y0=y0, axis_ratio=axis_ratio, angle=angle)
        return np.exp(-b * ((np.hypot(major, minor) / r_eff) ** (1 / n) - 1))

    x, y = grid
    profile = value(x, y)
    # integrate the central points, where the profile is steep
    column, row = round(x0 - x[0, 0]), round(y0 - y[0, 0])
    fine = (np.arange(9) - 4) / 9
    for j in range(max(row - 2, 0), min(row + 3, profile.shape[0])):
        for i in range(max(column - 2, 0), min(column + 3, profile.shape[1])):
            profile[j, i] = value(x[j, i] + fine, (y[j, i] + fine)[:, None]).mean()
    return (profile / profile.sum()).astype(np.float32)


def spiral_modulation(grid, *, x0, y0, axis_ratio, angle, scale, arms, pitch, phase, amplitude, sharpness):
    """Factor by which logarithmic spiral arms raise and lower a disc.

    Parameters
    ----------
    grid, x0, y0, axis_ratio, angle
        See `sersic_map`.
    scale : float
        Radius in grid points at which the phase is defined; inside 0.3 of it the arms fade.
    arms : int
        Number of arms.
    pitch : float
        Pitch angle in radian.
    phase : float
        Phase at ``scale`` in radian.
    amplitude : float
        0 (smooth) to 1.
    sharpness : float
        1 is a cosine; larger values are narrower arms.

    Returns
    -------
    factor : ndarray, shape of the grid
        Around 1.
    """
    major, minor = deproject(*grid, x0=x0, y0=y0, axis_ratio=axis_ratio, angle=angle)
    radius = np.hypot(major, minor) + 1e-6
    wave = np.cos(arms * (np.arctan2(minor, major) - np.log(radius / scale) / np.tan(pitch)) + phase)
    crest = ((1 + wave) / 2) ** sharpness
    fade = 1 - np.exp(-((radius / (0.3 * scale)) ** 2))
    return 1 + amplitude * fade * (crest / (0.5 / np.sqrt(sharpness)) - 1).clip(-1, 3)


def texture(shape, *, length, sigma, rng):
    """Lognormal random field of mean 1: flocculent structure or patchy dust.

    Parameters
    ----------
    shape : tuple of int
        Shape (y, x).
    length : float
        Correlation length in grid points.
    sigma : float
        Scatter of its natural logarithm.
    rng : `numpy.random.Generator`
        Source of randomness.

    Returns
    -------
    field : ndarray of float32, shape (y, x)
    """
    from scipy.fft import irfft2, rfft2

    ky = np.fft.fftfreq(shape[0])[:, None]
    kx = np.fft.rfftfreq(shape[1])
    transfer = np.exp(-2 * (np.pi * length) ** 2 * (ky**2 + kx**2)).astype(np.float32)
    field = irfft2(rfft2(rng.standard_normal(shape, dtype=np.float32)) * transfer, s=shape)
    field *= sigma / field.std()
    return np.exp(field - sigma**2 / 2)
