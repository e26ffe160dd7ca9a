"""Limits of numbers, written as intervals: ``(0, 1]`` includes 1 and excludes 0.

A component or a settings class declares them as ``RANGES = {"epsilon": "(0, 1]", "momentum": "[0, 1)"}``. An end may be
the name of another parameter: ``{"max_steps": "[min_steps, 1e9)"}``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from freqmaps.core.errors import ConfigError

DECIDES_NUMBERS = False

_INTERVAL = re.compile(r"([\[(])\s*([^\s,]+)\s*,\s*([^\s,]+)\s*([\])])")


class Interval(NamedTuple):
    """The numbers between two ends, each of which may belong to them."""

    low: float
    high: float
    with_low: bool
    with_high: bool

    def __contains__(self, value: object) -> bool:
        if not isinstance(value, int | float):
            return False
        above = self.low <= value if self.with_low else self.low < value
        below = value <= self.high if self.with_high else value < self.high
        return above and below


@cache
def interval(text: str) -> Interval:
    """Read an interval.

    >>> 1 in interval("(0, 1]"), 0 in interval("(0, 1]")
    (True, False)

    Raises
    ------
    ConfigError
        The text is no interval: two numbers, the lower first, in ``(``, ``[`` and ``)``, ``]``.
    """
    match = _INTERVAL.fullmatch(str(text).strip())
    try:
        low, high = (float(match[2]), float(match[3])) if match else (1.0, 0.0)
    except ValueError:
        low, high = 1.0, 0.0
    if match is None or not low <= high:
        raise ConfigError(f"'{text}' is no interval; write two numbers, the lower first, as in '(0, 1]'")
    return Interval(low, high, match[1] == "[", match[4] == "]")


def check(values: Mapping[str, Any], ranges: Mapping[str, Any], where: str) -> None:
    """Check numbers against their intervals.

    Parameters
    ----------
    values
        Parameters by name; of a list each number is checked. What is no number, such as None, is passed over.
    ranges
        By name, an interval as text, or one that depends on another parameter:
        ``{"epsilon": {"norm": {"linf": "(0, 1]", "l2": "(0, 1000)"}}}``. Where an end is another parameter that is no
        number, such as None, nothing is checked.
    where
        The place, for messages: ``attacks.pgd-8_255``.

    Raises
    ------
    ConfigError
        A number lies outside; the message has the interval as it is written.
    """
    for name, limits in ranges.items():
        value, text = values.get(name), limits
        if isinstance(limits, Mapping):
            other, choices = next(iter(limits.items()))
            text = choices.get(values.get(other))
        named = {end: values.get(end) for end in _ends(text)} if text is not None else {}
        if text is None or not all(isinstance(end, int | float) for end in named.values()):
            continue
        limit = interval(_filled(text, named))
        for number in value if isinstance(value, list | tuple) else [value]:
            if isinstance(number, int | float) and number not in limit:
                told = "".join(f", where {end} is {at:g}" for end, at in named.items())
                raise ConfigError(f"{where}.{name}: {number:g} lies outside {text}{told}{_hint(name, number)}")


def _ends(text: str) -> list[str]:
    """Return the names of parameters that are ends of an interval."""
    match = _INTERVAL.fullmatch(text.strip())
    return [end for end in (match[2], match[3]) if end.isidentifier() and end != "inf"] if match else []


def _filled(text: str, named: Mapping[str, Any]) -> str:
    """Return an interval with the values of parameters in place of their names."""
    match = _INTERVAL.fullmatch(text.strip())
    if not named or match is None:
        return text
    low, high = (named.get(end, end) for end in (match[2], match[3]))
    return f"{match[1]}{low}, {high}{match[4]}"


def _hint(name: str, number: float) -> str:
    """Return what may be meant by a budget that no image in [0, 1] has room for."""
    if name == "epsilon" and 1 < number <= 255:
        return f"; images are in [0, 1], where {number:g} of 255 grey levels are written {number:g}/255"
    return ""
