"""``docs/digits.md``, a run's report, is of the default config and of the items' claims, and has all its figures."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

import pytest
import yaml

from freqmaps.core import components
from tests.default_config import base
from tests.workflow import REPOSITORY

PAGE = (REPOSITORY / "docs" / "digits.md").read_text(encoding="utf-8")
STALE = "docs/digits.md is of another code or config: `make run`, then `make digits-page`"
#: Shorter texts are in too many sentences to tell anything.
LONG = 12


def plain(text: str) -> str:
    """Undo the escapes of a page."""
    return re.sub(r"\\([\\|*_<`])", r"\1", text)


def titles(page: str) -> dict[str, str]:
    """Return the items of a page with their titles."""
    return {item: plain(title) for item, title in re.findall(r"^### (\w+-\w+): (.+)$", page, re.M)}


def claims(page: str) -> list[tuple[str, str]]:
    """Return the first item that tests each claim of a page, and the claim with its section."""
    rows = [re.split(r"(?<!\\) \| ", line[2:]) for line in page.split("\n## ")[1].splitlines() if line.startswith("| ")]
    return [(cells[-1].rstrip(" |").split(", ")[0], plain(cells[0])) for cells in rows if cells[0] not in ("", "claim")]


def pattern(node: ast.AST) -> tuple[str, int]:
    """Return a regular expression for what an expression may say, and how many characters of it are certain."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.escape(node.value), len(node.value)
    parts: list[ast.AST] = []
    if isinstance(node, ast.JoinedStr):
        parts = list(node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts = [node.left, node.right]
    each = [pattern(part) for part in parts]
    return ("".join(text for text, _ in each), sum(n for _, n in each)) if each else (".*", 0)


def texts_in(data: object) -> Iterator[ast.Constant]:
    """Yield the texts of a data file."""
    if isinstance(data, str):
        yield ast.Constant(data)
    elif isinstance(data, dict | list):
        for value in data.values() if isinstance(data, dict) else data:
            yield from texts_in(value)


@cache
def sayings(paper: str) -> list[tuple[re.Pattern[str], int]]:
    """Return a pattern for each text in the code of a paper's items and in its published values."""

    def every() -> Iterator[tuple[str, int]]:
        folder = REPOSITORY / "freqmaps" / "papers" / paper
        for path in folder.glob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                yield pattern(node)
        for path in folder.glob("*.yaml"):
            yield from map(pattern, texts_in(yaml.safe_load(path.read_text(encoding="utf-8"))))

    return [(re.compile(text), certain) for text, certain in sorted(set(every())) if certain >= LONG]


def made(item: str, claim: str) -> bool:
    """Whether the code of an item's paper may make a claim, which is given with or without a section behind it."""
    known = sayings(item.split("-")[0].lower())

    def said(text: str) -> bool:
        # ASSUME: a text of which two fifths are certain is no coincidence.
        return any(certain >= 0.4 * len(text) and one.fullmatch(text) for one, certain in known)

    texts = [text for whole in (claim, claim.rsplit(" (", 1)[0]) for text in (whole, whole[:1].lower() + whole[1:])]
    # A claim may be put together from two texts: where it holds, and what.
    halves = [(text[: m.start()], text[m.end() :]) for text in texts for m in re.finditer(" ", text)]
    return any(map(said, texts)) or any(min(map(len, two)) >= LONG and all(map(said, two)) for two in halves)


def test_the_page_has_the_items_of_the_default_config_with_their_titles():
    items = [entry if isinstance(entry, str) else entry["item"] for entry in base()["items"]]
    expected = {item: components.find("item", item).constants["TITLE"] for item in items}
    assert titles(PAGE) == expected, STALE


def test_the_page_has_claims_that_the_items_make():
    assert len(claims(PAGE)) > 20
    assert [claim for item, claim in claims(PAGE) if not made(item, claim)] == [], STALE


@pytest.mark.parametrize(
    ("item", "claim", "expected"),
    [
        ("B25-T4", "Class maps cost accuracy on clean images (IV-G, table IV)", True),
        ("B25-T4", "Class maps cost no accuracy on clean images (IV-G, table IV)", False),
        ("K22-T4", "Class maps cost accuracy on clean images (IV-G, table IV)", False),
        ("C22-T2", "JaFR has a larger low-frequency bias than Standard (4.2, table 2)", True),
        ("C22-T2", "JaFR has a smaller low-frequency bias than Standard (4.2, table 2)", False),
    ],
)
def test_a_claim_that_the_code_does_not_make_is_found(item, claim, expected):
    assert made(item, claim) is expected


def test_what_is_said_of_the_digits_beside_the_page_has_no_figures_of_its_own():
    results = (REPOSITORY / "docs" / "results.md").read_text(encoding="utf-8")
    said = results.split("\n## Digits, the default study\n")[1].split("\n## ")[0].split("\n### ")[0]
    items = [line for line in said.splitlines() if line.startswith("* ")]
    assert len(items) > 5 and "(digits.md)" in said
    assert [line for line in items if re.search(r"±|%|(?<!\w)[.−+-]\d|\d\.\d", line)] == []


def test_claims_and_titles_are_read_from_a_page():
    page = (
        "# Results\n\n## What the papers claim\n\n| claim | paper reports | item |\n|---|---|---|\n"
        "| A \\| b\\_low (1) | x | B25-T1, B25-T3 |\n|  |  | B25-T3 |\n\n## Next\n\n### B25-T1: Of \\_x\n"
    )
    assert claims(page) == [("B25-T1", "A | b_low (1)")]
    assert titles(page) == {"B25-T1": "Of _x"}
