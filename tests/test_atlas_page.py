"""The atlas in a browser: its controls, its keys, its address, its looks."""

import json
import re

import numpy as np
import pytest

from tests import atlas_pages
from tests.atlas_pages import written

pytest_plugins = ["tests.atlas_browser"]


# ---- controls --------------------------------------------------------------------------------------------------


def test_order_and_filters(opened, toy):
    path, inputs = toy
    shown = opened(path, "#view=table&attack=*", viewport={"width": 1280, "height": 2400})
    shown.select_option("#sort", "cosine")
    values = [row["cosine"] for row in shown.table()]
    numbers = [float(v) for v in values if v != "–"]
    assert numbers == sorted(numbers)
    assert values == [f"{v:.4f}" for v in numbers] + ["–"] * (len(values) - len(numbers))
    shown.click("#direction")
    values = [row["cosine"] for row in shown.table()]
    assert values[: len(numbers)] == [f"{v:.4f}" for v in numbers[::-1]]
    assert set(values[len(numbers) :]) == {"–"}
    shown.click("#table th[data-key=steps_essential] button")
    steps = [int(row["steps_essential"]) for row in shown.table()]
    assert steps == sorted(steps)
    head = shown.locator("#table th[data-key=steps_essential]")
    assert head.get_attribute("aria-sort") == "ascending"
    head.locator("button").press("Enter")
    assert head.get_attribute("aria-sort") == "descending"

    shown.select_option("#attack", label="weak")
    assert {row["attack"] for row in shown.table()} == {"weak"}
    assert "20 of 60 attacked images" in shown.text_content("#shown")
    shown.select_option("#outcome", "success")
    assert {row["success"] for row in shown.table()} == {"yes"}
    shown.select_option("#class", label="one")
    assert {row["class"] for row in shown.table()} == {"one"}
    shown.click("#clear")
    shown.select_option("#attack", label="all")
    shown.evaluate("(low.value = .5, low.dispatchEvent(new Event('input')))")
    assert shown.text_content("#range-text") == "0.50 to 1.00"
    cosines = inputs.per_sample("cosine")["value"]
    assert all(float(row["cosine"]) >= 0.5 for row in shown.table())
    known = set(shown.evaluate("DATA.ids"))
    inside = inputs.per_sample("cosine")[cosines >= 0.5]
    assert len(shown.table()) == inside["sample"].isin(known).sum()
    shown.fill("#text", "s00 weak")
    assert {(row["sample"][:3], row["attack"]) for row in shown.table()} <= {("s00", "weak")}
    shown.fill("#text", "nothing of this name")
    assert shown.is_visible("#none")
    assert not shown.is_visible("#detail")
    shown.click("#clear-too")
    assert len(shown.table()) == 20


def test_sliders_do_not_cross(opened, toy):
    shown = opened(toy[0])
    shown.evaluate("(high.value = .3, high.dispatchEvent(new Event('input')))")
    shown.evaluate("(low.value = .6, low.dispatchEvent(new Event('input')))")
    assert shown.text_content("#range-text") == "0.30 to 0.30"
    assert shown.evaluate("low.value") == "0.3"


def test_keys(opened, many):
    shown = opened(many)
    shown.focus("#grid")
    across = shown.evaluate("GRID.across")
    moves = [("ArrowRight", 1), ("ArrowDown", 1 + across), ("ArrowLeft", across), ("ArrowUp", 0), ("ArrowUp", 0),
             ("ArrowLeft", 0), ("End", 4999), ("ArrowDown", 4999), ("Home", 0)]  # fmt: skip
    for key, expected in moves:
        shown.keyboard.press(key)
        assert shown.current() == expected
    shown.keyboard.press("PageDown")
    assert shown.current() > across
    box = shown.evaluate(f"{shown.current() // across} * rowPitch() - GRID.element.scrollTop")
    assert 0 <= box < shown.evaluate("GRID.element.clientHeight")
    for key in ("Home", "Enter", "ArrowRight", " "):
        shown.keyboard.press(key)
    assert shown.selected() == [0, 1]
    shown.keyboard.press("Enter")
    assert shown.selected() == [0]
    shown.keyboard.press("Shift+ArrowRight")
    shown.keyboard.press("Shift+ArrowRight")
    assert shown.selected() == [0, 1, 2, 3]
    assert shown.text_content("#selected") == "4 selected"
    shown.keyboard.press("Escape")
    assert shown.selected() == []
    shown.keyboard.press("/")
    assert shown.evaluate("document.activeElement.id") == "text"
    shown.keyboard.type("x 00007")
    assert shown.rows() == []
    shown.fill("#text", "00007")
    assert shown.rows() == [7]
    shown.keyboard.press("Escape")
    assert shown.evaluate("document.activeElement.id") == "grid"
    shown.keyboard.press("t")
    assert shown.is_visible("#table")
    shown.keyboard.press("g")
    assert shown.is_visible("#grid")
    shown.keyboard.press("4")
    assert shown.input_value("#tile") == "essential"
    shown.keyboard.press("?")
    assert shown.is_visible("#help")
    shown.keyboard.press("Escape")
    assert not shown.is_visible("#help")


def test_mouse(opened, many):
    shown = opened(many)
    cell = shown.evaluate("GRID.cell")
    grid = shown.locator("#grid")
    grid.click(position={"x": 8 + 2.5 * cell, "y": 20})
    assert shown.current() == 2
    grid.click(position={"x": 8 + 4.5 * cell, "y": 20}, modifiers=["Shift"])
    assert shown.selected() == [2, 3, 4]
    grid.click(position={"x": 8 + 3.5 * cell, "y": 20}, modifiers=["Control"])
    assert shown.selected() == [2, 4]
    shown.evaluate("GRID.element.scrollTop = 30 * rowPitch()")
    grid.click(position={"x": 12, "y": 20})
    assert shown.current() == 30 * shown.evaluate("GRID.across")
    shown.hover("canvas[aria-label^='Essential map']")
    assert re.search(r"Essential map: kx −?\d, ky −?\d: \d\.\d{3}", shown.text_content("#readout"))


def test_what_the_reader_hears(opened, toy):
    shown = opened(toy[0], "#sort=cosine&down=yes")
    assert shown.get_attribute("#grid", "role") == "listbox"
    assert shown.get_attribute("#grid", "aria-activedescendant") == "active"
    shown.focus("#grid")
    shown.keyboard.press("ArrowRight")
    shown.keyboard.press("Enter")
    active = shown.locator("#active")
    assert active.get_attribute("aria-posinset") == "2"
    assert active.get_attribute("aria-setsize") == "20"
    assert active.get_attribute("aria-selected") == "true"
    assert re.match(r"s\d+, fmn-linf, class \w+, seen as .+, cosine [01]\.\d{4}", active.text_content())
    unnamed = shown.evaluate("""[...document.querySelectorAll("input, select, button, canvas:not([aria-hidden]), svg")]
      .filter(e => !(e.labels?.length || e.ariaLabel || e.textContent.trim())).map(e => e.outerHTML)""")
    assert unnamed == []


# ---- the address -----------------------------------------------------------------------------------------------


def test_the_address_leads_back(opened, toy):
    path, _ = toy
    shown = opened(path)
    shown.select_option("#attack", label="weak")
    shown.select_option("#class", label="three_&_<more>")
    shown.select_option("#sort", "l2")
    shown.click("#direction")
    shown.click("#view-table")
    shown.focus("#table")
    shown.keyboard.press("ArrowDown")
    name, address = shown.text_content("#name"), shown.url.split("#")[1]
    again = opened(path, f"#{address}")
    assert again.text_content("#name") == name
    assert again.table() == shown.table()
    assert again.is_visible("#table")
    assert again.url == shown.url


@pytest.mark.parametrize("address", ["#sample=nobody&attack=none&sort=x&tile=y&low=9&size=7&view=z", "#%", "#=&&="])
def test_a_wrong_address_is_the_start(opened, toy, address):
    path, _ = toy
    assert opened(path, address).rows() == opened(path).rows()


def test_a_new_address_is_followed(opened, toy):
    shown = opened(toy[0])
    shown.evaluate("location.hash = '#attack=strong&sample=s004&by=strong'")
    shown.wait_for_function("document.getElementById('name').textContent === 's004, strong'")


# ---- the page --------------------------------------------------------------------------------------------------


def test_names_are_shown_not_run(opened, tmp_path):
    clean, attacked = atlas_pages.sets(6, 1, 5, 5)
    evil = '</script><img src=x onerror="document.title=1">'
    ids = [f"{evil}{i}" for i in range(6)]
    page = atlas_pages.from_arrays(clean, {f"attack {evil}": attacked}, ids=ids, study=f"study {evil}")
    shown = opened(written(tmp_path, page), "#view=table")
    assert shown.locator("img").count() == 0
    assert shown.title().startswith("Atlas of study </script>")
    assert shown.table()[0]["sample"].startswith("</script><img")
    assert shown.table()[0]["attack"] == f"attack {evil}"
    assert "</script><b>two" in shown.eval_on_selector_all("#class option", "os => os.map(o => o.textContent)")


def test_nothing_is_loaded_and_no_numbers_are_written_out(many):
    text = many.read_text(encoding="utf-8")
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    assert not re.search(r"""(src|href)=["']?(?!data:|#)[^"'\s>]""", text)
    meta = re.search(r'id="meta">(.*?)</script>', text, re.DOTALL)[1]
    assert len(meta) < 10_000
    scripts = re.findall(r"<script[^>]*>(.*?)</script>", text, re.DOTALL)
    assert max(len(re.findall(r"\d+\.\d+", script)) for script in scripts) < 200
    assert json.loads(meta)["samples"] == 5000


def test_the_document_stays_small_with_thousands_of_images(opened, many):
    shown = opened(many)
    assert "5,000 attacked images" in shown.text_content("#shown")
    count = "document.querySelectorAll('*').length"
    grid = shown.evaluate(count)
    shown.click("#view-table")
    for _ in range(5):
        shown.evaluate("TABLE.element.scrollTop += 20000")
        shown.wait_for_timeout(50)
    first = shown.table()[0]
    assert first["sample"] > "test/02000"
    assert grid < 600
    assert shown.evaluate(count) < 2500
    assert shown.evaluate("TABLE.element.scrollHeight") > 5000 * 29


def test_sheets_of_tiles_are_forgotten(opened, many):
    shown = opened(many)
    shown.evaluate("for (const t of TILES) for (let r = 0; r < ROWS; r += 100) sprite(t, r)")
    assert shown.evaluate("SHEETS.size") == shown.evaluate("SHEETS_KEPT")
    pixel = "(s => [...s.canvas.getContext('2d').getImageData(s.x, s.y, 8, 8).data])(sprite(TILES[0], 77))"
    drawn = np.array(shown.evaluate(pixel)).reshape(8, 8, 4)
    assert np.abs(drawn[..., 0].ravel() / 255 - shown.array("imageOf(77, 'clean')")).max() < 0.003


def test_a_study_without_attacks(opened, tmp_path):
    clean, _ = atlas_pages.sets(7, 3, 6, 6)
    shown = opened(written(tmp_path, atlas_pages.from_arrays(clean, {})))
    assert "7 images" in shown.text_content("#shown")
    for control in ("#attack", "#seen", "#outcome", ".range"):
        assert not shown.is_visible(control)
    assert shown.locator("#detail figure").count() == 4
    shown.click("#view-table")
    assert "cosine" not in shown.table()[0]
    shown.select_option("#kept", "both")
    assert all(row["keeps_prediction_essential"] == "yes" for row in shown.table())


def test_a_study_in_which_no_image_was_mapped(opened, tmp_path):
    clean, attacked = (atlas_pages.none_of(images) for images in atlas_pages.sets(3, 3, 6, 6))
    shown = opened(written(tmp_path, atlas_pages.from_arrays(clean, {"noise": attacked})))
    assert shown.text_content("#shown") == "0 attacked images. No sample was mapped and classified correctly."
    assert not shown.is_visible("#detail")
    shown.click("#view-table")
    shown.focus("#controls select")
    assert shown.evaluate("csv()").count("\n") == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(opened, toy, scheme):
    shown = opened(toy[0], color_scheme=scheme)
    body = shown.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (max(map(int, re.findall(r"\d+", body)[:3])) < 60) == (scheme == "dark")
    drawn = shown.evaluate("""FIGURES.every(f => { const c = f.canvas.getContext("2d");
      return c.getImageData(0, 0, f.canvas.width, f.canvas.height).data.some(v => v); })""")
    assert drawn
    ink, paper = (shown.evaluate(f"colourOf('--{name}')") for name in ("muted", "page"))
    assert contrast(ink, paper) > 4.5


def contrast(one, other):
    """WCAG's contrast ratio of two colours."""
    levels = []
    for colour in (one, other):
        parts = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        levels.append(float(linear @ [0.2126, 0.7152, 0.0722]) + 0.05)
    return max(levels) / min(levels)


def test_a_narrow_screen_does_not_scroll_sideways(opened, toy):
    shown = opened(toy[0], viewport={"width": 360, "height": 700})
    assert shown.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shown.keyboard.press("Tab")
    assert shown.evaluate("document.activeElement.textContent") == "Skip to the images"


def test_a_damaged_page_says_so(browser, tmp_path, toy):
    text = re.sub(r'(id="part-1">)[^<]{12}', r"\1AAAAAAAAAAAA", toy[0].read_text(encoding="utf-8"))
    page = browser.new_page()
    page.goto(written(tmp_path, text).as_uri())
    page.wait_for_function("document.getElementById('shown').textContent.startsWith('The data could not be read')")
    page.close()
