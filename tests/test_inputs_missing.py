"""What is missing is missing in every file: strict JSON, and checks that take NaN, null and an empty cell for one."""

import json
import subprocess

import numpy as np
import pytest

from freqmaps.core import jsons
from freqmaps.provenance import manifest
from freqmaps.results.verify import Verifier
from tests import keyed_results as results
from tests import starter


def strict(text):
    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_json_is_strict_at_any_depth():
    given = {"a": [float("nan"), {"b": float("inf")}], "n": np.float32("nan"), "i": np.int64(3), "t": True, "p": (1.5,)}
    assert strict(jsons.text(given)) == {"a": [None, {"b": None}], "n": None, "i": 3, "t": True, "p": [1.5]}


def test_a_manifest_with_a_missing_figure_is_json(tmp_path):
    folder = tmp_path / "result"
    folder.mkdir()
    manifest.write(folder / "manifest.json", {"stage": "test"}, {"value": float("nan"), "low": np.nan, "n": 0}, {})
    assert strict((folder / "manifest.json").read_text())["headline"] == {"value": None, "low": None, "n": 0}
    assert "warnings" not in manifest.read(folder)


@pytest.mark.parametrize("told", [float("nan"), None])
def test_a_correlation_without_a_value_is_verified_exported_and_imported(tmp_path, told):
    root = tmp_path / "root"
    results.make(root)
    (table,) = root.rglob("correlation.csv")
    header, row = table.read_text().splitlines()
    cells = row.split(",")
    cells[header.split(",").index("value")] = ""
    table.write_text(f"{header}\n{','.join(cells)}\n")

    def change(found):
        found["headline"]["value"] = told
        found["files"]["correlation.csv"] = {"bytes": table.stat().st_size, "sha256": manifest.sha256(table)}

    results.edit(table.with_name("manifest.json"), change)
    assert list(Verifier(root).problems()) == []
    packed = tmp_path / "all.zip"
    freqmaps = [starter.python(), "-m", "freqmaps.cli"]
    for words in (("export", packed, "--root", root, "--all"), ("import", packed, tmp_path / "new")):
        subprocess.run([*freqmaps, *words], check=True, cwd=tmp_path, capture_output=True)
    assert list(Verifier(tmp_path / "new").problems()) == []


@pytest.mark.parametrize(("cell", "told"), [("", 0.5), ("0.5", None), ("0.5", 0.25)])
def test_a_figure_that_only_one_of_the_two_has_is_a_problem(tmp_path, cell, told):
    root = tmp_path / "root"
    results.make(root)
    (table,) = root.rglob("correlation.csv")
    header, row = table.read_text().splitlines()
    cells = row.split(",")
    cells[header.split(",").index("value")] = cell
    table.write_text(f"{header}\n{','.join(cells)}\n")

    def change(found):
        found["headline"]["value"] = told
        found["files"]["correlation.csv"] = {"bytes": table.stat().st_size, "sha256": manifest.sha256(table)}

    results.edit(table.with_name("manifest.json"), change)
    (problem,) = Verifier(root).problems()
    assert "but the manifest beside it says" in problem
