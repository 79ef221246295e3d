"""Compiled loops of the evaluation, over the clumps and detections of all images, which lie one image after the other."""

import numpy as np

from astroclumps.jit import compiled

__all__ = ["crowding", "local_light", "match_by_score", "merge_close"]


@compiled
def match_by_score(first, x, y, true_first, true_x, true_y, radius):
    """Partner of each detection and the detection that finds each clump, image by image, strongest detection first.

    Detections are taken in the order given (by falling score). Each looks for the nearest free clump within the radius, or for a chain of
    others that can move to make room for it; so that the pairs of the first k detections are as many as there can be, for every k.
    """
    partner = np.full(len(x), -1, dtype=np.int64)
    finder = np.full(len(true_x), -1, dtype=np.int64)
    limit = radius * radius
    for image in range(len(first) - 1):
        d0, d1, t0, t1 = first[image], first[image + 1], true_first[image], true_first[image + 1]
        n, m = d1 - d0, t1 - t0
        if n == 0 or m == 0:
            continue
        near = np.empty((n, m), dtype=np.int64)
        count = np.zeros(n, dtype=np.int64)
        distance = np.empty(m)
        for d in range(n):
            for t in range(m):
                distance[t] = (x[d0 + d] - true_x[t0 + t]) ** 2 + (y[d0 + d] - true_y[t0 + t]) ** 2
            for t in np.argsort(distance):
                if distance[t] <= limit:
                    near[d, count[d]] = t
                    count[d] += 1
        owner = np.full(m, -1, dtype=np.int64)
        own = np.full(n, -1, dtype=np.int64)
        queue = np.empty(n, dtype=np.int64)
        for d in range(n):
            comes_from = np.full(m, -1, dtype=np.int64)
            queue[0] = d
            head, tail, end = 0, 1, -1
            while head < tail and end < 0:
                one = queue[head]
                head += 1
                for k in range(count[one]):
                    t = near[one, k]
                    if comes_from[t] >= 0:
                        continue
                    comes_from[t] = one
                    if owner[t] < 0:
                        end = t
                        break
                    queue[tail] = owner[t]
                    tail += 1
            if end < 0:
                continue
            finder[t0 + end] = d0 + d
            while end >= 0:  # along the chain: each takes the new clump and leaves its old one to the next
                one = comes_from[end]
                before = own[one]
                own[one], owner[end] = end, one
                end = before if one != d else -1
        for d in range(n):
            if own[d] >= 0:
                partner[d0 + d] = t0 + own[d]
    return partner, finder


@compiled
def merge_close(first, x, y, weight, length):
    """Group of each clump, counted through all images: in each image the closest pair is merged until none is closer than the length."""
    group = np.empty(len(x), dtype=np.int64)
    n_groups = 0
    for image in range(len(first) - 1):
        i0, n = first[image], first[image + 1] - first[image]
        cx, cy, w = x[i0 : i0 + n].copy(), y[i0 : i0 + n].copy(), weight[i0 : i0 + n].copy()
        into = np.arange(n)
        alive = np.ones(n, dtype=np.bool_)
        limit = length[image] ** 2
        while True:
            best, a, b = limit, -1, -1
            for i in range(n):
                if not alive[i]:
                    continue
                for j in range(i + 1, n):
                    if alive[j]:
                        d = (cx[i] - cx[j]) ** 2 + (cy[i] - cy[j]) ** 2
                        if d < best:
                            best, a, b = d, i, j
            if a < 0:
                break
            total = w[a] + w[b]
            cx[a] = (w[a] * cx[a] + w[b] * cx[b]) / total
            cy[a] = (w[a] * cy[a] + w[b] * cy[b]) / total
            w[a], alive[b] = total, False
            for i in range(n):
                if into[i] == b:
                    into[i] = a
        number = np.full(n, -1, dtype=np.int64)
        for i in range(n):
            if number[into[i]] < 0:
                number[into[i]] = n_groups
                n_groups += 1
            group[i0 + i] = number[into[i]]
    return group, n_groups


@compiled
def crowding(first, x, y, radius):
    """Others of the same image within the radius of each."""
    out = np.zeros(len(x), dtype=np.int64)
    for image in range(len(first) - 1):
        for i in range(first[image], first[image + 1]):
            for j in range(first[image], first[image + 1]):
                if i != j and (x[i] - x[j]) ** 2 + (y[i] - y[j]) ** 2 <= radius * radius:
                    out[i] += 1
    return out


@compiled
def local_light(planes, image, x, y, aperture, inner, outer):
    """Sum of the pixels within ``aperture`` and median of those between ``inner`` and ``outer`` of each place; NaN where none is."""
    total, median = np.empty(len(x)), np.empty(len(x))
    ny, nx = planes.shape[1:]
    reach = int(np.ceil(outer))
    ring = np.empty((2 * reach + 2) ** 2)
    for i in range(len(x)):
        cx, cy, n, seen = x[i], y[i], 0, 0
        total[i] = 0.0
        for row in range(max(int(cy) - reach, 0), min(int(cy) + reach + 2, ny)):
            for column in range(max(int(cx) - reach, 0), min(int(cx) + reach + 2, nx)):
                r = np.sqrt((column - cx) ** 2 + (row - cy) ** 2)
                value = planes[image[i], row, column]
                if r <= aperture:
                    total[i] += value
                    seen += 1
                if inner < r <= outer:
                    ring[n] = value
                    n += 1
        if seen == 0:
            total[i] = np.nan
        median[i] = np.median(ring[:n]) if n else np.nan
    return total, median
