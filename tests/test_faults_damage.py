"""Files that are damaged, lost, swapped, edited or from the future: nothing takes them for what they were."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import time

import pytest

import freqmaps
from freqmaps.provenance import manifest
from freqmaps.stages import PUBLISHED, STAGES
from tests.fault_numbers import same
from tests.fault_tally import survived
from tests.faults import main_file, undo
from tests.workflow import due

pytestmark = pytest.mark.slow

# --- damage


def flip(path, draw):
    content = bytearray(path.read_bytes())
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    path.write_bytes(content)


def truncate(path, draw):
    os.truncate(path, draw.randrange(path.stat().st_size))


DAMAGES = {
    "a flipped bit": flip,
    "a truncated file": truncate,
    "an empty file": lambda path, _: os.truncate(path, 0),
    "a missing file": lambda path, _: path.unlink(),
}


@pytest.mark.parametrize(
    "stage", [s for s in STAGES if s not in ("correlation", "evaluation", "simulation", *PUBLISHED)]
)
def test_damaged_results_are_not_read(undisturbed, tmp_path, stage):
    """Every kind of reader refuses a damaged result with its name; made again, the numbers are the same."""
    done, _, numbers = undisturbed
    shop, draw = done.elsewhere(tmp_path / "c"), random.Random(stage)
    command = shop.first(stage)
    readers = one_of_each_stage(shop.after(command))
    whole = main_file(shop, command).read_bytes()
    for damage, make in DAMAGES.items():
        for reader in readers:
            undo(shop, reader)
            make(main_file(shop, command), draw)
            refused(shop, command, reader)
            main_file(shop, command).write_bytes(whole)
            restore(shop, done, reader)
            survived(damage)
    for job in (command, *readers):
        undo(shop, job)
        shop.finish([job])
    same(numbers, shop.numbers())


def restore(shop, done, command):
    """Put back what a job had made."""
    for path in done.made_by(command):
        target = shop.folder / path.relative_to(done.folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)


def refused(shop, command, reader):
    """Check that a reader names the damaged file and what to do, and that ``verify`` finds it."""
    name = str(main_file(shop, command).relative_to(shop.folder))
    shop.run(reader).sentence(name, f"rm -r {command.folder}")
    assert any(name in problem for problem in freqmaps.open(shop.folder / "results").problems())


def one_of_each_stage(commands):
    return list({c.stage: c for c in commands if c.stage != "report"}.values())


@pytest.mark.parametrize("stage", ["correlation", "evaluation"])
def test_a_table_edited_by_hand_is_not_read(undisturbed, tmp_path, stage):
    done, _, _ = undisturbed
    shop = done.elsewhere(tmp_path / "c")
    command = shop.first(stage)
    table = main_file(shop, command)
    text = table.read_text()
    table.write_text(re.sub(r"\d(?=\D*$)", lambda digit: str(9 - int(digit[0])), text))
    assert table.read_text() != text
    for reader in one_of_each_stage(shop.after(command)):
        undo(shop, reader)
        refused(shop, command, reader)
    assert any(str(table) in p for p in freqmaps.open(shop.folder / "results").problems())
    survived("a result edited by hand")


@pytest.mark.parametrize("what", ["store", "store and manifest"])
def test_the_result_of_another_is_not_read(undisturbed, tmp_path, what):
    done, _, _ = undisturbed
    shop = done.elsewhere(tmp_path / "c")
    one, other = [c for c in shop.commands if c.stage == "maps"][:2]
    reader = shop.first("matrices")
    undo(shop, reader)
    shutil.copy(main_file(shop, other), main_file(shop, one))
    if what != "store":
        shutil.copy(shop.path(other) / manifest.NAME, shop.path(one) / manifest.NAME)
    shop.run(reader).sentence(one.folder, f"rm -r {one.folder}")
    survived("the result of another in its place")


def edited(text):
    found = json.loads(text)
    found["spec"]["parameters"]["settings"]["max_steps"] += 1
    return json.dumps(found)


MANIFESTS = {
    "truncated": lambda text: text[: len(text) // 2],
    "empty": lambda _: "",
    "another kind of JSON": lambda _: "[1, 2]",
    "edited": edited,
    "without its files": lambda text: json.dumps({k: v for k, v in json.loads(text).items() if k != "files"}),
}


@pytest.mark.parametrize("change", MANIFESTS)
def test_a_damaged_manifest_is_not_believed(undisturbed, tmp_path, change):
    done, _, numbers = undisturbed
    shop = done.elsewhere(tmp_path / "c")
    command, reader = shop.first("maps"), shop.first("matrices")
    undo(shop, reader)
    path = shop.path(command) / manifest.NAME
    path.write_text(MANIFESTS[change](path.read_text()))
    shop.run(reader).sentence(f"{command.folder}/manifest.json", "run")
    path.unlink()
    shop.finish([command, reader])
    same(numbers, shop.numbers())
    survived("a damaged or edited manifest")


# --- loss, and clocks


def test_a_lost_shard_is_made_again(undisturbed, tmp_path):
    done, _, numbers = undisturbed
    shop = done.elsewhere(tmp_path / "c")
    command = shop.first("maps")
    shutil.rmtree(shop.path(command))
    asked = ("--configfile", "ours.yaml")
    reader = shop.first("matrices")
    undo(shop, reader)
    shop.run(reader).sentence(command.folder, "not finished")
    again = due(shop.folder, "stores", *asked)
    assert {"maps/0/essential", "matrices/0/pgd"} <= again
    assert not any(job.startswith(("datasets", "training", "attacks", "group_maps")) for job in again)
    shop.finish([command, reader])
    assert due(shop.folder, "stores", *asked) == set()
    same(numbers, shop.numbers())
    survived("a lost shard")


@pytest.mark.parametrize("years", [-30, 30])
def test_clocks_that_disagree_decide_nothing(undisturbed, tmp_path, years):
    """Half of all files, results and programs, are from the past or the future."""
    done, _, numbers = undisturbed
    shop, draw = done.elsewhere(tmp_path / "c"), random.Random(years)
    for path in sorted(p for p in shop.folder.rglob("*") if p.is_file()):
        if draw.random() < 0.5:
            moment = time.time() + years * 365.25 * 86400
            os.utime(path, (moment, moment))
    assert due(shop.folder, "all", "--configfile", "ours.yaml") == set()
    for command in (shop.first("correlation"), shop.first("maps")):
        undo(shop, command)
        shop.finish([command])
    same(numbers, shop.numbers())
    survived("clocks that disagree")
