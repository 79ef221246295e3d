"""How the codes of the Gadget family name and store their fields."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

__all__ = ["LAYOUTS", "Layout", "detect_layout"]

# Names under which the fields are found, the first that is there is taken.
_FIELDS = {
    "particle_id": ("ParticleIDs",),
    "position": ("Coordinates",),
    "velocity": ("Velocities", "Velocity"),
    "mass": ("Masses", "Mass"),
    "initial_mass": ("InitialMasses", "InitialMass", "GFM_InitialMass"),
    "formation": ("StellarFormationTime", "GFM_StellarFormationTime", "BirthScaleFactors", "BirthTimes"),
    "metallicity": ("Metallicity", "GFM_Metallicity", "MetalMassFractions", "SmoothedMetallicity"),
    "temperature": ("Temperature", "Temperatures"),
    "internal_energy": ("InternalEnergy", "InternalEnergies"),
    "electrons": ("ElectronAbundance",),
    "density": ("Density", "Densities"),
    "sfr": ("StarFormationRate", "StarFormationRates"),
    "cell_size": (),
}


class Layout(NamedTuple):
    """What a code's files need beyond names and units that the file itself states."""

    name: str
    """Name, as in ``read_hdf5(..., layout=name)``."""
    fields: Mapping[str, tuple[str, ...]]
    """Names of datasets, for each column."""
    velocity_exponent: float = 0.5
    """Power of the scale factor in velocities, where datasets state none."""
    per_h: bool = True
    """Lengths and masses of cosmological runs are per h, where datasets state nothing."""
    wind: bool = False
    """Among the stars are wind particles, with a formation time that is not positive."""
    born_before: bool = False
    """A negative formation time means a star of the initial conditions."""
    metal_masses: bool = False
    """Metallicity is stored as masses of helium and the metals; those of stars belong to the initial mass."""
    effective_temperature: bool = False
    """Star-forming gas lies on an effective equation of state: its temperature is a pressure, not a temperature."""
    pressure_density: float | None = None
    """Hydrogen atoms per cm3 from which gas lies on an equation of state whose temperature grows as the density's third root from 1e4 K."""
    sfr_unit: str = "file"
    """Unit of star-formation rates: as the file says, 'Msun/yr' where it says something wrong, or 'unknown'."""
    cells: bool = False
    """Gas elements are cells of a mesh, without identifiers of their own."""
    box: str = "file"
    """Unit of the box: that of coordinates, or 'Mpc/h'."""


def _fields(**changes):
    return MappingProxyType(_FIELDS | changes)


_SMOOTHED = ("SmoothedMetallicity", "Metallicity")

#: All layouts, by name.
LAYOUTS = MappingProxyType(
    {
        layout.name: layout
        for layout in (
            Layout("gadget", _fields()),
            Layout("gizmo", _fields()),
            Layout("simba", _fields(), effective_temperature=True, pressure_density=0.13),
            Layout("swift", _fields(), velocity_exponent=0.0, per_h=False, born_before=True),
            Layout("eagle", _fields(metallicity=_SMOOTHED), effective_temperature=True),
            Layout("tng", _fields(), wind=True, effective_temperature=True),
            Layout("magneticum", _fields(), metal_masses=True, effective_temperature=True, sfr_unit="Msun/yr"),
            Layout(
                "horizon-agn",
                _fields(metallicity=_SMOOTHED, cell_size=("dx",)),
                effective_temperature=True,
                sfr_unit="unknown",
                cells=True,
                box="Mpc/h",
            ),
        )
    }
)

_LABELS = {"eagle": "eagle", "illustristng": "tng", "horizon-agn": "horizon-agn", "magneticum": "magneticum", "colibre": "swift"}


def detect_layout(file) -> Layout:
    """Name the layout of an open file, by its header and the fields it has.

    Parameters
    ----------
    file : `h5py.File`
        The file, open.

    Returns
    -------
    `Layout`
        ``gadget`` where nothing points at another one.
    """
    header = file["Header"].attrs if "Header" in file else {}
    label = _text(header.get("RunLabel", "")).lower()
    if label in _LABELS:
        return LAYOUTS[_LABELS[label]]
    codes = " ".join(_text(group.attrs.get("Code", "")) for group in (file.get("Header"), file.get("Code")) if group is not None)
    names = {name for group in file if group.startswith("PartType") and hasattr(file[group], "keys") for name in file[group]}
    if "SWIFT" in codes.upper() or "BirthScaleFactors" in names or "MetalMassFractions" in names:
        return LAYOUTS["swift"]
    if any(name.startswith("GFM_") for name in names):
        return LAYOUTS["tng"]
    if "NWindLaunches" in names:
        return LAYOUTS["simba"]
    if "GIZMO_version" in header or "AGS-Softening" in names or "ComovingIntegrationOn" in header:
        return LAYOUTS["gizmo"]
    if {"SmoothedMetallicity", "dx"} <= names:
        return LAYOUTS["horizon-agn"]
    if "SmoothedMetallicity" in names or ("Mass" in names and "ExpansionFactor" in header):
        return LAYOUTS["eagle"]
    return LAYOUTS["gadget"]


def _text(value):
    value = value[0] if getattr(value, "shape", ()) else value
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
