"""Claims by what they say, each with all its tests, and the sentence that an item's claims make together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from freqmaps.inference.verdicts import Claim
from freqmaps.publish.ledger import VERDICTS, tally

#: The verdict on a claim whose tests do not agree.
MIXED = "differs by test"
#: Of more claims only those that hold and those that do not are named, of still more none.
_ALL_NAMED, _SOME_NAMED = 3, 8


def by_text(claims: Iterable[Claim]) -> dict[str, list[Claim]]:
    """Return the tests of each claim, by its text, in the order of their first."""
    tests: dict[str, list[Claim]] = {}
    for claim in claims:
        tests.setdefault(claim.claim, []).append(claim)
    return tests


def joint_verdict(cases: Sequence[Claim]) -> str:
    """Return the verdict of all tests of a claim, or that they do not agree."""
    verdicts = {case.verdict for case in cases}
    return verdicts.pop() if len(verdicts) == 1 else MIXED


def counted(verdicts: Iterable[str]) -> str:
    """Count verdicts on claims in words, those that differ from test to test last.

    >>> counted(["holds", MIXED, "holds"])
    '2 hold, 1 has verdicts that differ from test to test'
    """
    every = list(verdicts)
    mixed = every.count(MIXED)
    words = [tally(verdict for verdict in every if verdict != MIXED)]
    if mixed:
        words.append(f"{mixed} {'has' if mixed == 1 else 'have'} verdicts that differ from test to test")
    return ", ".join(filter(None, words))


def sentence(claims: Sequence[Claim]) -> str:
    """Say in one sentence what an item's claims come to; empty without claims.

    Of a few claims each is told with its verdict; of more, those that hold and those that do not are named.
    """
    tests = by_text(claims)
    if not tests:
        return ""
    if len(tests) <= _ALL_NAMED:
        told = "; ".join(f"{text}: {_verdict(cases)}" for text, cases in tests.items())
        return f"{told[:1].upper()}{told[1:]}."
    verdicts = {text: joint_verdict(cases) for text, cases in tests.items()}
    if len(tests) > _SOME_NAMED:
        return f"Of {len(tests)} claims {counted(verdicts.values())}."
    parts = []
    for verdict in (*VERDICTS, MIXED):
        own = [text for text, found in verdicts.items() if found == verdict]
        named = f" ({'; '.join(own)})" if verdict in VERDICTS[:2] else ""
        parts += [f"{counted([verdict] * len(own))}{named}"] if own else []
    return f"Of {len(tests)} claims {', '.join(parts)}."


def _verdict(cases: Sequence[Claim]) -> str:
    """Return the verdict of all tests, or each verdict with the places that have it."""
    if joint_verdict(cases) != MIXED:
        return cases[0].verdict
    if not all(case.place for case in cases):
        return f"{tally(case.verdict for case in cases)}, of {len(cases)} tests"
    places = {v: dict.fromkeys(case.place for case in cases if case.verdict == v) for v in VERDICTS}
    return ", ".join(f"{verdict} for {' and '.join(own)}" for verdict, own in places.items() if own)
