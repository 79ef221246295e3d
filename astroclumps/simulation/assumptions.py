"""What a reader takes for what a file does not say, and the list of it."""

import warnings
from dataclasses import dataclass, field

import astropy.units as u
import numpy as np

from astroclumps.exceptions import AstroclumpsWarning

__all__ = ["Choices", "ages_of_scale_factors"]

_HYDROGEN = 0.76  # mass fraction of primordial gas
_OLD_AGE = (1.0, 3.0)  # Gyr at the start of a run: ours
_METALLICITY = 0.01  # ours: half of the solar value of the BC03 models
_COLD = 1e4  # K, where star-forming gas is put; hydrogen is neutral below
# (gamma - 1) m_p / k_B in K (s/km)^2
_KELVIN = (2 / 3) * 1.67262192e-27 / 1.380649e-23 * 1e6

_ATOMS = 4.04675e-8  # hydrogen masses per cm3 for 1 Msun/kpc3
_NEAR = 10**0.5  # how far above the equation of state gas may lie and belong to it (Dave et al. 2019)


@dataclass
class Choices:
    """The user's choices for fields that are missing, and a record of what was taken."""

    old_star_age: u.Quantity | None = None
    metallicity: float | None = None
    softening: u.Quantity | None = None
    made: list = field(default_factory=list)
    doubtful: list = field(default_factory=list)

    def __post_init__(self):
        if self.old_star_age is not None:
            value = self.old_star_age
            if not isinstance(value, u.Quantity) or not value.unit.is_equivalent(u.Gyr):
                raise TypeError(f"old_star_age must be a time such as [1, 3] * u.Gyr, got {value!r}")
            if value.size not in (1, 2) or not np.isfinite(value).all() or (value < 0 * u.Gyr).any():
                raise ValueError(f"old_star_age must be one age or the least and the largest, got {value}")
        if self.softening is not None and not (isinstance(self.softening, u.Quantity) and self.softening.unit.is_equivalent(u.kpc)):
            raise TypeError(f"softening must be a length such as 60 * u.pc, got {self.softening!r}")
        if self.metallicity is not None and not 0 <= self.metallicity <= 1:
            raise ValueError(f"metallicity must be a mass fraction, 0 to 1, got {self.metallicity!r}")

    def note(self, text):
        """Keep a line for the snapshot's meta."""
        self.made.append(text)

    def doubt(self, text):
        """Keep a line that a warning is due for."""
        self.made.append(text)
        self.doubtful.append(text)

    def warn(self, path):
        """One warning about all that is in doubt."""
        if self.doubtful:
            warnings.warn(f"{path}: {'; '.join(self.doubtful)}", AstroclumpsWarning, stacklevel=4)

    def old_ages(self, identifiers, header, group):
        """Ages of stars that were there at the start, in Gyr; the same star has the same formation time in every snapshot."""
        given = self.old_star_age
        low, high = _OLD_AGE if given is None else np.resize(np.sort(np.ravel(given.to_value(u.Gyr))), 2)
        text = f"{group.name}: no formation time, ages of {low:g} to {high:g} Gyr at the start of the run by identifier"
        self.note(text) if given is not None else self.doubt(f"{text} (old_star_age=)")
        elapsed = 0.0 if header.cosmological else header.time.to_value(u.Gyr)
        return low + (high - low) * _uniform(identifiers) + elapsed

    def metals(self, n, group):
        """Mass fractions of metals of a group that states none."""
        value = _METALLICITY if self.metallicity is None else self.metallicity
        text = f"{group.name}: no metallicity, {value:g} for all"
        self.note(text) if self.metallicity is not None else self.doubt(f"{text} (metallicity=)")
        return np.full(n, value)

    def temperature(self, energy, electrons, group):
        """Temperature in K from the internal energy in (km/s)^2."""
        if electrons is not None:
            return energy * (_KELVIN * 4 / (1 + 3 * _HYDROGEN + 4 * _HYDROGEN * electrons))
        self.doubt(f"{group.name}: no electron abundance, gas below {_COLD:g} K taken as neutral, above as ionised")
        neutral = energy * (_KELVIN * 4 / (1 + 3 * _HYDROGEN))
        ionised = energy * (_KELVIN * 4 / (3 + 5 * _HYDROGEN))
        return np.where(neutral < _COLD, neutral, np.maximum(ionised, _COLD))

    def without_pressure(self, temperature, forming, density, group):
        """Star-forming gas on an effective equation of state is cold, and so is gas that pressure support keeps near one."""
        least = group.header.layout.pressure_density
        warm = np.zeros(len(temperature), dtype=bool) if forming is None else forming
        if least is not None and density is not None:
            ratio = density * (_HYDROGEN * _ATOMS / least)
            warm = warm | ((ratio > 1) & (temperature < _NEAR * _COLD * np.cbrt(ratio)))
        warm = warm & (temperature > _COLD)
        if warm.any():
            what = "star-forming elements" if least is None else "elements that form stars or are pressurised"
            self.note(f"{group.name}: temperature of {int(warm.sum())} {what} set to {_COLD:g} K (effective equation of state)")
        return np.where(warm, np.asarray(_COLD, dtype=temperature.dtype), temperature)


def ages_of_scale_factors(formation, header):
    """Time in Gyr since the Universe had each scale factor, in a table fine enough for ages to a millionth."""
    now = header.scale_factor
    if not len(formation):
        return np.zeros(0)
    start = max(min(float(formation.min()), now) * 0.999, 1e-4)
    table = np.linspace(start**1.5, (now * 1.01) ** 1.5, 20_001)  # age grows about as a^1.5
    age = header.cosmology.age(table ** (-2 / 3) - 1).to_value(u.Gyr)
    return header.time.to_value(u.Gyr) - np.interp(np.asarray(formation, dtype=float) ** 1.5, table, age)


def _uniform(identifiers):
    """A number from 0 to 1 for each identifier, evenly spread, always the same for the same identifier (splitmix64)."""
    with np.errstate(over="ignore"):
        x = np.asarray(identifiers).astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x ^= x >> np.uint64(31)
    return (x >> np.uint64(11)).astype(float) / 2.0**53
