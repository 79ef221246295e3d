"""The numbers that the paper quotes for its figures, as far as they are known here (METHODS 3, 4 and 6)."""

from typing import NamedTuple

__all__ = ["EITHER", "PAPER", "PaperNumber"]

EITHER = "the paper's number is quoted without its sample here, so it stands under both"
"""Note of numbers whose sample is not known."""

_LAW = "which of the two slopes the paper's number is, is not certain: its caption counts per logarithmic bin, for which -1.87 is steep"


class PaperNumber(NamedTuple):
    """One number of the paper.

    Attributes
    ----------
    key : str
        Its name in `astroclumps.reproduction.numbers`.
    figure : str
        Where it stands: a figure or equations.
    quantity, unit : str
        What it is.
    vela, candels : str
        Its value of the simulations and of the observed galaxies; '' where there is none.
    note : str
        What is to be said of it.
    """

    key: str
    figure: str
    quantity: str
    unit: str
    vela: str = ""
    candels: str = ""
    note: str = ""


PAPER = (
    PaperNumber("completeness_8", "6", "squares of 8 px above 10^7.5 Msun with a detection", "", "0.75", "", "paper: at high mass"),
    PaperNumber("completeness_10", "6", "squares of 10 px above 10^7.5 Msun with a detection", "", "0.80", "", "paper: at high mass"),
    PaperNumber("true_detection_10", "7", "true detection rate, 10 px, all sfZLC count", "", "0.90"),
    PaperNumber("per_square_6", "8", "median number of 3D clumps in a square of 6 px", "", "2"),
    PaperNumber("per_square_8", "8", "median number of 3D clumps in a square of 8 px", "", "3"),
    PaperNumber("per_square_10", "8", "median number of 3D clumps in a square of 10 px", "", "4"),
    PaperNumber("balanced_completeness", "9", "completeness of both classes at P_0 = 0.5", "", "0.80"),
    PaperNumber("precision_natural", "9", "precision at 80% recall, natural mix", "", "0.50", "", "the mix is 1:5 to 1:10 in the paper"),
    PaperNumber("precision_balanced", "9", "precision at 80% recall, balanced draws", "", "0.80"),
    PaperNumber("sfr_share", "5.2", "share of the star formation in clumps", "", "0.03-0.06", "0.10-0.20", "METHODS 1; ours of fits"),
    PaperNumber("median_mass_LLC", "10", "median log mass of LLC", "dex(Msun)", "7.5", "7.5", EITHER),
    PaperNumber("median_mass_SLC", "10", "median log mass of SLC", "dex(Msun)", "7.0", "7.0", EITHER),
    PaperNumber("slope_dM", "10", "slope of dN/dM above 10^7.5 Msun", "", "-1.87 ± 0.24", "-0.86 ± 0.21", _LAW),
    PaperNumber("slope_dlogM", "10", "slope of dN/dlogM above 10^7.5 Msun", "", "-1.87 ± 0.24", "-0.86 ± 0.21", _LAW),
    PaperNumber("transition", "10", "log mass above which most clumps are LLC", "dex(Msun)", "7.9", "7.6"),
    PaperNumber("radius_0.5", "11", "median radius, SLC over LLC, P_0 = 0.5", "dex", "0.2-0.3", "0.12-0.15"),
    PaperNumber("radius_0.7", "11", "median radius, SLC over LLC, P_0 = 0.7", "dex", "0.2-0.3", "0.12-0.15"),
    PaperNumber("inside", "11", "share of the LLC inside R_e, P_0 = 0.5", "", "0.5", "0.4"),
    PaperNumber("host_transition", "12", "log mass of the hosts above which most clumps are LLC", "dex(Msun)", "10.8", "10.2"),
    PaperNumber("median_age_LLC", "13", "median age of LLC", "Myr", "900", "900", EITHER),
    PaperNumber("median_age_SLC", "13", "median age of SLC", "Myr", "300", "300", EITHER),
    PaperNumber("v_sn", "eq. 4-5", "circular velocity of a clump that outlives supernovae", "km/s", "30", "30"),
    PaperNumber("v_vir", "eq. 6", "virial velocity of its galaxy's halo", "km/s", "150", "150", "148 before rounding"),
    PaperNumber("halo_mass_1", "eq. 8", "mass of that halo at z = 1", "1e11 Msun", "7.7", "7.7"),
    PaperNumber("halo_mass_2", "eq. 8", "mass of that halo at z = 2", "1e11 Msun", "4.2", "4.2"),
    PaperNumber("halo_mass_3", "eq. 8", "mass of that halo at z = 3", "1e11 Msun", "2.7", "2.7"),
    PaperNumber(
        "stellar_mass_1", "eq. 8", "stellar mass of its galaxy at z = 1", "1e9 Msun", "16", "16", "paper: 2e9 to 1.6e10 over its z"
    ),
    PaperNumber(
        "stellar_mass_2", "eq. 8", "stellar mass of its galaxy at z = 2", "1e9 Msun", "2", "2", "the paper's 2e9 fits z = 2, not 3"
    ),
    PaperNumber("stellar_mass_3", "eq. 8", "stellar mass of its galaxy at z = 3", "1e9 Msun", "", "", "by Behroozi et al. (2019)"),
)
"""All of them, in the order of the figures."""
