"""The report's chapters, one per paper, and the ledger of claims as its first page shows it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

from freqmaps.core.components import PACKAGE
from freqmaps.inference.verdicts import Claim
from freqmaps.publish.ledger import paper_of, tally
from freqmaps.publish.report._items import ReportItem

#: The verdict on a claim whose tests do not agree.
MIXED = "differs by test"
_CSS = {"holds": "holds", "does not hold": "fails", "cannot be told here": "open"}


def chapters(items: Sequence[ReportItem]) -> list[dict[str, Any]]:
    """Return a chapter per paper, in the order in which items name them: id, name, title, citation, items."""
    by_paper: dict[str, list[ReportItem]] = {}
    for item in items:
        by_paper.setdefault(paper_of(item.id), []).append(item)
    return [about(name) | {"id": f"paper-{name}", "items": own} for name, own in by_paper.items()]


def about(paper: str) -> dict[str, str]:
    """Return name, title and citation of a paper, by the constants of its folder; another's are its name."""
    if not (PACKAGE / "papers" / paper.lower()).is_dir():
        return {"name": paper, "title": paper, "citation": paper}
    room = importlib.import_module(f"freqmaps.papers.{paper.lower()}")
    return {"name": paper, "title": room.CHAPTER, "citation": room.CITATION}


def claims_by_paper(items: Sequence[ReportItem]) -> list[dict[str, Any]]:
    """Return for each paper with claims its name and citation, and the claims: text, numbers and verdict.

    Tests of one claim by one item, on several networks or attacks, are one claim with several cases.
    """
    shown: dict[str, list[Mapping[str, Any]]] = {}
    for item in items:
        if item.claims:
            shown.setdefault(paper_of(item.id), []).extend(_claims(item))
    return [about(paper) | {"claims": claims} for paper, claims in shown.items()]


def in_words(items: Sequence[ReportItem]) -> str:
    """Count the verdicts of all claims in a sentence."""
    every = [claim for paper in claims_by_paper(items) for claim in paper["claims"]]
    mixed = sum(claim["verdict"] == MIXED for claim in every)
    counted = [tally(claim["verdict"] for claim in every if claim["verdict"] != MIXED)]
    if mixed:
        counted.append(f"{mixed} {'has' if mixed == 1 else 'have'} verdicts that differ from test to test")
    return f"Of {len(every)} claims {', '.join(filter(None, counted))}." if every else ""


def measured_on(claim: Claim) -> str:
    """Return on how many images and networks a claim was tested, as text; empty where it says neither."""
    networks = claim.networks
    parts = [
        "" if claim.n is None else f"n = {claim.n}",
        "" if networks is None else f"{networks} network{'' if networks == 1 else 's'}",
    ]
    return ", ".join(filter(None, parts))


def scope_in_words(items: Sequence[ReportItem]) -> str:
    """Say how many tests rest on one network of each training, and what that means; empty where none does."""
    tests = [claim for item in items for claim in item.claims if claim.networks is not None]
    alone = sum(claim.networks == 1 for claim in tests)
    if not alone:
        return ""
    return (
        f"{alone} of {len(tests)} tests rest on one network of each training: they are verdicts on these networks, and "
        "their intervals, which are over images, say nothing of another seed. Where a test rests on several, its item "
        "says how they enter."
    )


def _claims(item: ReportItem) -> list[Mapping[str, Any]]:
    tests: dict[str, list[Claim]] = {}
    for claim in item.claims:
        tests.setdefault(claim.claim, []).append(claim)
    return [_claim(item.id, text, cases) for text, cases in tests.items()]


def _claim(item: str, text: str, cases: Sequence[Claim]) -> Mapping[str, Any]:
    verdicts = {case.verdict for case in cases}
    verdict = verdicts.pop() if len(verdicts) == 1 else MIXED
    reported = list(dict.fromkeys(case.reported for case in cases if case.reported))
    return {
        "item": item,
        "text": text[:1].upper() + text[1:],
        "section": cases[0].section,
        "reported": "; ".join(reported),
        "verdict": verdict,
        "css": _CSS.get(verdict, "open"),
        "tally": tally(case.verdict for case in cases),
        "cases": [
            {
                "place": case.place,
                "measured": case.evidence,
                "verdict": case.verdict,
                "on": measured_on(case),
                "css": _CSS[case.verdict],
            }
            for case in cases
        ],
    }
