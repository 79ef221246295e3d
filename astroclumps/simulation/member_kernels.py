"""The loop that sums up mass, place, motion, shape and spin of the elements inside clumps."""

from astroclumps.jit import compiled

__all__ = ["FIRST", "MASS", "N_SUMS", "SECOND", "SPEED", "SPIN", "VELOCITY", "add_moments"]

MASS, FIRST, VELOCITY, SECOND, SPEED, SPIN = 0, 1, 4, 7, 13, 14
"""Columns of the sums: mass; m r (3); m v (3); m r r (xx, yy, zz, xy, xz, yz); m v^2; m r x v (3)."""

N_SUMS = 17


@compiled
def add_moments(position, velocity, mass, row, label, centre, bulk, reference, sums):
    """Add the elements of some rows to ``sums`` (n, 17).

    Places are taken relative to ``centre`` and to the group's own ``reference`` (n, 3), so that squares lose no digits; velocities
    relative to ``bulk``. Labels begin at 1.
    """
    for k in range(len(row)):
        i, group = row[k], label[k] - 1
        m = float(mass[i])
        x = position[i, 0] - centre[0] - reference[group, 0]
        y = position[i, 1] - centre[1] - reference[group, 1]
        z = position[i, 2] - centre[2] - reference[group, 2]
        vx, vy, vz = velocity[i, 0] - bulk[0], velocity[i, 1] - bulk[1], velocity[i, 2] - bulk[2]
        to = sums[group]
        to[0] += m
        to[1] += m * x
        to[2] += m * y
        to[3] += m * z
        to[4] += m * vx
        to[5] += m * vy
        to[6] += m * vz
        to[7] += m * x * x
        to[8] += m * y * y
        to[9] += m * z * z
        to[10] += m * x * y
        to[11] += m * x * z
        to[12] += m * y * z
        to[13] += m * (vx * vx + vy * vy + vz * vz)
        to[14] += m * (y * vz - z * vy)
        to[15] += m * (z * vx - x * vz)
        to[16] += m * (x * vy - y * vx)
