"""Pages of the atlas in a browser: fixtures for its tests."""

import numpy as np
import pytest

from tests import atlas_pages


class Shown:
    """A page in a browser, and everything that it said or asked for."""

    def __init__(self, browser, path, address="", **context):
        self.context = browser.new_context(**({"viewport": {"width": 1280, "height": 860}} | context))
        self.page = self.context.new_page()
        self.said, self.asked = [], []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri() + address)
        self.page.wait_for_selector("body[data-ready]")

    def __getattr__(self, name):
        return getattr(self.page, name)

    def rows(self):
        return self.page.evaluate("[...SHOWN]")

    def current(self):
        return self.page.evaluate("SHOWN.indexOf(CURRENT)")

    def selected(self):
        return self.page.evaluate("[...SELECTED].map(r => SHOWN.indexOf(r)).sort((a, b) => a - b)")

    def array(self, script):
        """Return a typed array of the page; as JSON, NaN would be lost."""
        return np.array(self.page.evaluate(f"Array.from({script}, String)"), dtype=float)

    def table(self):
        """Return the rows of the table in sight, by column."""
        keys = self.page.eval_on_selector_all("#table th", "cells => cells.map(c => c.dataset.key)")
        rows = self.page.eval_on_selector_all(
            "#table tbody tr:not(.filler)", "rows => rows.map(r => [...r.cells].map(c => c.textContent))"
        )
        return [dict(zip(keys, row, strict=True)) for row in rows]


@pytest.fixture
def opened(browser):
    """Open pages, and check at the end that none said or loaded anything."""
    pages = []

    def open_page(path, address="", **context):
        pages.append(Shown(browser, path, address, **context))
        return pages[-1]

    yield open_page
    for shown in pages:
        assert shown.said == []
        # An address with another part after the # is still the same file.
        assert {url.split("#")[0] for url in shown.asked if not url.startswith(("data:", "blob:"))} <= {
            shown.page.url.split("#")[0]
        }
        shown.context.close()


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """The page of a study in stores, and its results."""
    folder = tmp_path_factory.mktemp("toy")
    page, inputs = atlas_pages.from_stores(folder / "study", channels=3)
    (folder / "atlas.html").write_text(page, encoding="utf-8")
    return folder / "atlas.html", inputs


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """5000 samples of the size of digits."""
    from benchmarks.bench_atlas import page

    path = tmp_path_factory.mktemp("many") / "atlas.html"
    path.write_text(page(5000, channels=1, size=8), encoding="utf-8")
    return path
