"""The loops of the gravitational potential: an octree over each group of particles, or all pairs in small groups.

Potentials are in units of mass over length; the caller multiplies by the constant of gravity.
"""

import numpy as np

from astroclumps.jit import compiled

__all__ = ["DIRECT", "LEAF", "group_potentials", "pair_potential", "tree_potential"]

DIRECT = 512  # groups up to this size are summed over all pairs, exactly
LEAF = 16  # particles in a leaf of the tree
_DEPTH = 48  # of the tree at most, where particles lie on top of each other
_STACK = 8 * _DEPTH


@compiled
def _add(px, py, pz, phi, lo, hi, x, y, z, m, soft2):
    """Add one mass's potential to the particles lo to hi; one at the same place without softening adds nothing."""
    nothing = 0 * m  # of the type of m, so that float32 stays float32
    for i in range(lo, hi):
        dx, dy, dz = px[i] - x, py[i] - y, pz[i] - z
        d2 = dx * dx + dy * dy + dz * dz + soft2
        phi[i] -= m / np.sqrt(d2) if d2 > 0 else nothing


@compiled
def pair_potential(px, py, pz, m, soft2, phi):
    """Fill ``phi`` with the potential of all other particles; ``soft2`` is the square of the Plummer softening."""
    n = len(m)
    own = 1 / np.sqrt(soft2) if soft2 > 0 else 0 * soft2
    for i in range(n):
        phi[i] = m[i] * own
    for lo in range(0, n, LEAF):
        hi = min(lo + LEAF, n)
        for j in range(n):
            _add(px, py, pz, phi, lo, hi, px[j], py[j], pz[j], m[j], soft2)


@compiled
def _split(px, py, pz, order, scratch, lo, hi, cx, cy, cz, start):
    """Sort order[lo:hi] by octant about a centre; ``start`` gets the nine borders."""
    start[:] = 0
    for k in range(lo, hi):
        i = order[k]
        start[(px[i] >= cx) * 4 + (py[i] >= cy) * 2 + (pz[i] >= cz) + 1] += 1
    start[0] = lo
    for octant in range(8):
        start[octant + 1] += start[octant]
    fill = start[:8].copy()
    for k in range(lo, hi):
        i = order[k]
        octant = (px[i] >= cx) * 4 + (py[i] >= cy) * 2 + (pz[i] >= cz)
        scratch[fill[octant]] = i
        fill[octant] += 1
    for k in range(lo, hi):
        order[k] = scratch[k]


@compiled
def _build(px, py, pz, order):
    """Octree in depth-first order: first and last particle of each node, the node after its branch, and the number of nodes."""
    n = len(order)
    size = 4 * n // LEAF * 8 + 64
    first, last = np.empty(size, np.int64), np.empty(size, np.int64)
    scratch, start = np.empty(n, np.int64), np.empty(9, np.int64)
    stack = np.empty((_STACK, 3), np.int64)
    boxes = np.empty((_STACK, 4))
    half = 0.5 * max(px.max() - px.min(), py.max() - py.min(), pz.max() - pz.min())
    stack[0] = (0, n, 0)
    boxes[0] = (0.5 * (px.max() + px.min()), 0.5 * (py.max() + py.min()), 0.5 * (pz.max() + pz.min()), half)
    depth, nodes = 1, 0
    while depth > 0:
        depth -= 1
        lo, hi, level = stack[depth]
        cx, cy, cz, half = boxes[depth]
        if nodes == size:
            size *= 2
            longer = np.empty(size, np.int64)
            longer[:nodes] = first
            first = longer
            longer = np.empty(size, np.int64)
            longer[:nodes] = last
            last = longer
        first[nodes], last[nodes] = lo, hi
        nodes += 1
        if hi - lo <= LEAF or level >= _DEPTH - 1:
            continue
        _split(px, py, pz, order, scratch, lo, hi, cx, cy, cz, start)
        half *= 0.5
        for octant in range(7, -1, -1):
            if start[octant + 1] > start[octant]:
                stack[depth] = (start[octant], start[octant + 1], level + 1)
                boxes[depth, 0] = cx + (half if octant & 4 else -half)
                boxes[depth, 1] = cy + (half if octant & 2 else -half)
                boxes[depth, 2] = cz + (half if octant & 1 else -half)
                boxes[depth, 3] = half
                depth += 1
    after = np.empty(nodes, np.int64)
    for i in range(nodes - 1, -1, -1):
        j = i + 1
        while j < nodes and first[j] < last[i]:
            j = after[j]
        after[i] = j
    return first, last, after, nodes


@compiled
def _spheres(qx, qy, qz, m, first, last, nodes):
    """Centre of mass, mass, and distance of the farthest particle from that centre, of each node."""
    spheres = np.empty((nodes, 5), m.dtype)
    for i in range(nodes):
        x = y = z = total = 0.0
        for k in range(first[i], last[i]):
            x += m[k] * qx[k]
            y += m[k] * qy[k]
            z += m[k] * qz[k]
            total += m[k]
        if total > 0:
            x, y, z = x / total, y / total, z / total
        else:
            x, y, z = qx[first[i]], qy[first[i]], qz[first[i]]
        reach2 = 0.0
        for k in range(first[i], last[i]):
            reach2 = max(reach2, (qx[k] - x) ** 2 + (qy[k] - y) ** 2 + (qz[k] - z) ** 2)
        spheres[i] = (x, y, z, total, np.sqrt(reach2))
    return spheres


@compiled
def tree_potential(px, py, pz, mass, soft2, angle, phi):
    """Fill ``phi`` as `pair_potential` does, with an octree of monopoles.

    A branch stands for its particles where its radius is below ``angle`` times its distance from the nearest point of the group of
    targets.
    """
    n = len(mass)
    order = np.arange(n)
    first, last, after, nodes = _build(px, py, pz, order)
    qx, qy, qz, m = px[order], py[order], pz[order], mass[order]
    spheres = _spheres(qx, qy, qz, m, first, last, nodes)
    own = 1 / np.sqrt(soft2) if soft2 > 0 else 0 * soft2
    sums = m * own
    for leaf in range(nodes):
        if after[leaf] != leaf + 1 or (leaf + 1 < nodes and first[leaf + 1] < last[leaf]):
            continue
        lo, hi = first[leaf], last[leaf]
        x, y, z, reach = spheres[leaf, 0], spheres[leaf, 1], spheres[leaf, 2], spheres[leaf, 4]
        node = 0
        while node < nodes:
            distance = np.sqrt((spheres[node, 0] - x) ** 2 + (spheres[node, 1] - y) ** 2 + (spheres[node, 2] - z) ** 2) - reach
            if spheres[node, 4] < angle * distance:
                _add(qx, qy, qz, sums, lo, hi, spheres[node, 0], spheres[node, 1], spheres[node, 2], spheres[node, 3], soft2)
                node = after[node]
            elif after[node] == node + 1 and not (node + 1 < nodes and first[node + 1] < last[node]):
                for j in range(first[node], last[node]):
                    _add(qx, qy, qz, sums, lo, hi, qx[j], qy[j], qz[j], m[j], soft2)
                node += 1
            else:
                node += 1
    for k in range(n):
        phi[order[k]] = sums[k]


@compiled
def group_potentials(px, py, pz, mass, start, soft2, angle, direct, phi):
    """Fill ``phi`` group by group; particles of group g are start[g] to start[g + 1], softened by the root of soft2[g]."""
    for group in range(len(start) - 1):
        lo, hi = start[group], start[group + 1]
        if hi - lo <= direct:
            pair_potential(px[lo:hi], py[lo:hi], pz[lo:hi], mass[lo:hi], soft2[group], phi[lo:hi])
        else:
            tree_potential(px[lo:hi], py[lo:hi], pz[lo:hi], mass[lo:hi], soft2[group], angle, phi[lo:hi])
