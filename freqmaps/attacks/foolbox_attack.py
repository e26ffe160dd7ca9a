"""Any attack of Foolbox, by the name of its class.

Nothing is known of what such an attack does, so samples are attacked in fixed blocks of positions: a result does not
depend on the batch size, nor on the shards as long as no shard cuts a block. Uniform and normal numbers drawn with
torch for a whole batch belong to the sample; all other random numbers are seeded from the block's first position.
"""

from __future__ import annotations

import inspect
from typing import Any, Optional

from freqmaps.attacks._api import AttackPlan, Norm
from freqmaps.attacks._foolbox import FoolboxAttack, attacks, distances, plan
from freqmaps.attacks._starts import StartedAttack, needs_start
from freqmaps.core.errors import FreqmapsError, nearest
from freqmaps.core.values import check_value

LIBRARIES = ("foolbox", "eagerpy")
RANGES = {"epsilon": "(0, 1000)", "block": "[1, 1e6)"}
TINY = {"attack": "LinfBasicIterativeAttack", "epsilon": 0.1, "parameters": {"steps": 3}}

_NORMS: dict[float, Norm] = {0: "l0", 1: "l1", 2: "l2", float("inf"): "linf"}
_BLACK_IF_NONE = ("L2CarliniWagnerAttack", "EADAttack")
_SIMPLE: dict[Any, str] = {
    bool: "bool",
    int: "int",
    float: "float",
    str: "str",
    Optional[int]: "int | None",  # noqa: UP045 (Foolbox writes its annotations so, and they must compare equal)
    Optional[float]: "float | None",  # noqa: UP045
}


def build(
    *,
    attack: str,
    epsilon: float | None = None,
    parameters: dict[str, Any] | None = None,
    block: int = 32,
) -> AttackPlan:
    """Return the attack.

    Parameters
    ----------
    attack
        A class of ``foolbox.attacks``: ``LinfBasicIterativeAttack``, ``EADAttack``, …
    epsilon
        Budget in the attack's own norm, for images in [0, 1]; None only for a minimum-norm attack.
    parameters
        The class's own parameters. ``distance`` (of attacks that work in any norm) is ``l1``, ``l2`` (taken unless
        set) or ``linf``.
    block
        How many positions are attacked together; let it divide the size of the shards.

    Raises
    ------
    FreqmapsError
        No such attack or parameter, a value of the wrong type, an attack that needs a budget and has none.
    """
    known = _classes()
    if attack not in known:
        raise FreqmapsError(f"Foolbox has no attack '{attack}'; {nearest(attack, known)}")
    kind = known[attack]
    if issubclass(kind, attacks.base.FixedEpsilonAttack) and epsilon is None:
        raise FreqmapsError(f"Foolbox's '{attack}' works within a budget; set 'epsilon', such as 8/255")
    built = kind(**_arguments(attack, kind, dict(parameters or {})))
    distance = getattr(built, "distance", distances.linf)
    norm, name = _NORMS[distance.p], f"foolbox_attack {attack}"
    if needs_start(built):
        return AttackPlan(name, StartedAttack(FoolboxAttack(built, epsilon)), norm, epsilon, block)
    return plan(name, built, norm, epsilon, black_if_none=kind.__name__ in _BLACK_IF_NONE, block=block)


def _classes() -> dict[str, Any]:
    """Foolbox's attacks by name, aliases included, without those that need other images or a target class."""
    left_out = (attacks.DatasetAttack, attacks.GenAttack, attacks.BinarizationRefinementAttack)
    classes = {n: k for n, k in vars(attacks).items() if inspect.isclass(k) and issubclass(k, attacks.Attack)}
    return {n: k for n, k in classes.items() if not inspect.isabstract(k) and k not in left_out}


def _arguments(attack: str, kind: Any, parameters: dict[str, Any]) -> dict[str, Any]:
    """Check parameters against the class's signature and bring them to its types."""
    where = f"Foolbox's '{attack}'"
    signature = inspect.signature(kind).parameters
    for name in parameters:
        if name not in signature:
            raise FreqmapsError(f"{where} has no parameter '{name}'; {nearest(name, signature)}")
    for name, parameter in signature.items():
        if name not in parameters and parameter.default is inspect.Parameter.empty:
            raise FreqmapsError(f"{where} needs the parameter '{name}'")
    arguments = {n: _value(v, signature[n].annotation, f"{where}.{n}") for n, v in parameters.items()}
    if "distance" in signature:
        arguments["distance"] = _distance(parameters.get("distance", "l2"), where)
    return arguments


def _value(value: Any, annotation: Any, where: str) -> Any:
    if annotation in _SIMPLE:
        return check_value(value, _SIMPLE[annotation], where)
    return value


def _distance(name: Any, where: str) -> Any:
    if name not in ("l1", "l2", "linf"):
        raise FreqmapsError(f"{where}: no distance '{name}'; {nearest(str(name), ('l1', 'l2', 'linf'))}")
    return getattr(distances, name)
