"""One small galaxy, written in the units and names of each code of the Gadget family."""

import numpy as np
from astropy.cosmology import FlatLambdaCDM

A, H = 0.5, 0.7
COSMOLOGY = FlatLambdaCDM(H0=100 * H, Om0=0.3)
KPC, MSUN, KMS = 3.0856775814913673e21, 1.988409870698051e33, 1e5  # cgs, of astropy
BOX = 10_000.0  # kpc, physical
_KELVIN = 2 / 3 * 1.67262192e-27 / 1.380649e-23 * 1e6


def truth(n_stars=30, n_gas=40, n_dark=20):
    """Physical numbers: kpc, km/s, Msun, scale factors, Msun/kpc3, Msun/yr."""
    rng = np.random.default_rng(1)

    def base(n, first):
        return {
            "particle_id": rng.permutation(np.arange(first, first + n)),
            "position": rng.uniform(4990, 5010, (n, 3)),
            "velocity": rng.normal(0, 200, (n, 3)),
            "mass": rng.uniform(1e6, 2e6, n),
        }

    stars, gas, dark = base(n_stars, 1), base(n_gas, 1000), base(n_dark, 5000)
    stars |= {"formation": rng.uniform(0.1, A, n_stars), "metallicity": rng.uniform(0, 0.03, n_stars)}
    stars["initial_mass"] = stars["mass"] * rng.uniform(1.2, 1.8, n_stars)
    gas |= {"metallicity": rng.uniform(0.001, 0.03, n_gas), "density": rng.uniform(1e6, 1e9, n_gas)}
    gas |= {"temperature": rng.uniform(5e3, 1e5, n_gas), "sfr": np.where(np.arange(n_gas) < 15, 0.02, 0.0)}
    gas["electrons"] = rng.uniform(0, 1.16, n_gas)
    return {0: gas, 4: stars, 1: dark}


def internal_energy(gas):
    """(km/s)^2 of a temperature and an electron abundance, hydrogen fraction 0.76."""
    mu = 4 / (1 + 3 * 0.76 + 4 * 0.76 * gas["electrons"])
    return gas["temperature"] / (_KELVIN * mu)


# layout -> names of fields
PLAIN = {
    "particle_id": "ParticleIDs",
    "position": "Coordinates",
    "velocity": "Velocities",
    "mass": "Masses",
    "formation": "StellarFormationTime",
    "metallicity": "Metallicity",
    "density": "Density",
    "sfr": "StarFormationRate",
    "internal_energy": "InternalEnergy",
    "electrons": "ElectronAbundance",
}
NAMES = {
    "gadget": PLAIN,
    "gizmo": PLAIN,
    "eagle": {
        **{name: PLAIN[name] for name in ("particle_id", "position", "formation", "density", "sfr")},
        "velocity": "Velocity",
        "mass": "Mass",
        "initial_mass": "InitialMass",
        "metallicity": "SmoothedMetallicity",
        "temperature": "Temperature",
    },
    "tng": PLAIN | {"formation": "GFM_StellarFormationTime", "metallicity": "GFM_Metallicity", "initial_mass": "GFM_InitialMass"},
    "swift": {
        **{name: PLAIN[name] for name in ("particle_id", "position", "velocity", "mass")},
        "formation": "BirthScaleFactors",
        "metallicity": "MetalMassFractions",
        "initial_mass": "InitialMasses",
        "density": "Densities",
        "sfr": "StarFormationRates",
        "temperature": "Temperatures",
    },
}
NAMES["magneticum"] = NAMES["eagle"] | {"metallicity": "Metallicity"}
NAMES["horizon-agn"] = NAMES["eagle"] | {"cell_size": "dx"}

# column -> powers of a and h that a number of the code is multiplied with, and the code's unit in cgs
_MPC = 1000 * KPC
_GADGET = {
    "position": (1, -1, KPC),
    "velocity": (0.5, 0, KMS),
    "mass": (0, -1, 1e10 * MSUN),
    "initial_mass": (0, -1, 1e10 * MSUN),
    "density": (-3, 2, 1e10 * MSUN / KPC**3),
    "internal_energy": (0, 0, 1e10),
    "sfr": (0, 0, MSUN / 3.15576e7),
}
UNITS = {
    "gadget": _GADGET,
    "gizmo": _GADGET,
    "tng": _GADGET,
    "magneticum": _GADGET | {"sfr": (0, -1, 1e10 * MSUN / 3.15576e7)},  # as its files state it, which is wrong
    "eagle": _GADGET | {"position": (1, -1, _MPC), "density": (-3, 2, 1e10 * MSUN / _MPC**3)},
    "swift": {
        "position": (1, 0, _MPC),
        "velocity": (0, 0, KMS),
        "mass": (0, 0, 1e10 * MSUN),
        "initial_mass": (0, 0, 1e10 * MSUN),
        "density": (-3, 0, 1e10 * MSUN / _MPC**3),
        "sfr": (0, 0, 1e10 * MSUN / (_MPC / KMS)),
    },
    "horizon-agn": {
        "position": (0, 0, KPC),
        "velocity": (0, 0, KMS),
        "mass": (0, 0, MSUN),
        "initial_mass": (0, 0, MSUN),
        "density": (0, 0, MSUN / KPC**3),
        "sfr": (0, 0, 1e-8 * MSUN / 3.15576e7),  # as its files state it
        "cell_size": (0, 0, KPC),
    },
}
_CGS = {"position": KPC, "velocity": KMS, "mass": MSUN, "initial_mass": MSUN, "density": MSUN / KPC**3, "cell_size": KPC}
_CGS |= {"internal_energy": 1e10, "sfr": MSUN / 3.15576e7}
_STATED = {
    "eagle": ("CGSConversionFactor", "aexp-scale-exponent", "h-scale-exponent"),
    "swift": ("Conversion factor to CGS (not including cosmological corrections)", "a-scale exponent", "h-scale exponent"),
    "tng": ("to_cgs", "a_scaling", "h_scaling"),
}
_STATED["magneticum"] = _STATED["horizon-agn"] = _STATED["eagle"]


def write(path, layout="gizmo", data=None, header=None, **attributes):
    """Write a galaxy at a = 0.5 in a code's own way; ``header`` changes or (None) removes attributes of the header."""
    import h5py

    data = truth() if data is None else data
    with h5py.File(path, "w") as file:
        counts = [len(data[kind]["mass"]) if kind in data else 0 for kind in range(6)]
        box = BOX / A * H
        head = {"Time": A, "Redshift": 1 / A - 1, "HubbleParam": H, "Omega0": 0.3, "OmegaLambda": 0.7, "NumFilesPerSnapshot": 1}
        head |= {"NumPart_ThisFile": counts, "NumPart_Total": counts, "MassTable": np.zeros(6)}
        head["BoxSize"] = {"eagle": box / 1000, "swift": np.full(3, BOX / A / 1000), "horizon-agn": box / 1000}.get(layout, box)
        if layout == "gizmo":
            head |= {"ComovingIntegrationOn": 1, "GIZMO_version": 2022}
            head |= {"UnitLength_In_CGS": KPC, "UnitMass_In_CGS": 1e10 * MSUN, "UnitVelocity_In_CGS": KMS}
        elif layout == "swift":
            head |= {"Code": np.bytes_("SWIFT"), "Time": 0.006, "Scale-factor": [A]}
            for name in ("Omega0", "OmegaLambda", "HubbleParam"):
                head.pop(name)
            file.create_group("Cosmology").attrs.update({"Cosmological run": [1], "h": [H], "Omega_m": [0.3], "Omega_lambda": [0.7]})
            units = {"Unit length in cgs (U_L)": [_MPC], "Unit mass in cgs (U_M)": [1e10 * MSUN], "Unit time in cgs (U_t)": [_MPC / KMS]}
            file.create_group("Units").attrs.update(units)
        elif layout in ("eagle", "magneticum", "horizon-agn"):
            head |= {"RunLabel": layout.upper(), "ExpansionFactor": A}
            if layout == "horizon-agn":
                head.pop("Time")
        for name, value in (head | (header or {})).items():
            if value is not None:
                file.require_group("Header").attrs[name] = value
        for kind, columns in data.items():
            group = file.create_group(f"PartType{kind}")
            if "temperature" in columns and "internal_energy" in NAMES[layout]:
                columns = columns | {"internal_energy": internal_energy(columns)}
            for column, name in NAMES[layout].items():
                if column in columns:
                    _put(group, column, name, columns[column], layout, columns)
    return path


def _put(group, column, name, values, layout, columns):
    units = UNITS[layout]
    a_power, h_power, cgs = units.get(column, (0, 0, 1.0))
    if column in units:
        values = values * (_CGS[column] / cgs / A**a_power / H**h_power)
    if layout == "magneticum" and column == "sfr":
        values = columns["sfr"]  # Msun/yr whatever the attributes say
    if layout == "magneticum" and column == "metallicity":  # masses of helium and two groups of metals
        whole = columns.get("initial_mass", columns["mass"]) / 1e10 * H
        values = np.column_stack([0.26 * whole, 0.75 * values * whole, 0.25 * values * whole])
        a_power, h_power, cgs = units["mass"]
    if layout == "horizon-agn" and column == "particle_id" and "temperature" in columns:
        values = np.zeros(len(values))
    dataset = group.create_dataset(name, data=values)
    if layout in _STATED:
        stated = 0.0 if layout == "tng" and column not in units else cgs
        dataset.attrs.update(dict(zip(_STATED[layout], ([stated], [float(a_power)], [float(h_power)]), strict=True)))
