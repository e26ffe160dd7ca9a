import re
from dataclasses import replace
from html import escape
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest

from freqmaps.core.errors import StoreError
from freqmaps.publish.api import Column, Table
from freqmaps.publish.report import build_markdown, build_report, read_item, summary_lines
from freqmaps.publish.report._key_figures import attack_table, map_table
from freqmaps.publish.report._markdown import render
from freqmaps.publish.report._page import table_html
from freqmaps.results.reader import Inputs
from tests import synthetic_study as study

ROOT = Path(__file__).parent.parent
FIGURE = ("svg", "png", "pdf")
ITEMS = {"B25-T1": ("csv", "tex"), "B25-T3": ("csv", "tex"), "B25-F1": FIGURE, "B25-F3": FIGURE}
VOID = {"meta", "link", "br", "img", "hr", "input"}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return Inputs(study.make(tmp_path_factory.mktemp("study")))


@pytest.fixture(scope="module")
def folder(inputs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    for item, forms in ITEMS.items():
        (folder / "items" / item).mkdir(parents=True)
        study.make_item(item, inputs, {"images": 2} if forms[0] == "svg" else {}, folder / "items" / item)
    return folder


@pytest.fixture(scope="module")
def items(folder):
    return [read_item(folder / "items" / item) for item in ITEMS]


@pytest.fixture(scope="module")
def report(inputs, items, folder):
    path = folder / "report.html"
    path.write_text(_page(items, inputs), encoding="utf-8")
    return path


def _page(items, inputs):
    return build_report(
        items, inputs, {"maps": {"small": {"penalty": 0.1}}, "note": "<script>alert(1)</script>"},
        template=(ROOT / "report" / "report.html.j2").read_text(encoding="utf-8"),
        workflow=(ROOT / "report" / "workflow.md").read_text(encoding="utf-8"),
        origin=study.ORIGIN | {"dirty": True},
    )  # fmt: skip


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.tags, self.text = [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for key, value in attrs if key == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_the_page_is_well_formed_and_whole(report):
    page = Page(report.read_text(encoding="utf-8"))
    assert len(page.ids) == len(set(page.ids))
    assert dict(page.tags)["html"] == {"lang": "en"}
    assert all(attrs.get("alt") for tag, attrs in page.tags if tag == "img")
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    targets = [a["href"][1:] for t, a in page.tags if t == "a" and a["href"].startswith("#")]
    assert set(targets) <= set(page.ids)
    links = [a["href"] for t, a in page.tags if t == "a" and not a["href"].startswith("#")]
    beside = [link for link in links if link in ("catalog.html", "tables/claims.csv")]  # written by the workflow
    assert sorted(beside) == ["catalog.html", "catalog.html", "tables/claims.csv"]
    links = [link for link in links if link not in beside]
    assert len(links) == sum(map(len, ITEMS.values())) and all(
        (report.parent / "items" / Path(link).stem / Path(link).name).is_file() for link in links
    )
    assert {link.split("/")[0] for link in links} == {"tables", "figures"}
    text = " ".join("".join(page.text).split())
    for part in (
        "93.21 %",
        "24",
        "0.1.0, commit 0123456789ab, with uncommitted changes",
        "8 train, 16 test; 4 classes",
    ):
        assert part in text


def test_nothing_is_loaded_from_elsewhere(report):
    text = report.read_text(encoding="utf-8")
    page = Page(text)
    for _, attrs in page.tags:
        for key in ("src", "srcset", "data", "poster", "action"):
            assert (attrs.get(key) or "data:").startswith("data:")
    assert all(a["href"] == "data:," for t, a in page.tags if t == "link")
    assert "@import" not in text and not re.search(r"url\(\s*['\"]?(?!data:)", text)
    assert not re.search(r"https?://", text)


def test_the_users_text_is_shown_not_run(report):
    text = report.read_text(encoding="utf-8")
    assert "<script>alert" not in text and "&lt;script&gt;alert" in text
    assert text.count("<script>") == 1
    evil = Table(pd.DataFrame({"a": ['"><b>x']}), [], [Column("a", "<i>")])
    html = str(table_html(evil, "<u>", '"x'))
    assert "<b>" not in html and "<i>" not in html and "<u>" not in html and 'data-key="&quot;' in html


def test_the_same_results_give_the_same_page(report, inputs):
    folder = report.parent / "items"
    items = [read_item(folder / item) for item in ITEMS]
    assert _page(items, inputs) == report.read_text(encoding="utf-8")


def test_claims_come_first_and_items_tell_their_finding(report):
    text = report.read_text(encoding="utf-8")
    assert text.index('id="claims"') < text.index('id="paper-B25"') < text.index('id="key-figures"')
    claims = [c for item in (read_item(report.parent / "items" / i) for i in ITEMS) for c in item.claims]
    assert claims and {c.section for c in claims} == {"IV-E, table I", "IV-F, table III"}
    for claim in claims:
        assert escape(claim) in text and text.count(escape(claim.evidence)) >= 2  # among the notes and in the ledger
    one = "Essential and adversarial maps of the same images correlate (IdCor above 0)"
    rows = re.findall(r'<tr><th scope="row">(.*?)<small>.*?class="verdict \w+"[^>]*>(.*?)</td>', text, flags=re.DOTALL)
    verdicts = {c.verdict for c in claims if c.claim.lower() == one.lower()}
    assert dict(rows)[one] == (verdicts.pop() if len(verdicts) == 1 else "differs by test")
    assert all(read_item(report.parent / "items" / i).finding in text for i in ITEMS)


def test_items_open_by_their_address_and_by_the_keyboard(browser, report):
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.goto(report.as_uri())
    item = page.locator("#B25-T3")
    assert item.get_attribute("open") is None
    page.locator('nav a[href="#B25-T3"]').click()
    page.wait_for_selector("#B25-T3[open]")  # browsers tell a page of its new address a moment later
    page.wait_for_function("document.querySelector('nav a[aria-current]')?.hash === '#B25-T3'")
    item.locator("summary").first.focus()
    page.keyboard.press("Enter")
    assert item.get_attribute("open") is None
    page.locator('nav a[href="#B25-T3"]').click()  # the same address again
    page.wait_for_selector("#B25-T3[open]")
    page.close()


def test_print_shows_everything(browser, report):
    page = browser.new_page()
    page.goto(report.as_uri())
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("figure img").first.is_visible() and page.locator("#B25-T1-table").is_visible()
    assert not page.locator("nav").is_visible()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details.item[open]").count() == 0
    page.close()


def test_a_study_without_items_still_has_a_report():
    page = Page(_page([], Inputs([])))
    text = " ".join(page.text)
    assert "The study asks for no tables or figures." in text
    assert "The study's tables and figures test no claim of a paper." in text


def test_key_figures_are_counted_by_hand(inputs):
    attacks = attack_table(inputs).frame.set_index("attack")
    correct = [i for i in range(24) if i % 6 != 5]
    hits = [i for i in correct if i % 3 != 0]
    assert attacks.loc["strong", "success"] == pytest.approx(len(hits) / len(correct))
    norms = inputs.adversarial(attack="strong").isel(sample=hits)
    assert attacks.loc["strong", "linf"] == pytest.approx(float(norms["linf"].median()))
    maps = map_table(inputs).frame.set_index("mapped")
    assert maps.loc["essential", "n"] == len(correct)
    assert maps.loc["essential", "converged"] == pytest.approx(sum(i % 5 != 0 for i in correct) / len(correct))
    assert maps.loc["essential", "keeps"] == pytest.approx(sum(i % 7 != 0 for i in correct) / len(correct))
    assert maps.loc["essential", "zeros"] == pytest.approx(float((inputs.maps(images="essential")["map"] == 0).mean()))
    assert maps.loc["essential", "steps"] == sorted(500 + i for i in correct)[len(correct) // 2 - 1 :][0] + 0.5 * (
        sorted(correct)[len(correct) // 2] - sorted(correct)[len(correct) // 2 - 1]
    )


def test_a_missing_item_is_one_sentence(tmp_path):
    with pytest.raises(StoreError, match="neither a table nor a figure"):
        read_item(tmp_path)
    (tmp_path / "B25-T1.csv").write_text("a\n1\n")
    with pytest.raises(StoreError, match=r"B25-T1\.csv: not a whole item"):
        read_item(tmp_path)


def test_the_summary_fits_a_terminal(report):
    folder = report.parent / "items"
    lines = summary_lines(pd.read_csv(folder / "B25-T1" / "B25-T1.csv", dtype={"seed": str})).splitlines()
    assert lines[0] == "Table I, toy / net / plain / 0 / small"
    attacks = ["fmn-linf", "strong", "weak"]
    assert [line.split()[0] for line in lines[1:9]] == ["attack", *attacks, "IdCor,", *attacks]
    assert "0.11 [0.30]" in lines[3] and "[" not in lines[4] and lines[4].endswith("14")
    assert lines[5].split(None, 2)[2].split("  ")[0] == "as made" and lines[5].endswith("released constant")
    assert lines[7].split() == ["strong", "0.31,", "0.0099", "[0.60,", "0.01]", "0.61", "0.71"]
    assert max(map(len, lines)) <= 80


def test_markdown():
    text = "# Head\n\ntext *em* **st** `a*b*` [x](y.md) <b>\n\n- one\n  more\n- two\n\n1. a\n2. b"
    assert render(text, level=3).splitlines() == [
        "<h3>Head</h3>",
        '<p>text <em>em</em> <strong>st</strong> <code>a*b*</code> <a href="y.md">x</a> &lt;b&gt;</p>',
        "<ul><li>one more</li><li>two</li></ul>",
        "<ol><li>a</li><li>b</li></ol>",
    ]


def _column(page, table, number):
    return page.eval_on_selector_all(f"#{table} tbody tr", f"rows => rows.map(r => r.cells[{number}].dataset.key)")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_browser(browser, report, scheme):
    context = browser.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(report.as_uri())
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [report.as_uri()]
    page.click("#all")
    for image in page.query_selector_all("img"):
        image.scroll_into_view_if_needed()
        assert image.is_visible() and image.evaluate("i => i.complete && i.naturalWidth > 100 && i.naturalHeight > 100")
    body = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (max(map(int, re.findall(r"\d+", body)[:3])) < 60) == (scheme == "dark")
    context.close()


def test_tables_sort_by_click_and_by_key(browser, report):
    page = browser.new_page()
    page.goto(f"{report.as_uri()}#B25-T1")
    names = page.eval_on_selector_all("#B25-T1-table thead button", "bs => bs.map(b => b.textContent)")
    column = names.index("used")
    button = page.locator("#B25-T1-table thead button").nth(column)
    counts = [float(v) for v in _column(page, "B25-T1-table", column)]
    button.click()
    assert [float(v) for v in _column(page, "B25-T1-table", column)] == sorted(counts)
    button.press("Enter")
    assert [float(v) for v in _column(page, "B25-T1-table", column)] == sorted(counts, reverse=True)
    head = page.locator("#B25-T1-table thead th[aria-sort]").nth(column)
    assert head.get_attribute("aria-sort") == "descending"
    paper = page.locator("#B25-T1-table thead button").nth(names.index("paper"))
    for _ in range(2):  # a missing value stays last in both directions
        paper.press("Space")
        assert _column(page, "B25-T1-table", names.index("paper"))[-1] == ""
    page.close()


@pytest.mark.parametrize("opened", [False, True])
def test_a_narrow_screen_does_not_scroll_sideways(browser, report, opened):
    page = browser.new_page(viewport={"width": 360, "height": 700})
    page.goto(report.as_uri())
    assert not page.locator("nav > details > ul").is_visible()  # the contents are folded away
    if opened:
        page.click("#all")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if not opened:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.close()


def _cells(line):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]


def test_the_markdown_page_has_every_claim_and_every_row(inputs, items):
    text = build_markdown(items, inputs, title="Results of a study", origin=study.ORIGIN | {"dirty": True})
    assert text.startswith("# Results of a study\n") and "commit 0123456789ab, with uncommitted changes" in text
    assert [line.split(":")[0][4:] for line in text.splitlines() if line.startswith("### ")] == list(ITEMS)
    for line, following in pairwise(text.splitlines()):
        if line.startswith("|") and following.startswith("|"):
            assert len(_cells(line)) == len(_cells(following))
    rows = [_cells(line) for line in text.splitlines() if line.startswith("|")]
    for item in items:
        assert [row for row in rows if row[-1] == item.id] or not item.claims
        for claim in item.claims:
            assert any(claim.verdict == row[3] and item.id == row[4] for row in rows if len(row) == 5)
    (table,) = [item.table for item in items if item.id == "B25-T1"]
    for record in table.frame.to_dict("records"):
        wanted = [column.text(record)[0] for column in table.shown()]
        assert any(
            all(w in cell for w, cell in zip(wanted, row, strict=False)) for row in rows if len(row) == len(wanted)
        )


def test_the_markdown_page_shows_texts_as_they_are(inputs, items):
    frame = pd.DataFrame({"class": ["$5 | *half* <b>_x_", *map(str, range(50))]})
    item = replace(items[0], id="B25-T1", table=Table(frame), claims=(), notes=("a * b",))
    text = build_markdown([item], inputs, title="t")
    assert "| $5 \\| \\*half\\* \\<b>\\_x\\_ |" in text
    assert "* a \\* b" in text
    assert "The first 40 of 51 rows" in text
