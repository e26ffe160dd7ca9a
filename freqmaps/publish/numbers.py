"""Numbers as sentences and figures show them: with a true minus, shares in percent, the interval in brackets."""

from __future__ import annotations


def number(value: float, form: str = ".2f") -> str:
    """Return a number as text, with a true minus.

    >>> number(-0.5), number(0.5, "+.1f")
    ('−0.50', '+0.5')
    """
    return format(value, form).replace("-", "−")


def with_interval(value: float, low: float, high: float, form: str = ".2f") -> str:
    """Return a number with its interval.

    >>> with_interval(-0.12, -0.2, 0.04)
    '−0.12 (−0.20 to 0.04)'
    """
    return f"{number(value, form)} ({number(low, form)} to {number(high, form)})"


def points(value: float, low: float, high: float) -> str:
    """Return a difference of shares in percentage points, signed, with its interval.

    >>> points(0.012, -0.001, 0.025)
    '+1.2 (−0.1 to +2.5)'
    """
    return with_interval(100 * value, 100 * low, 100 * high, "+.1f")


def percent(value: float, low: float, high: float) -> str:
    """Return a share in percent with its interval.

    >>> percent(0.5, 0.4, 0.613)
    '50.0 % (40.0–61.3)'
    """
    return f"{100 * value:.1f} % ({bounds(low, high)})"


def bounds(low: float, high: float) -> str:
    """Return the interval of a share in percent.

    >>> bounds(0.4, 0.613)
    '40.0–61.3'
    """
    return f"{100 * low:.1f}–{100 * high:.1f}"
