"""Loops over particles, for `centre` and `disc`; compiled on first use."""

import math

import numpy as np

from astroclumps.jit import compiled

__all__ = ["inside_cylinder", "inside_sphere", "momentum", "near_rows", "project", "sphere_sums", "weight_in_bins"]


@compiled
def sphere_sums(position, mass, centre, limit):
    """Number, mass, mean offset times mass, second moment and largest squared distance of what lies nearer than root ``limit``."""
    x, y, z = centre[0], centre[1], centre[2]
    n, far = 0, 0.0
    total = sum_x = sum_y = sum_z = second = 0.0
    for i in range(len(mass)):
        dx, dy, dz = position[i, 0] - x, position[i, 1] - y, position[i, 2] - z
        distance = dx * dx + dy * dy + dz * dz
        if distance < limit:
            m = float(mass[i])
            n += 1
            total += m
            sum_x += m * dx
            sum_y += m * dy
            sum_z += m * dz
            second += m * distance
            far = max(far, distance)
    return n, total, sum_x, sum_y, sum_z, second, far


@compiled
def inside_sphere(position, centre, limit):
    """True for what lies nearer than root ``limit``."""
    inside = np.empty(len(position), dtype=np.bool_)
    for i in range(len(position)):
        dx, dy, dz = position[i, 0] - centre[0], position[i, 1] - centre[1], position[i, 2] - centre[2]
        inside[i] = dx * dx + dy * dy + dz * dz < limit
    return inside


@compiled
def near_rows(position, use, centre, limit):
    """Rows that are to be used and lie nearer than root ``limit``."""
    rows = np.empty(len(position), dtype=np.int64)
    n = 0
    for i in range(len(position)):
        if use[i]:
            dx, dy, dz = position[i, 0] - centre[0], position[i, 1] - centre[1], position[i, 2] - centre[2]
            if dx * dx + dy * dy + dz * dz < limit:
                rows[n] = i
                n += 1
    return rows[:n].copy()


@compiled
def project(position, rows, centre, axis, radius, height):
    """Distances from the axis and from the plane of some rows, into two arrays."""
    for k in range(len(rows)):
        i = rows[k]
        dx, dy, dz = position[i, 0] - centre[0], position[i, 1] - centre[1], position[i, 2] - centre[2]
        along = dx * axis[0] + dy * axis[1] + dz * axis[2]
        radius[k] = math.sqrt(max(dx * dx + dy * dy + dz * dz - along * along, 0.0))
        height[k] = abs(along)


@compiled
def momentum(position, velocity, mass, rows, centre, bulk, axis, radius, height):
    """Angular momentum of some rows inside a cylinder."""
    sum_x = sum_y = sum_z = 0.0
    for k in range(len(rows)):
        i = rows[k]
        dx, dy, dz = position[i, 0] - centre[0], position[i, 1] - centre[1], position[i, 2] - centre[2]
        along = dx * axis[0] + dy * axis[1] + dz * axis[2]
        if abs(along) <= height and math.sqrt(max(dx * dx + dy * dy + dz * dz - along * along, 0.0)) <= radius:
            m = float(mass[i])
            vx, vy, vz = velocity[i, 0] - bulk[0], velocity[i, 1] - bulk[1], velocity[i, 2] - bulk[2]
            sum_x += m * (dy * vz - dz * vy)
            sum_y += m * (dz * vx - dx * vz)
            sum_z += m * (dx * vy - dy * vx)
    return np.array([sum_x, sum_y, sum_z])


@compiled
def inside_cylinder(position, centre, axis, radius, height):
    """True for what lies inside a cylinder."""
    inside = np.empty(len(position), dtype=np.bool_)
    for i in range(len(position)):
        dx, dy, dz = position[i, 0] - centre[0], position[i, 1] - centre[1], position[i, 2] - centre[2]
        along = dx * axis[0] + dy * axis[1] + dz * axis[2]
        inside[i] = abs(along) <= height and math.sqrt(max(dx * dx + dy * dy + dz * dz - along * along, 0.0)) <= radius
    return inside


@compiled
def weight_in_bins(values, weights, low, scale, bins):
    """Sum of the weights in equal bins from ``low``; the last bin takes what lies above."""
    total = np.zeros(bins)
    for i in range(len(values)):
        total[min(int((values[i] - low) * scale), bins - 1)] += weights[i]
    return total
