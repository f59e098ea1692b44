"""What tells one procedural flower from another: a few named attributes per class."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

COLOURS: dict[str, tuple[float, float, float]] = {
    "white": (0.97, 0.96, 0.95),
    "cream": (0.98, 0.90, 0.68),
    "yellow": (0.99, 0.82, 0.10),
    "orange": (0.98, 0.52, 0.08),
    "red": (0.86, 0.11, 0.10),
    "crimson": (0.58, 0.03, 0.17),
    "pink": (0.98, 0.62, 0.74),
    "magenta": (0.86, 0.12, 0.55),
    "lilac": (0.78, 0.65, 0.93),
    "violet": (0.45, 0.16, 0.70),
    "blue": (0.20, 0.28, 0.84),
    "sky": (0.52, 0.74, 0.97),
}
CENTRE_COLOURS: dict[str, tuple[float, float, float]] = {
    "gold": (0.97, 0.74, 0.08),
    "lime": (0.66, 0.78, 0.22),
    "brown": (0.36, 0.19, 0.07),
    "black": (0.13, 0.07, 0.13),
    "ivory": (0.97, 0.93, 0.78),
    "rust": (0.76, 0.31, 0.07),
}

# Legal values of each attribute; repeated values are likelier.
LEVELS: dict[str, tuple[Any, ...]] = {
    "petals": (3, 4, 5, 5, 6, 8, 8, 12, 16),
    "layers": (1, 1, 1, 2, 2, 3),
    "petal_shape": ("round", "oval", "strap", "lance", "spoon", "heart", "fringed"),
    "petal_width": (0.72, 1.0, 1.3),  # 1 = neighbouring petals just touch
    "petal_colour": tuple(COLOURS),
    "second_colour": tuple(COLOURS),
    "pattern": ("plain", "throat", "tipped", "edged", "rayed", "banded"),
    "texture": ("smooth", "smooth", "veined", "spotted"),
    "centre": ("button", "eye", "stamens", "cone"),
    "centre_size": (0.15, 0.22, 0.31),  # radius, as a share of the flower's
    "centre_colour": tuple(CENTRE_COLOURS),
}

SPECIES_PER_GENUS = 5
MIN_DIFFERENCE = 3  # attributes by which any two species differ at least


@dataclass(frozen=True)
class Species:
    """The attributes of one class; every image of the class shares them."""

    petals: int
    layers: int
    petal_shape: str
    petal_width: float
    petal_colour: str
    second_colour: str
    pattern: str
    texture: str
    centre: str
    centre_size: float
    centre_colour: str

    def visible(self) -> tuple[Any, ...]:
        """The attributes as an eye can tell them: a plain petal shows no second colour."""
        values = asdict(self)
        if self.pattern == "plain":
            values["second_colour"] = None
        return tuple(values.values())


def _draw(name: str, rng: np.random.Generator) -> Any:
    return LEVELS[name][rng.integers(len(LEVELS[name]))]


def _distinct_colours(species: Species, rng: np.random.Generator) -> Species:
    """Redraws a second colour that could not be seen on the petal."""
    base = np.array(COLOURS[species.petal_colour])
    while np.abs(base - COLOURS[species.second_colour]).sum() < 0.6:
        species = replace(species, second_colour=_draw("second_colour", rng))
    return species


def grow_species(count: int, seed: int) -> list[Species]:
    """``count`` species, in genera of five that are variations of one founder.

    Two species differ in at least three visible attributes. Asking for more species leaves the first
    ones as they were.
    """
    rng = np.random.default_rng([seed, 0xB10550])
    grown: list[Species] = []
    seen: list[tuple[Any, ...]] = []
    founder: Species | None = None
    while len(grown) < count:
        if len(grown) % SPECIES_PER_GENUS == 0 or founder is None:
            candidate = Species(**{name: _draw(name, rng) for name in LEVELS})
        else:
            changed = rng.choice(list(LEVELS), size=4, replace=False)
            candidate = replace(founder, **{name: _draw(name, rng) for name in changed})
        candidate = _distinct_colours(candidate, rng)
        visible = candidate.visible()
        if any(sum(a != b for a, b in zip(visible, s, strict=True)) < MIN_DIFFERENCE for s in seen):
            continue
        if len(grown) % SPECIES_PER_GENUS == 0:
            founder = candidate
        grown.append(candidate)
        seen.append(visible)
    return grown


GENUS_HEADS = ("Al", "Bel", "Cal", "Dor", "Er", "Flor", "Gal", "Hel", "Ir", "Jas", "Kal", "Lil", "Mir", "Nar")
GENUS_TAILS = ("anthera", "ella", "ina", "aria", "ora", "issa", "onia", "uva", "idia", "estra", "osma", "era")
EPITHETS = {
    **{"white": "alba", "cream": "eburnea", "yellow": "lutea", "orange": "aurantia", "red": "rubra"},
    **{"crimson": "sanguinea", "pink": "rosea", "magenta": "fuchsia", "lilac": "lilacina"},
    **{"violet": "violacea", "blue": "caerulea", "sky": "azurea"},
    **{"smooth": "laevis", "veined": "venosa", "spotted": "maculata"},
    **{"plain": "simplex", "throat": "ocellata", "tipped": "picta", "edged": "marginata"},
    **{"rayed": "radiata", "banded": "zonata"},
    **{"round": "rotunda", "oval": "ovalis", "strap": "linearis", "lance": "lanceolata"},
    **{"spoon": "spathulata", "heart": "cordata", "fringed": "fimbriata"},
}


def name_species(species: list[Species]) -> list[str]:
    """A unique Latin-looking name per species: its genus, and a trait that no earlier sibling is named for."""
    names: dict[str, None] = {}
    genera = len(GENUS_HEADS) * len(GENUS_TAILS)
    for number, one in enumerate(species):
        rounds, genus = divmod(number // SPECIES_PER_GENUS, genera)
        # 73 is coprime to the number of head-tail pairs, so that neighbouring genera sound unlike.
        head, tail = divmod(genus * 73 % genera, len(GENUS_TAILS))
        stem = GENUS_HEADS[head] + GENUS_TAILS[tail] + (str(rounds + 1) if rounds else "")
        traits = [one.petal_colour, one.texture, one.pattern, one.petal_shape]
        choices = [f"{stem} {EPITHETS[t]}" for t in traits]
        choices += [f"{choices[0]} {twin}" for twin in range(2, SPECIES_PER_GENUS + 1)]
        names[next(c for c in choices if c not in names)] = None
    return list(names)


def attribute_table(species: list[Species], names: list[str]) -> pd.DataFrame:
    """One row per class name: its genus and its attributes."""
    table = pd.DataFrame([asdict(s) for s in species], index=pd.Index(names, name="class"))
    table.insert(0, "genus", [name.split(" ")[0] for name in names])
    return table
