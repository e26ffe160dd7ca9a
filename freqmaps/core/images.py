"""The kinds of images that maps are made of (clean, adversarial, noisy), as separate fields of a result's names."""

from __future__ import annotations

from collections.abc import Mapping

ESSENTIAL, ADVERSARIAL, TRANSFERRED, NOISE = "essential", "adversarial", "transferred", "noise"
#: What ``images`` may be: clean ones; those of an attack on the mapped network; those of an attack on another network;
#: clean ones with the attack's perturbation, shuffled.
KINDS = (ESSENTIAL, ADVERSARIAL, TRANSFERRED, NOISE)
#: The name of the attack where there is none, and that of the training attacked where it is the mapped one.
NO_ATTACK, SELF = "none", "self"
#: The names that tell which images maps are made of.
IMAGES = ("images", "attack", "against")


def images_of(kind: str, attack: str = NO_ATTACK, against: str | None = None) -> dict[str, str]:
    """Return the names that identify the images that maps are made of.

    >>> images_of("essential")
    {'images': 'essential', 'attack': 'none', 'against': 'self'}
    """
    return {"images": kind, "attack": attack, "against": against or SELF}


def called(names: Mapping[str, str]) -> str:
    """Return the label in tables of the images that maps are made of; code compares the names themselves.

    >>> called(images_of("transferred", "pgd", "standard")), called(images_of("adversarial", "pgd"))
    ('pgd@standard', 'pgd')
    """
    kind, attack = names["images"], names["attack"]
    if kind == NOISE:
        return f"noise of {attack}"
    return {ESSENTIAL: ESSENTIAL, TRANSFERRED: f"{attack}@{names.get('against', SELF)}"}.get(kind, attack)
