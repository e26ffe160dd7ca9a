"""Whether a user's own metric computes, tried on a few rows before any work starts.

:func:`main` is asked in a process of its own: see :mod:`freqmaps.core.asked`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from freqmaps.core import components
from freqmaps.core.errors import FreqmapsError
from freqmaps.correlation._api import Metric

DECIDES_NUMBERS = False

#: Rows and columns of what it is tried on: enough that most metrics have a value, few enough to take no time.
_SHAPE = (256, 48)


def main(question: str) -> None:
    """Compute a metric on random rows, quickly if its ``TINY`` says how, and with its own parameters if that fails.

    Parameters
    ----------
    question
        JSON with ``name`` and ``parameters``.

    Raises
    ------
    Exception
        Whatever the metric raises.
    """
    asked = json.loads(question)
    component, parameters = components.find("metric", asked["name"]), asked["parameters"]
    quick = _quick(parameters, component.constants.get("TINY", {}))
    try:
        _compute(asked["name"], quick)
    except Exception:
        if quick == parameters:
            raise
        _compute(asked["name"], parameters)


def _quick(parameters: Mapping[str, Any], tiny: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters with counts no larger than those that tests use; all else stays as it is tried."""
    counts = {k: v for k, v in tiny.items() if type(v) is int and type(parameters.get(k)) is int}
    return {**parameters, **{k: min(v, parameters[k]) for k, v in counts.items()}}


def _compute(name: str, parameters: Mapping[str, Any]) -> None:
    rng = np.random.default_rng(0)
    x = rng.random(_SHAPE, dtype=np.float32)
    y = x + np.float32(0.5) * rng.random(_SHAPE, dtype=np.float32)
    result = components.load("metric", name)(x, y, seed=0, **parameters)
    if not isinstance(result, Metric):
        raise FreqmapsError(
            f"metric '{name}' returned {type(result).__name__}; it must return a Metric (docs/add-a-metric.md)"
        )
