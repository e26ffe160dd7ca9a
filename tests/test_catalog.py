"""The catalog: every result a row, whoever made it; a page that searches and sorts; checks that see every damage."""

import json
import re
import shutil
import subprocess
import time
import zipfile

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from playwright.sync_api import sync_playwright

import freqmaps
from freqmaps import stores
from freqmaps.core.errors import FreqmapsError
from freqmaps.results import page, scan
from freqmaps.results.rows import COLUMNS, rows
from freqmaps.results.verify import Verifier
from freqmaps.stages import PATHS, places
from freqmaps.study.build import study
from freqmaps.study.config import read_files
from tests import keyed_results as results
from tests import starter
from tests.conftest import BROWSER
from tests.workflow import REPOSITORY


@pytest.fixture
def root(tmp_path):
    results.make(tmp_path / "root")
    return tmp_path / "root"


@pytest.fixture
def made(tmp_path):
    return results.make(tmp_path / "root")


def test_every_stage_path_is_read_back():
    for stage in PATHS:
        names = {
            name: {"seed": "7", "step": "120", "range": "test-0-9", "images": "noise"}.get(name, "a.b-1")
            for name in places.fields(stage)
        }
        path = places.place(stage, names, "0123456789ab")
        assert path == PATHS[stage].format(**names, key="0123456789ab")
        assert places.parse(path) == (stage, {**names, "key": "0123456789ab"})


def test_every_stage_path_of_a_snapshot_is_read_back():
    place = {"dataset": "step7", "model": "seed1", "training": "snapshots", "seed": "7", "step": "120"}
    for stage in PATHS:
        own = {"range": "test-0-9", "images": "noise"}
        names = {name: place.get(name) or own.get(name, "a.b-1") for name in (*places.fields(stage), "step")}
        if "seed" not in names:
            assert places.place(stage, names, "0123456789ab") is None
            continue
        path = places.place(stage, names, "0123456789ab")
        assert path.startswith("step7/seed1/snapshots/seed7/step120/")
        assert places.parse(path) == (stage, {**names, "key": "0123456789ab"})
    names = {name: place[name] for name in ("dataset", "model", "training", "seed")}
    assert places.place("snapshots", names, "0123456789ab") is None  # a snapshot has a step


def test_every_path_of_the_default_study_is_read_back():
    graph = study(read_files([REPOSITORY / "config.yaml"])).graph
    assert any(node.names.get("images") == "transferred" for node in graph.nodes.values())
    for path, node in graph.nodes.items():
        assert places.parse(path) == (node.stage, {**node.names, "key": node.key})


@pytest.mark.parametrize("name", ["..", ".hidden", "a/b", "-a", "", "a b", "ü"])
def test_a_name_that_no_config_allows_makes_no_place(name):
    assert places.place("datasets", {"dataset": name}, "0123456789ab") is None


def test_every_result_is_a_row_with_its_network(root):
    listed = {row["stage"] + str(row["images"] or ""): row for row in rows(scan(root))}
    maps = listed["mapsadversarial"]
    assert list(maps) == list(COLUMNS)
    assert (maps["regime"], maps["accuracy"], maps["n"], maps["complete"]) == ("standard", 0.9, 4, True)
    assert listed["correlation"]["accuracy"] == 0.9
    assert listed["correlation"]["value"] == 0.5
    assert listed["datasets"]["n"] == 16
    assert listed["datasets"]["accuracy"] is None
    folder = root / maps["folder"]
    assert maps["bytes"] == sum(p.stat().st_size for p in folder.iterdir())
    recorded = json.loads((folder / "manifest.json").read_text())
    assert maps["sha256"] == recorded["files"]["store.zarr.zip"]["sha256"]
    assert json.loads(maps["parameters"]) == recorded["spec"]["parameters"]


def test_what_is_unfinished_or_truncated_is_listed_as_not_complete(root):
    found = {one.path: one for one in scan(root)}
    unfinished = root / "toy" / "datasets" / "aaaaaaaaaaaa"
    (unfinished / "partial").mkdir(parents=True)
    store = next(root.glob("toy/net/plain/seed0/maps/ce/adversarial/pgd/self/*/*/store.zarr.zip"))
    store.write_bytes(store.read_bytes()[:-1])
    after = {row["folder"]: row for row in rows(scan(root))}
    assert len(after) == len(found) + 1
    assert {path for path, row in after.items() if not row["complete"]} == {
        "toy/datasets/aaaaaaaaaaaa", str(store.parent.relative_to(root)),
    }  # fmt: skip
    assert after["toy/datasets/aaaaaaaaaaaa"]["dataset"] == "toy"
    joined = next(row for row in after.values() if row["stage"] == "matrices")
    assert joined["missing_inputs"] == 1


def test_the_call_and_the_command_give_the_same_table(root, tmp_path):
    frame = freqmaps.open(str(root)).catalog()
    line = [starter.python(), "-m", "freqmaps.cli", "catalog", "--root", str(root), "--csv", str(tmp_path / "c.csv")]
    subprocess.run(line, check=True)
    read = pd.read_csv(tmp_path / "c.csv")
    assert list(read["folder"]) == list(frame["folder"])
    assert list(read.columns) == list(COLUMNS)


def test_an_empty_root_has_a_catalog_and_a_missing_one_a_sentence(tmp_path):
    assert page.csv_text([]).strip() == ",".join(COLUMNS)
    assert page.write(tmp_path, tmp_path) == 0
    with pytest.raises(FreqmapsError, match="no such results root"):
        page.write(tmp_path / "none", tmp_path)


def test_thousands_of_results_are_listed_within_seconds(root):
    source = next(root.glob("toy/net/plain/seed0/maps/ce/adversarial/pgd/self/*/*"))
    for number in range(2000):
        target = root / "toy" / "net" / "plain" / f"seed{number}" / "training" / f"{number:012x}"
        target.mkdir(parents=True)
        (target / "manifest.json").write_bytes((source / "manifest.json").read_bytes())
    start = time.process_time()
    assert len(rows(scan(root))) > 2000
    assert time.process_time() - start < 5  # 0.3 s on an idle machine; 10 000 take 1.4 s


def test_the_page_searches_sorts_and_opens_rows(root, tmp_path):
    unfinished = root / "toy" / "datasets" / "aaaaaaaaaaaa"
    unfinished.mkdir()
    store = next(root.glob("toy/datasets/*/manifest.json"))
    results.edit(store, lambda found: found["provenance"].update(device="</script><b>x"))
    page.write(root, tmp_path / "shown")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=BROWSER)
        shown = browser.new_page()
        problems, requests = [], []
        shown.on("pageerror", lambda error: problems.append(str(error)))
        shown.on("request", lambda request: requests.append(request.url))
        shown.goto((tmp_path / "shown" / "catalog.html").as_uri())
        count = shown.locator("#count")
        assert count.evaluate("e => e.value").startswith("11 of 11 results")
        shown.fill("#search", "stage:maps pgd test-0")
        assert count.evaluate("e => e.value").startswith("1 of 11")
        shown.fill("#search", "complete:no")
        assert shown.locator("tbody tr.row").all_inner_texts()[0].startswith("aaaaaaaaaaaa")
        shown.fill("#search", "")
        shown.select_option("#stage", "attacks")
        assert count.evaluate("e => e.value").startswith("2 of 11")
        shown.select_option("#stage", "")
        column = [h.strip() for h in shown.locator("thead button").all_inner_texts()].index("n")
        for ascending in (True, False):
            shown.locator("thead button").nth(column).click()
            texts = shown.locator(f"tbody tr.row td:nth-child({column + 1})").all_inner_texts()
            numbers = [int(text) for text in texts if text]
            assert numbers == sorted(numbers, reverse=not ascending)
            assert texts[-1] == ""  # what has no value comes last, both ways
        shown.locator("tbody button").first.press("Enter")
        assert "parameters" in shown.locator(".details").inner_text()
        link = shown.locator(".details a").get_attribute("href")
        assert (tmp_path / "shown" / link).resolve().is_dir()
        assert problems == []
        assert all(url.startswith("file:") for url in requests)
        browser.close()


def problems(root, **options):
    verifier = Verifier(root, **options)
    return list(verifier.problems()), verifier


def test_whole_results_have_no_problem(root):
    found, verifier = problems(root)
    assert found == []
    assert verifier.summary(0) == f"{root}: 10 results, {verifier.counts['bytes'] / 1e6:.1f} MB: 0 problems"


def flip(folder):
    path = folder / "store.zarr.zip"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def sign_again(folder):
    """Make the manifest agree with files that were changed: then only their content can tell."""
    from freqmaps.provenance import manifest

    def change(found):
        for name, entry in found["files"].items():
            entry |= {"bytes": (folder / name).stat().st_size, "sha256": manifest.sha256(folder / name)}

    results.edit(folder / "manifest.json", change)


def corrupt_chunk(folder):
    """Flip a byte of a chunk and sign the file again: its own checksum has to tell."""
    path = folder / "store.zarr.zip"
    with zipfile.ZipFile(path) as archive:
        info = max((i for i in archive.infolist() if "/c/" in i.filename), key=lambda i: i.file_size)
    data = bytearray(path.read_bytes())
    data[info.header_offset + 30 + len(info.filename) + info.file_size] ^= 1
    path.write_bytes(bytes(data))
    sign_again(folder)


def other_penalty(found):
    found["spec"]["parameters"]["objective"]["parameters"]["penalty"] = 0.2


MAPS = "maps pgd 0"
DAMAGE = {
    "a flipped byte": (MAPS, flip, "content differs from its recorded SHA-256"),
    "a truncated file": (MAPS, lambda f: (f / "store.zarr.zip").write_bytes(b"PK"), "2 bytes, .* recorded"),
    "a missing file": ("training", lambda f: (f / "history.csv").unlink(), "history.csv: missing"),
    "a corrupt chunk under a new signature": (MAPS, corrupt_chunk, "corrupt|not a whole store"),
    "an edited spec": (MAPS, lambda f: results.edit(f / "manifest.json", other_penalty), "its spec has key"),
    "an edited headline": (
        "correlation", lambda f: results.edit(f / "manifest.json", lambda m: m["headline"].update(value=0.9)),
        "value is 0.5, but the manifest beside it says 0.9",
    ),
    "an edited commit": (
        MAPS, lambda f: results.edit(f / "manifest.json", lambda m: m["provenance"].update(commit="f" * 40)),
        "carries another commit",
    ),
    "no commit": (
        "correlation", lambda f: results.edit(f / "manifest.json", lambda m: m["provenance"].update(commit="unknown")),
        "its provenance has no 'commit'",
    ),
    "half a manifest": (
        MAPS, lambda f: (f / "manifest.json").write_text('{"stage": "maps"'), "not a whole manifest",
    ),
    "a manifest without files": (
        MAPS, lambda f: results.edit(f / "manifest.json", lambda m: m.pop("files")), "it has no 'files'",
    ),
    "a stray file in a result": (MAPS, lambda f: (f / "notes.txt").write_text("x"), "its manifest does not name"),
    "a stray file between results": (
        MAPS, lambda f: (f.parent.parent / "notes.txt").write_text("x"), "a stray file",
    ),
    "a missing input": ("attacks 0", shutil.rmtree, "its input [0-9a-f]{12} is not complete"),
    "a table with a short row": (
        "correlation",
        lambda f: ((f / "per_sample.csv").write_text("sample,value\ns0\n"), sign_again(f)),
        "rows are not as wide",
    ),
    "a moved result": (
        "datasets", lambda f: (f.parent.parent.parent / "toy2" / "datasets").mkdir(parents=True)
        or f.rename(f.parent.parent.parent / "toy2" / "datasets" / f.name), "does not lie where",
    ),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_every_damage_is_a_sentence(made, damage):
    stage, do, sentence = DAMAGE[damage]
    root = made["datasets"].parents[2]
    do(made[stage])
    found, verifier = problems(root)
    assert found
    assert any(re.search(sentence, problem) for problem in found), found
    assert all("\n" not in problem for problem in found)
    assert verifier.counts["results"] in (9, 10)


def test_the_command_prints_problems_a_summary_and_fails(made):
    root = made["datasets"].parents[2]
    line = [starter.python(), "-m", "freqmaps.cli", "verify", str(root)]
    assert subprocess.run(line, check=False, capture_output=True).returncode == 0
    flip(made[MAPS])
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert [line.split(": ", 1)[1][:7] for line in done.stdout.splitlines()] == ["content", "10 resu"]
    quick = subprocess.run([*line, "--quick"], check=False, capture_output=True)  # sizes agree
    assert quick.returncode == 0


def test_what_a_killed_run_left_is_counted_and_no_problem(made):
    (made[MAPS] / ".writing-manifest.json.4711").write_text("{")
    (made[MAPS] / "partial").mkdir()
    (made[MAPS] / "partial" / "state.pt").write_text("half")
    found, verifier = problems(made["datasets"].parents[2])
    assert found == []
    assert "2 files left by killed runs" in verifier.summary(0)


def test_missing_inputs_may_be_only_counted(made):
    root = made["datasets"].parents[2]
    shutil.rmtree(made["attacks 0"])
    found, verifier = problems(root, need_inputs=False)
    assert found == []
    assert "1 inputs not here" in verifier.summary(0)


def test_a_store_of_another_result_is_found(made):
    """The right sum and a valid store, but of another range."""
    root = made["datasets"].parents[2]
    shutil.copyfile(made["maps pgd 4"] / "store.zarr.zip", made["maps pgd 0"] / "store.zarr.zip")
    sign_again(made["maps pgd 0"])
    found, _ = problems(root)
    assert [p for p in found if "carries another spec" in p]


def test_arrays_that_break_their_contract_are_found(made):
    """The right sum, but a value that no evaluation may have: NaN without a word on what it stands for."""
    table = made["correlation"]
    anything = stores.Contract(kind="arrays", variables={})
    spectrum = xr.DataArray([0.5, np.nan], dims="radius", coords={"radius": [0, 1]}, name="spectrum")
    stores.write(table / "arrays.zarr.zip", spectrum.to_dataset(), anything)
    results.edit(table / "manifest.json", lambda m: m["files"].update({"arrays.zarr.zip": {}}))
    sign_again(table)
    found, _ = problems(made["datasets"].parents[2])
    assert [p for p in found if "'spectrum' holds NaN or infinity" in p], found
    spectrum.fillna(0).to_dataset().pipe(lambda ds: stores.write(table / "arrays.zarr.zip", ds, anything))
    sign_again(table)
    assert problems(made["datasets"].parents[2])[0] == []
