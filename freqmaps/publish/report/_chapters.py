"""The report's chapters, one per paper, and the ledger of claims as its first page shows it."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from freqmaps.core.components import PACKAGE
from freqmaps.inference.verdicts import Claim
from freqmaps.publish.ledger import paper_of, tally
from freqmaps.publish.report._findings import by_text, counted, joint_verdict
from freqmaps.publish.report._items import ReportItem

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

    Tests of one claim, by several items or on several networks or attacks, are one claim with several cases. Where two
    items show the same test, it counts once.
    """
    tested: dict[str, list[tuple[str, Claim]]] = {}
    for item in items:
        if item.claims:
            tested.setdefault(paper_of(item.id), []).extend((item.id, claim) for claim in item.claims)
    return [about(paper) | {"claims": _claims(tests)} for paper, tests in tested.items()]


def in_words(items: Sequence[ReportItem]) -> str:
    """Count the verdicts of all claims in a sentence."""
    verdicts = [claim["verdict"] for paper in claims_by_paper(items) for claim in paper["claims"]]
    return f"Of {len(verdicts)} claims {counted(verdicts)}." if verdicts else ""


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
    claims = [claim for paper in claims_by_paper(items) for claim in paper["claims"]]
    tests = [case["networks"] for claim in claims for case in claim["cases"] if case["networks"] is not None]
    alone = tests.count(1)
    if not alone:
        return ""
    return (
        f"{alone} of {len(tests)} tests rest on one network of each training: they are verdicts on these networks, and "
        "their intervals, which are over images, say nothing of another seed. Where a test rests on several, its item "
        "says how they enter."
    )


def _claims(tests: Sequence[tuple[str, Claim]]) -> list[Mapping[str, Any]]:
    """Return the claims that items test, given which item makes which claim."""
    alike = by_text(claim for _, claim in tests)
    return [_claim(text, cases, tests) for text, cases in alike.items()]


def _claim(text: str, cases: Sequence[Claim], tests: Sequence[tuple[str, Claim]]) -> Mapping[str, Any]:
    """Return a claim: what it says, the items that test it, and each test."""
    once: dict[tuple[str, ...], Claim] = {}
    for case in cases:
        once.setdefault((case.place, case.evidence, case.verdict), case)
    by_item: dict[tuple[str, ...], list[str]] = {}
    for item, claim in tests:
        if claim.claim == text:
            by_item.setdefault((claim.place, claim.evidence, claim.verdict), []).append(item)
    verdict = joint_verdict(cases)
    return {
        "items": list(dict.fromkeys(item for items in by_item.values() for item in items)),
        "text": text[:1].upper() + text[1:],
        "section": _listed(case.section for case in cases),
        "reported": _listed(case.reported for case in cases),
        "verdict": verdict,
        "css": _CSS.get(verdict, "open"),
        "tally": tally(case.verdict for case in once.values()),
        "cases": [
            {
                "items": list(dict.fromkeys(by_item[test])),
                "place": case.place,
                "measured": case.evidence,
                "verdict": case.verdict,
                "on": measured_on(case),
                "networks": case.networks,
                "css": _CSS[case.verdict],
            }
            for test, case in once.items()
        ],
    }


def _listed(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(text for text in texts if text))
