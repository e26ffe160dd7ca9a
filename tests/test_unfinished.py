"""Half-finished work: taken up by the same work only, never by other work, torn or foreign files."""

import io
import json
import logging
import multiprocessing
import os
import pickle
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from freqmaps.attacks import _state as attacks
from freqmaps.group_maps import _state as group_maps
from freqmaps.maps import _state as maps
from freqmaps.provenance import unfinished
from freqmaps.provenance.unfinished import Place, Unfinished, mark, packed, unpacked
from freqmaps.training import _state as training
from freqmaps.training._progress import State

ARRAYS = {"a": np.arange(6.0).reshape(2, 3), "b": np.array(["x", "y"]), "c": np.zeros((0, 2), np.float32)}


def same(one, other):
    return one.keys() == other.keys() and all(
        np.array_equal(one[n], other[n]) and one[n].dtype == other[n].dtype for n in one
    )


def kept(folder, **changes):
    """Return what a work that differs in some fields finds in a folder."""
    fields = {"stage": "maps", "key": "k", "code": "c", "work": "w" * 64} | changes
    place = Place(folder, fields["key"], fields["code"])
    return list(Unfinished(place, fields["stage"], fields["work"]).load(unpacked))


@pytest.fixture(name="folder")
def folder_with_one_file(tmp_path):
    Unfinished(Place(tmp_path / "partial", "k", "c"), "maps", "w" * 64).save("0", packed(ARRAYS))
    return tmp_path / "partial"


def test_the_same_work_takes_it_up(folder):
    (found,) = kept(folder)
    assert same(found, ARRAYS)
    assert [p.suffix for p in folder.iterdir()] == [".part"]


@pytest.mark.parametrize(
    ("change", "told"),
    [({"key": "z"}, "another key"), ({"code": "z"}, "another code"), ({"work": "z" * 64}, "another work"),
     ({"key": "z", "work": "w" * 63 + "z"}, "another key and work")],
)  # fmt: skip
def test_other_work_leaves_it_alone_and_says_so(folder, change, told, caplog):
    (path,) = folder.iterdir()
    before = path.read_bytes()
    with caplog.at_level(logging.INFO):
        assert kept(folder, **change) == []
    assert "belongs to other work" in caplog.text and told in caplog.text and str(path) in caplog.text
    assert path.read_bytes() == before
    assert len(kept(folder)) == 1


def test_another_stage_does_not_look_at_it(folder, caplog):
    with caplog.at_level(logging.INFO):
        assert kept(folder, stage="group_maps") == [] and not caplog.text


def test_the_header_says_for_whom_it_was_made(folder):
    (path,) = folder.iterdir()
    first, header, _ = path.read_bytes().split(b"\n", 2)
    assert first == b"freqmaps half-finished work 1"
    told = json.loads(header)
    assert {name: told[name] for name in ("stage", "key", "code", "work")} == {
        "stage": "maps", "key": "k", "code": "c", "work": "w" * 64,
    }  # fmt: skip


@pytest.mark.parametrize("part", [0.0, 0.02, 0.3, 0.6, 0.99])
def test_a_torn_file_is_not_used(folder, part, caplog):
    (path,) = folder.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    assert kept(folder) == []
    assert "damaged" in caplog.text and "computed again" in caplog.text


@pytest.mark.parametrize("seed", range(8))
def test_no_changed_byte_passes(folder, seed):
    (path,) = folder.iterdir()
    content = bytearray(path.read_bytes())
    content[np.random.default_rng(seed).integers(len(content))] ^= 1 << seed
    path.write_bytes(content)
    assert kept(folder) == []


FIRST = b"freqmaps half-finished work 1\n"


@pytest.mark.parametrize("content", [b"", b"\n\n\n", b"PK\x03\x04", FIRST, FIRST + b"[]\n", FIRST + b"null",
                                     FIRST.replace(b"1", b"0") + b"{}\n"])  # fmt: skip
def test_foreign_files_are_not_used(tmp_path, content, caplog):
    (tmp_path / "maps-x.part").write_bytes(content)
    assert kept(tmp_path) == [] and "damaged" in caplog.text


class Runs:
    """Runs something when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def evil(path):
    """Contents that would run something, as another user of a shared root could leave them, header and all."""
    array = io.BytesIO()
    np.savez(array, rows=np.array([Runs(path)], dtype=object), images=np.zeros(1))
    tensors = io.BytesIO()
    torch.save({"epoch": Runs(path)}, tensors)
    return array.getvalue(), tensors.getvalue(), pickle.dumps(Runs(path), protocol=2)


@pytest.mark.parametrize("which", range(3))
def test_what_would_run_something_is_not_run(tmp_path, which, caplog):
    content, state = evil(tmp_path / "pwned")[which], tmp_path / "state"
    readers = {
        "attacks": lambda: attacks.Finished(state, "m").load(np.zeros((1, 1), np.float32)).any(),
        "maps": lambda: maps.Saved(state, "m").load(),
        "group_maps": lambda: group_maps.load(state, "m"),
        "training": lambda: training.load(state, "m").epoch,
    }
    for stage, look in readers.items():
        Unfinished(state, stage, "m").save("state", content)
        caplog.clear()
        assert not look()
        assert "damaged" in caplog.text, stage
    assert not (tmp_path / "pwned").exists()


def test_the_four_stages_get_back_what_they_kept(tmp_path):
    place, rng = Place(tmp_path, "k", "c"), np.random.default_rng(0)
    images = rng.random((5, 1, 2, 2), np.float32)
    attacks.Finished(place, "m").save(np.array([3, 1]), images[[3, 1]])
    into = np.zeros_like(images)
    assert attacks.Finished(place, "m").load(into).tolist() == [False, True, False, True, False]
    assert np.array_equal(into[[1, 3]], images[[1, 3]]) and not into[[0, 2, 4]].any()

    saved = maps.Saved(place, "m", interval=0.0)
    saved.add({"index": np.arange(3), "map": images[:3]})
    saved.add({"index": np.arange(3, 5), "map": images[3:]})
    found = maps.joined(maps.Saved(place, "m").load())
    assert np.array_equal(found["map"][np.argsort(found["index"])], images)

    for epoch in (1, 2):
        group_maps.save(place, "m", {"epoch": np.array(epoch)})
    assert int(group_maps.load(place, "m")["epoch"]) == 2

    optimizer = torch.optim.SGD(nn.Linear(2, 2).parameters(), momentum=0.9, lr=0.1)
    state = State(epoch=2, history=[{"loss": 0.1}], best=0.5, model={"w": torch.arange(3.0)},
                  optimizer=optimizer.state_dict(), records={"hook": {0: {"a": torch.ones(2)}}})  # fmt: skip
    training.save(place, state, "m")
    again = training.load(place, "m")
    assert torch.equal(again.model["w"], state.model["w"]) and again.optimizer == state.optimizer
    assert (again.epoch, again.history, again.best) == (2, [{"loss": 0.1}], 0.5)
    assert torch.equal(again.records["hook"][0]["a"], torch.ones(2))
    assert {p.name.split("-")[0] for p in tmp_path.iterdir()} == {"attacks", "maps", "group_maps", "training"}


def test_without_a_place_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    group_maps.save(None, "m", ARRAYS)
    maps.Saved(None, "m", at_most=1).add({"index": np.arange(2)})
    attacks.Finished(None, "m").save(np.arange(1), np.zeros((1, 2), np.float32))
    training.save(None, State(), "m")
    assert group_maps.load(None, "m") == {} and maps.Saved(None, "m").load() == []
    assert training.load(None, "m") == State()
    assert list(tmp_path.iterdir()) == []


def die_in_a_later_save(folder):
    """Keep one state, then die in the middle of writing the next."""
    group_maps.save(folder, "m", {"epoch": np.array(1)})
    Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    group_maps.save(folder, "m", {"epoch": np.array(2)})


def test_killed_while_it_is_kept_the_one_before_stands(tmp_path):
    process = multiprocessing.get_context("fork").Process(target=die_in_a_later_save, args=(tmp_path,))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert int(group_maps.load(tmp_path, "m")["epoch"]) == 1
    assert len(list(tmp_path.iterdir())) == 2  # what was half written is no state


def keep_many(folder, first):
    for number in range(first, first + 40):
        attacks.Finished(folder, "m").save(np.arange(number, number + 2), np.full((2, 3), number, np.float32))


def test_two_processes_keep_and_read_in_one_folder(tmp_path, caplog):
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=keep_many, args=(tmp_path, first)) for first in (0, 0, 20)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        attacks.Finished(tmp_path, "m").load(np.zeros((100, 3), np.float32))
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert attacks.Finished(tmp_path, "m").load(np.zeros((100, 3), np.float32)).sum() == 61
    assert "damaged" not in caplog.text and not list(tmp_path.glob(".*"))


def test_the_mark_depends_on_every_weight_and_number():
    def net(seed=0, dtype=torch.float32):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)).to(dtype)

    moved = net()
    moved[1].running_mean[0] += 1e-7
    data = np.arange(4, dtype=np.float32)
    marks = [
        mark("a", 1, model=net(), arrays={"x": data}),
        mark("a", 2, model=net(), arrays={"x": data}),
        mark("a", {"b": 1}, model=net(), arrays={"x": data}),
        mark("a", 1, model=net(1), arrays={"x": data}),
        mark("a", 1, model=moved, arrays={"x": data}),
        mark("a", 1, model=net(dtype=torch.bfloat16), arrays={"x": data}),
        mark("a", 1, model=nn.ModuleList(net()), arrays={"x": data}),
        mark("a", 1, model=net(), arrays={"y": data}),
        mark("a", 1, model=net(), arrays={"x": data + 1}),
        mark("a", 1, model=net(), arrays={"x": data.reshape(2, 2)}),
        mark("a", 1, model=net(), arrays={"x": data.astype(np.float64)}),
        mark("a", 1, model=net(), arrays={"x": data[:0]}),
        mark("a", 1, arrays={"x": data}),
    ]
    assert len(set(marks)) == len(marks)
    assert marks[0] == mark("a", 1, model=net(), arrays={"x": data[::-1][::-1]})
    assert all(len(m) == 64 for m in marks)


def test_discarding_takes_the_whole_folder_and_nothing_else(folder):
    (folder.parent / "manifest.json").touch()
    unfinished.discard(folder.parent)
    unfinished.discard(folder.parent)
    assert [p.name for p in folder.parent.iterdir()] == ["manifest.json"]
