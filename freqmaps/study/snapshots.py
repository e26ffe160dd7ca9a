"""Which steps of a training a run looks at: a list, or a spacing, resolved to numbers of steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from freqmaps.core.errors import ConfigError
from freqmaps.core.minibatches import count_steps

DECIDES_NUMBERS = False

#: What stands for the end of the training.
LAST = "last"


def resolve(requested: Any, settings: Mapping[str, Any], images: int, where: str) -> list[int]:
    """Return the steps, ascending, each once.

    Parameters
    ----------
    requested
        A list of numbers of steps, in which ``last`` is the end of the training; or ``{count, spacing, until}``.
    settings
        Of the training: ``epochs``, ``batch``, ``drop_last``.
    images
        Training images.
    where
        The place in the config, for messages.

    Raises
    ------
    ConfigError
        A step after the end of the training, or fewer steps than are asked for.

    Examples
    --------
    >>> resolve([0, 5, "last"], {"epochs": 2, "batch": 64}, 539, "runs[0]")
    [0, 5, 18]
    >>> resolve({"count": 6, "spacing": "logarithmic", "until": None}, {"epochs": 2, "batch": 64}, 539, "runs[0]")
    [0, 1, 2, 4, 9, 18]
    """
    total = count_steps(settings["epochs"], images, settings["batch"], settings.get("drop_last", False))
    if isinstance(requested, Mapping):
        return _spaced(requested, total, where)
    steps = sorted({total if step == LAST else int(step) for step in requested})
    if steps[-1] > total:
        raise ConfigError(
            f"{where}: step {steps[-1]} comes after the end of the training, which makes {total} steps; name steps up "
            f"to {total}, or '{LAST}'"
        )
    return steps


def _spaced(spacing: Mapping[str, Any], total: int, where: str) -> list[int]:
    """Return ``count`` steps from 0 on, with linear or logarithmic spacing."""
    count, until = int(spacing["count"]), int(spacing.get("until") or total)
    if until > total:
        raise ConfigError(f"{where}.until: the training makes {total} steps; name at most {total}")
    if count > until + 1:
        raise ConfigError(f"{where}.count: {count} snapshots of {until} steps; ask for at most {until + 1}")
    if spacing.get("spacing", "logarithmic") == "linear":
        return sorted({round(until * i / (count - 1)) for i in range(count)})
    # Early on the factor leads to the same step again, so that it is raised until there are enough different ones.
    rest = count - 1
    steps, step = [0], 1.0 if rest > 1 else float(until)
    while rest:
        steps.append(max(steps[-1] + 1, round(step)))
        rest -= 1
        if rest:
            step = steps[-1] * (until / steps[-1]) ** (1 / rest)
    return steps
