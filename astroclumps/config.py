"""Settings of the machine, in astropy's configuration system.

Nothing here changes a scientific result: thresholds and recipes are arguments of the classes.
"""

from astropy.config import ConfigItem, ConfigNamespace

__all__ = ["Conf", "conf"]


class Conf(ConfigNamespace):
    """Configuration parameters of astroclumps."""

    rootname = "astroclumps"

    device = ConfigItem("cpu", "Torch device that networks run on, such as 'cpu' or 'cuda'.", cfgtype="string")
    weights_mirrors = ConfigItem([], "URLs of folders that are asked for weights before the registered ones.", cfgtype="string_list")
    n_jobs = ConfigItem(1, "Threads that torch may use; 0 leaves torch's own choice.", cfgtype="integer(min=0)")


conf = Conf()
