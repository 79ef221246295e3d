"""Settings of the classical finders in `astroclumps.evaluation.peers` that were tried; the defaults there are the best of them.

Run ``python benchmarks/bench_detection.py --tune`` for the scores of all.
"""

from astroclumps.evaluation.peers import PEERS, contrast, folklore, sep_stack

__all__ = ["PEERS", "SETTINGS", "contrast", "folklore", "sep_stack"]

SETTINGS = {
    "contrast": [
        {"box": box, "n_sigma": n_sigma, "min_pixels": min_pixels}
        for box, n_sigma, min_pixels in (
            *((10, 2.0, 5), (6, 2.0, 5), (5, 3.0, 3), (5, 2.0, 3), (4, 3.0, 3), (4, 2.0, 3), (4, 2.0, 2)),
            *((3, 3.0, 3), (3, 2.0, 3), (3, 2.0, 2), (3, 1.5, 3), (3, 2.5, 2), (3, 3.0, 2), (3, 3.0, 1), (3, 4.0, 1)),
            *((3, 5.0, 1), (4, 4.0, 1)),
        )
    ],
    "folklore": [
        {
            "window": window,
            "sigma_center": center,
            "sigma_outer": outer,
            "sigma_split": split,
            "min_filters": min_filters,
            "min_area": least,
        }
        for window, center, outer, split, min_filters, least in (
            *((20, 3.5, 4.0, 6.0, 3, 3), (10, 3.5, 4.0, 6.0, 3, 3), (8, 3.0, 3.5, 5.0, 3, 3), (8, 3.0, 3.5, 5.0, 2, 3)),
            *((6, 3.5, 4.0, 6.0, 2, 3), (6, 3.0, 3.5, 4.0, 2, 3), (6, 2.5, 3.0, 4.0, 3, 3), (6, 2.5, 3.0, 4.0, 2, 4)),
            *((6, 2.5, 3.0, 4.0, 2, 3), (6, 2.0, 2.5, 3.0, 3, 4)),
        )
    ],
    "sep": [
        {"bands": bands, "mesh": mesh, "threshold": threshold, "min_pixels": min_pixels, "kernel": kernel, "deblending": deblending}
        for bands, mesh, threshold, min_pixels, kernel, deblending in (
            *(("optical", 16, 3.0, 5, True, 0.005), ("optical", 4, 3.0, 5, True, 0.005), ("optical", "5b", 3.0, 5, True, 0.005)),
            *(("optical", "4b", 3.0, 3, False, 0.005), ("optical", "3b", 3.0, 3, False, 0.005), ("optical", "3b", 3.0, 3, False, 1e-4)),
            *(("optical", "3b", 2.0, 3, False, 0.005), ("optical", "3b", 3.0, 2, False, 0.005), ("optical", "3b", 2.0, 2, False, 0.005)),
            *(("optical", "3b", 4.0, 2, False, 0.005), ("optical", "3b", 4.0, 1, False, 0.005), ("all", "3b", 3.0, 2, False, 0.005)),
            *(("optical", "3b", 3.0, 1, False, 0.005), ("optical", "3b", 5.0, 1, False, 0.005), ("all", "3b", 4.0, 1, False, 0.005)),
            *(("optical", "4b", 4.0, 1, False, 0.005), ("optical", "3b", 4.0, 1, False, 0.05), ("optical", "3b", 4.0, 1, False, 1e-4)),
        )
    ],
}
"""What was tried on the validation mocks; every setting with all its scores. The first of each is near what is published."""
