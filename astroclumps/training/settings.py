"""What the numbers of a training may be, checked before anything is written."""

from astroclumps.arguments import one_number

__all__ = ["LIMITS", "check_settings"]


def _whole(least):
    return f"a whole number, at least {least}", lambda value: value.is_integer() and value >= least


_POSITIVE = "a positive number", lambda value: 0 < value < float("inf")
_NOT_NEGATIVE = "zero or a positive number", lambda value: 0 <= value < float("inf")

LIMITS = {
    **dict.fromkeys(("n_steps", "batch_size", "filters", "every", "patience", "n_train", "n_jobs", "region"), _whole(1)),
    **dict.fromkeys(("seed", "shift", "n_test", "n_workers"), _whole(0)),
    "size": _whole(8),
    "validation_images": _whole(1),
    **dict.fromkeys(("learning_rate", "beta", "min_mass"), _POSITIVE),
    **dict.fromkeys(("min_snr", "min_contrast", "flux", "colour", "blur"), _NOT_NEGATIVE),
    "mix_share": ("a share of the images, 0 to 1", lambda value: 0 <= value <= 1),
    "dropout": ("a share of the nodes, at least 0 and below 1", lambda value: 0 <= value < 1),
}
"""Name of a setting -> what it may be, in words and as a test of a float."""


def check_settings(*, names=None, **settings):
    """Refuse numbers that no training can use.

    Parameters
    ----------
    names : dict, optional
        What a setting is called in the message, such as ``{"n_steps": "--steps"}``. Default: its own name.
    **settings
        By name; those that are None or not in `LIMITS` are passed over.

    Raises
    ------
    TypeError
        One is no number.
    ValueError
        One is out of its range.

    Examples
    --------
    >>> from astroclumps.training.settings import check_settings
    >>> check_settings(n_steps=0)
    Traceback (most recent call last):
        ...
    ValueError: n_steps must be a whole number, at least 1, got 0
    """
    for name, value in settings.items():
        if value is not None and name in LIMITS:
            one_number((names or {}).get(name, name), value, *LIMITS[name])
