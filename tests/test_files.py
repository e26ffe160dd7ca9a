"""Whole files: the old content or the new one, whatever happens to the process or the disk in between."""

import multiprocessing
import os
import signal
import stat
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from freqmaps.core import files
from freqmaps.core.errors import FreqmapsError, StoreError
from freqmaps.publish import Column, Table, write_table
from freqmaps.stores import ARRAYS, checkpoint, read, zarrfile
from freqmaps.study import shown
from tests.fault_injections import limit_files

NEW, OLD = "new" * 5000, "old"


def names(folder):
    return [path.name for path in folder.iterdir()]


def in_child(work, *given):
    """Run something in a process of its own; return its exit status."""
    process = multiprocessing.get_context("fork").Process(target=work, args=given)
    process.start()
    process.join(60)
    return process.exitcode


def die_within(path):
    with files.whole(path) as temporary:
        temporary.write_text(NEW[:7])
        os.kill(os.getpid(), signal.SIGKILL)


def die_before_the_rename(path):
    Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    files.write_text(path, NEW)


@pytest.mark.parametrize("die", [die_within, die_before_the_rename])
@pytest.mark.parametrize("there", [False, True])
def test_a_killed_writer_leaves_the_old_file_and_what_the_next_one_clears(tmp_path, die, there):
    path, other = tmp_path / "a.txt", tmp_path / ".hidden"
    other.touch()
    if there:
        path.write_text(OLD)
    assert in_child(die, path) == -signal.SIGKILL
    assert path.exists() == there and (not there or path.read_text() == OLD)
    left = [p for p in tmp_path.iterdir() if files.is_half_written(p.name)]
    assert len(left) == 1 and left[0].read_text() in (NEW, NEW[:7])
    files.clear_half_written(tmp_path, "b.txt")
    assert left[0].exists()
    files.clear_half_written(tmp_path, "a.txt")
    assert not left[0].exists() and other.exists()
    files.clear_half_written(tmp_path / "absent")


def test_what_raises_in_the_block_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(OLD)
    for error in (ValueError, KeyboardInterrupt, SystemExit):
        with pytest.raises(error), files.whole(path) as temporary:
            temporary.write_text(NEW)
            raise error
    with pytest.raises(FileNotFoundError), files.whole(path):
        pass  # nothing was written
    with pytest.raises(IsADirectoryError), files.whole(tmp_path) as temporary:
        temporary.write_text(NEW)
    assert path.read_text() == OLD and names(tmp_path) == ["a.txt"]


def full(write, path):
    """Write where no file may grow beyond 1000 bytes; the exit status says what came of it."""
    limit_files(1000)
    try:
        write(path)
    except OSError as error:
        os._exit(11 if "File too large" in str(error) else 1)
    except (StoreError, FreqmapsError) as error:
        os._exit(12 if "could not be written" in str(error) else 1)
    os._exit(0)


def table(folder):
    frame = pd.DataFrame({"a": np.random.default_rng(0).random(500)})
    write_table(Table(frame, [Column("a", "A")]), folder / "x.csv", folder / "x.tex")


def dataset(values):
    return xr.Dataset({"a": ("x", values)}, {"x": np.arange(len(values))})


def result(parent):
    """Make a folder to write to, and beside it a file to copy."""
    (parent / "result").mkdir(parents=True)
    (parent / "source").write_text(NEW)
    return parent / "result"


WRITERS = {
    "text": lambda folder: files.write_text(folder / "x.txt", NEW),
    "bytes": lambda folder: files.write_bytes(folder / "x", NEW.encode()),
    "table": table,
    "copy": lambda folder: shown._copy(folder.parent / "source", folder / "x.txt"),
    "checkpoint": lambda folder: checkpoint.save(folder, {"w": torch.zeros(900)}, {}),
    "store": lambda folder: zarrfile.write(
        folder / "s.zarr.zip", dataset(np.random.default_rng(0).random(900)), ARRAYS
    ),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_no_writer_leaves_anything_half_written_on_a_full_disk(tmp_path, kind):
    folder = result(tmp_path)
    assert in_child(full, WRITERS[kind], folder) in (11, 12)
    assert names(folder) == []
    WRITERS[kind](folder)
    assert names(folder)


def write_often(path, letter, count):
    for _ in range(count):
        files.write_text(path, letter * 20_000)


def test_two_writers_of_one_file_leave_one_of_their_contents(tmp_path):
    path = tmp_path / "a.txt"
    files.write_text(path, "a" * 20_000)
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=write_often, args=(path, letter, 60)) for letter in "ab"]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert path.read_text() in ("a" * 20_000, "b" * 20_000)
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize(("umask", "mode"), [(0o002, 0o664), (0o027, 0o640)])
def test_the_umask_decides_the_mode(tmp_path, umask, mode):
    """In a shared root the umask is loosened: the group must be able to read and replace what others wrote."""
    before = os.umask(umask)
    try:
        for kind, write in WRITERS.items():
            folder = result(tmp_path / kind)
            write(folder)
            found = {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
            assert found == {mode}, kind
    finally:
        os.umask(before)


def test_a_store_in_place_of_another_is_replaced_in_one_step(tmp_path):
    path = tmp_path / "s.zarr.zip"
    for value in (1.0, 2.0):
        zarrfile.write(path, dataset(np.full(3, value)), ARRAYS)
        assert read(path, ARRAYS)["a"].values.tolist() == [value] * 3
    assert names(tmp_path) == ["s.zarr.zip"]


def test_only_one_module_replaces_files():
    """Who needs a whole file takes it from freqmaps/core/files.py; an import moves files that are whole already, and
    the starter has a folder of its own."""
    package = Path(files.__file__).parent.parent
    allowed = {"core/files.py", "archive/unpack.py", "starter/__init__.py"}
    marks = ("os.replace(", "os.rename(", "tempfile.mk", ".rename(folder", "temporary.replace(")
    found = {str(p.relative_to(package)) for p in package.rglob("*.py") if any(m in p.read_text() for m in marks)}
    assert found == allowed
