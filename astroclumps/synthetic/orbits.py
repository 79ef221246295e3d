"""Epicyclic orbits in closed form: where a particle is at any time, and which orbit goes on from a position and velocity.

Everything is in the disc's own frame, kpc, Gyr, kpc/Gyr. A row of elements holds the columns below; spheroidal orbits (bulge, halo) lie
in a plane of their own, tilted by ``COS_I, SIN_I`` about the line at ``NODE``.
"""

import numpy as np

from astroclumps.jit import compiled

__all__ = ["ECC_MAX", "N_ELEMENTS", "N_PATTERN", "elements_from", "near", "phase_space", "places"]

N_ELEMENTS = 13
RG, ECC, PSI, PHI0, ZA, PSIZ, OMEGA, KAPPA, NU, ARM, COS_I, SIN_I, NODE = range(N_ELEMENTS)
#: Largest eccentricity; above it the first order of the epicycle would turn back.
ECC_MAX = 0.45
#: Columns of a spiral pattern: arms, pattern speed, phase, cotangent of the pitch angle, log of its radius, amplitude, edges.
N_PATTERN = 8


@compiled
def _window(r, inner, outer):
    """Where arms are strong: rises over the inner edge, falls over the outer one."""
    return (r * r / (r * r + inner * inner)) / (1.0 + (r / outer) ** 6)


@compiled
def phase_space(elements, t, arms, position, velocity):
    """Fill position and velocity (n, 3) of all rows of ``elements`` at the time ``t``."""
    for i in range(elements.shape[0]):
        rg, ecc, om, ka, nu = elements[i, 0], elements[i, 1], elements[i, 6], elements[i, 7], elements[i, 8]
        theta = ka * t + elements[i, 2]
        c, s = np.cos(theta), np.sin(theta)
        r = rg * (1.0 - ecc * c)
        vr = rg * ecc * ka * s
        phi = elements[i, 3] + om * t + 2.0 * om / ka * ecc * s
        dphi = om * (1.0 + 2.0 * ecc * c)
        z, vz = 0.0, 0.0
        if elements[i, 4] != 0.0:
            turn = nu * t + elements[i, 5]
            z = elements[i, 4] * np.cos(turn)
            vz = -elements[i, 4] * nu * np.sin(turn)
        if elements[i, 9] > 0.0:
            lr = np.log(r)
            for k in range(arms.shape[0]):
                a = elements[i, 9] * arms[k, 5] * _window(r, arms[k, 6], arms[k, 7])
                chi = arms[k, 0] * (phi - arms[k, 1] * t - arms[k, 2] + arms[k, 3] * (lr - arms[k, 4]))
                cc = np.cos(chi)
                phi -= a / arms[k, 0] * np.sin(chi)
                dphi -= a * cc * (dphi - arms[k, 1] + arms[k, 3] * vr / r)
        cp, sp = np.cos(phi), np.sin(phi)
        x, y = r * cp, r * sp
        vx, vy = vr * cp - r * dphi * sp, vr * sp + r * dphi * cp
        si = elements[i, 11]
        if si != 0.0:
            ci, cn, sn = elements[i, 10], np.cos(elements[i, 12]), np.sin(elements[i, 12])
            z, vz = si * y, si * vy
            x, y = cn * x - sn * ci * y, sn * x + cn * ci * y
            vx, vy = cn * vx - sn * ci * vy, sn * vx + cn * ci * vy
        position[i, 0], position[i, 1], position[i, 2] = x, y, z
        velocity[i, 0], velocity[i, 1], velocity[i, 2] = vx, vy, vz


@compiled
def places(elements, rows, t, arms, position, boost):
    """Fill positions of orbits in the disc's plane, and the factor by which arms raise the surface density there; no velocities."""
    for j in range(len(rows)):
        i = rows[j]
        theta = elements[i, 7] * t + elements[i, 2]
        r = elements[i, 0] * (1.0 - elements[i, 1] * np.cos(theta))
        phi = elements[i, 3] + elements[i, 6] * t + 2.0 * elements[i, 6] / elements[i, 7] * elements[i, 1] * np.sin(theta)
        value = 1.0
        if elements[i, 9] > 0.0:
            lr = np.log(r)
            for k in range(arms.shape[0]):
                a = elements[i, 9] * arms[k, 5] * _window(r, arms[k, 6], arms[k, 7])
                chi = arms[k, 0] * (phi - arms[k, 1] * t - arms[k, 2] + arms[k, 3] * (lr - arms[k, 4]))
                phi -= a / arms[k, 0] * np.sin(chi)
                value /= 1.0 - a * np.cos(chi)
        boost[j] = value
        position[j, 0], position[j, 1] = r * np.cos(phi), r * np.sin(phi)
        position[j, 2] = elements[i, 4] * np.cos(elements[i, 8] * t + elements[i, 5])


@compiled
def near(position, free, centre, reach, found):
    """Fill the indices of free places in a box about a centre; returns their number."""
    n = 0
    for i in range(position.shape[0]):
        if (
            free[i]
            and abs(position[i, 0] - centre[0]) < reach
            and abs(position[i, 1] - centre[1]) < reach
            and abs(position[i, 2] - centre[2]) < reach
        ):
            found[n] = i
            n += 1
    return n


@compiled
def _before_arms(phi, r, t, arm, arms):
    """The azimuth that the arms move to ``phi``; each step is monotonic, so bisection finds it."""
    lr = np.log(r)
    for back in range(arms.shape[0]):
        k = arms.shape[0] - 1 - back
        a = arm * arms[k, 5] * _window(r, arms[k, 6], arms[k, 7])
        low, high = phi - a / arms[k, 0], phi + a / arms[k, 0]
        for _ in range(50):
            middle = 0.5 * (low + high)
            chi = arms[k, 0] * (middle - arms[k, 1] * t - arms[k, 2] + arms[k, 3] * (lr - arms[k, 4]))
            if middle - a / arms[k, 0] * np.sin(chi) < phi:
                low = middle
            else:
                high = middle
        phi = 0.5 * (low + high)
    return phi


@compiled
def elements_from(position, velocity, t, arm, arms, log_radius, tables, spread, elements):
    """Fill the elements of orbits that pass through positions, with velocities as near as the eccentricity's limit allows.

    ``tables`` has the rows omega, kappa, nu and angular momentum against ``log_radius``; ``spread`` (n, 2) are factors of kappa and
    nu, since real orbits of different amplitude do not come back together.
    """
    for i in range(position.shape[0]):
        x, y = position[i, 0], position[i, 1]
        r = max(np.sqrt(x * x + y * y), 0.02)
        phi = np.arctan2(y, x)
        vr = (x * velocity[i, 0] + y * velocity[i, 1]) / r
        momentum = max(x * velocity[i, 1] - y * velocity[i, 0], 0.05 * r * r * np.interp(np.log(r), log_radius, tables[0]))
        rg = np.exp(np.interp(momentum, tables[3], log_radius))
        ka = np.interp(np.log(rg), log_radius, tables[1]) * spread[i, 0]
        ec, es = 1.0 - r / rg, vr / (rg * ka)
        ecc = min(np.sqrt(ec * ec + es * es), 0.45)
        theta = np.arctan2(es, ec)
        rg = r / (1.0 - ecc * np.cos(theta))  # the position is kept where the eccentricity is cut
        om = np.interp(np.log(rg), log_radius, tables[0])
        ka = np.interp(np.log(rg), log_radius, tables[1]) * spread[i, 0]
        nu = np.interp(np.log(rg), log_radius, tables[2]) * spread[i, 1]
        turn = np.arctan2(-velocity[i, 2] / nu, position[i, 2])
        raw = _before_arms(phi, r, t, arm, arms)
        elements[i, 0], elements[i, 1] = rg, ecc
        elements[i, 2] = theta - ka * t
        elements[i, 3] = raw - om * t - 2.0 * om / ka * ecc * np.sin(theta)
        elements[i, 4] = np.sqrt(position[i, 2] ** 2 + (velocity[i, 2] / nu) ** 2)
        elements[i, 5] = turn - nu * t
        elements[i, 6], elements[i, 7], elements[i, 8] = om, ka, nu
        elements[i, 9] = arm
        elements[i, 10], elements[i, 11], elements[i, 12] = 1.0, 0.0, 0.0
