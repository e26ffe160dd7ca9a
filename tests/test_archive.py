"""Archives: what one lab exports another imports, whole and checked; hostile and damaged ones move nothing in."""

import hashlib
import json
import shutil
import signal
import stat
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from freqmaps.archive import Import, choose, layout, write
from freqmaps.core.errors import FreqmapsError
from freqmaps.results import scan
from freqmaps.results.verify import Verifier
from tests import keyed_results as results
from tests import starter


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return results.make(tmp_path_factory.mktemp("lab") / "root")


@pytest.fixture(scope="module")
def root(made):
    return made["datasets"].parents[2]


@pytest.fixture(scope="module")
def archive(root, tmp_path_factory):
    path = tmp_path_factory.mktemp("archive") / "all.zip"
    write(path, *choose(scan(root), {"stage": {"correlation"}}))
    return path


def load(archive, root, **options):
    return Import(archive, root, say=lambda line: None).run(**options)


def command(*words, check=True):
    line = [starter.python(), "-m", "freqmaps.cli", *map(str, words)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done


def test_a_result_brings_along_everything_that_it_was_made_from(root, archive):
    names = zipfile.ZipFile(archive).namelist()
    assert sum(name.endswith("manifest.json") for name in names) == 10
    assert not any("log.txt" in name or ".lock" in name for name in names)
    chosen, along = choose(scan(root), {"stage": {"maps"}, "images": {"essential"}})
    assert len(chosen) == 2
    assert {one.manifest["stage"] for one in along} == {"datasets", "training"}
    assert choose(scan(root), {"stage": {"maps"}}, with_inputs=False)[1] == []


def test_the_same_results_give_the_same_bytes(root, archive, tmp_path):
    shutil.copytree(root, tmp_path / "copy")
    write(tmp_path / "again.zip", *choose(scan(tmp_path / "copy"), {"stage": {"correlation"}}))
    assert (tmp_path / "again.zip").read_bytes() == archive.read_bytes()


def test_it_can_be_checked_without_freqmaps(archive, tmp_path):
    zipfile.ZipFile(archive).extractall(tmp_path)
    done = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.count(": OK") == len(zipfile.ZipFile(archive).namelist()) - 1


def test_a_wrong_name_is_answered_with_the_nearest(root):
    with pytest.raises(FreqmapsError, match="no result has metric 'cosin'; did you mean 'cosine'"):
        choose(scan(root), {"metric": {"cosin"}})


def test_what_is_damaged_or_lacks_inputs_is_not_exported(root, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    store = next(copy.glob("toy/**/maps/ce/adversarial/pgd/self/*/*/store.zarr.zip"))
    data = store.read_bytes()
    store.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    with pytest.raises(FreqmapsError, match="content differs from its recorded SHA-256"):
        write(tmp_path / "a.zip", *choose(scan(copy), {"stage": {"correlation"}}))
    assert list(tmp_path.glob("*a.zip*")) == []
    store.write_bytes(data[:-1])
    with pytest.raises(FreqmapsError, match="not whole"):
        choose(scan(copy), {"stage": {"correlation"}})
    shutil.rmtree(store.parent)
    with pytest.raises(FreqmapsError, match="is not under this root; run its target, or export without inputs"):
        choose(scan(copy), {"stage": {"correlation"}})


def test_import_is_whole_and_the_same(root, archive, tmp_path):
    assert load(archive, tmp_path / "root")["new"] == 10
    assert list(Verifier(tmp_path / "root").problems()) == []
    for one in scan(root):
        for name in [*one.manifest["files"], "manifest.json"]:
            assert (tmp_path / "root" / one.path / name).read_bytes() == (one.folder / name).read_bytes()
    assert not (tmp_path / "root" / ".import" / "staged").exists()


def test_import_again_moves_nothing(archive, tmp_path):
    load(archive, tmp_path)
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()}
    assert load(archive, tmp_path)["here already"] == 10
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()} == before


def test_a_dry_run_changes_nothing(archive, tmp_path):
    assert load(archive, tmp_path / "root", dry=True)["new"] == 10
    assert not (tmp_path / "root").exists()


def test_other_bytes_under_the_same_key_stay(archive, made, root, tmp_path):
    shutil.copytree(root, tmp_path / "root")
    other = tmp_path / "root" / made["correlation"].relative_to(root)
    (other / "per_sample.csv").write_text("sample,value\ns0,0.50001\n")
    digest = hashlib.sha256((other / "per_sample.csv").read_bytes()).hexdigest()
    size = (other / "per_sample.csv").stat().st_size
    entry = {"bytes": size, "sha256": digest}
    results.edit(other / "manifest.json", lambda m: m["files"].update({"per_sample.csv": entry}))
    before = (other / "per_sample.csv").read_text()
    assert load(archive, tmp_path / "root")["here already with other bytes, which stay"] == 1
    assert (other / "per_sample.csv").read_text() == before


def test_a_damaged_result_of_the_same_key_is_no_place_to_import_to(archive, made, root, tmp_path):
    shutil.copytree(root, tmp_path / "root")
    (tmp_path / "root" / made["training"].relative_to(root) / "model.json").unlink()
    shutil.rmtree(tmp_path / "root" / made["correlation"].relative_to(root))
    with pytest.raises(FreqmapsError, match="lies damaged under this root"):
        load(archive, tmp_path / "root")
    assert not (tmp_path / "root" / made["correlation"].relative_to(root)).exists()


def test_what_an_interrupted_run_left_is_taken_over(archive, made, root, tmp_path):
    partial = tmp_path / made["training"].relative_to(root) / "partial"
    partial.mkdir(parents=True)
    (partial / "state.pt").write_text("half")
    load(archive, tmp_path)
    assert not partial.exists()
    assert list(Verifier(tmp_path).problems()) == []


def test_without_inputs_they_are_counted_as_missing(root, tmp_path):
    write(tmp_path / "a.zip", *choose(scan(root), {"stage": {"matrices"}}, with_inputs=False))
    counts = load(tmp_path / "a.zip", tmp_path / "root")
    assert (counts["new"], counts["missing inputs"]) == (1, 4)
    assert json.loads(zipfile.ZipFile(tmp_path / "a.zip").read("index.json"))["left_out"]


def test_killed_at_any_moment_it_goes_on(archive, tmp_path):
    """Every result is whole or not there, whenever the import is killed; the next one brings the rest."""
    root, seen = tmp_path / "root", set()
    program = (
        "import os, sys, signal, freqmaps.archive.unpack as u; from pathlib import Path; left = int(sys.argv[3])\n"
        "real = os.replace\n"
        "def replace(*a):\n"
        "    global left\n"
        "    left -= 1\n"
        "    if left < 0: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    real(*a)\n"
        "u.os.replace = replace\n"
        "u.Import(Path(sys.argv[1]), Path(sys.argv[2]), say=lambda line: None).run()\n"
    )
    for moves in (0, 3, 5):
        line = [sys.executable, "-c", program, str(archive), str(root), str(moves)]
        assert subprocess.run(line, check=False).returncode == -signal.SIGKILL
        found = scan(root)
        assert all(one.complete for one in found if one.manifest is not None)
        seen.add(sum(one.complete for one in found))
    assert len(seen) == 3
    load(archive, root)
    assert list(Verifier(root).problems()) == []
    assert len(scan(root)) == 10


# Hostile and damaged archives -----------------------------------------------------------------------------------


def rewritten(archive, target, change=lambda name, data, info: data, more=(), sums=True):
    """Write an archive again, member by member; sums are made right, so that only the change can be at fault."""
    members = []
    with zipfile.ZipFile(archive) as source:
        for info in source.infolist():
            data = change(info.filename, source.read(info), info)
            if data is not None:
                members.append((info, data))
    members += more
    if sums:
        digests = {i.filename: hashlib.sha256(d).hexdigest() for i, d in members if i.filename != layout.SUMS}
        members = [(i, layout.sums_text(digests).encode() if i.filename == layout.SUMS else d) for i, d in members]
    with zipfile.ZipFile(target, "w") as sink:
        for info, data in members:
            sink.writestr(info, data, compress_type=info.compress_type)
    return target


def member(name, mode=stat.S_IFREG | 0o644, compress=zipfile.ZIP_STORED):
    info = zipfile.ZipInfo(name)
    info.external_attr, info.compress_type, info.create_system = mode << 16, compress, 3
    return info


def manifests(change):
    """Change every correlation manifest, and sign nothing else."""

    def one(name, data, info):
        if "/correlation/" not in name or not name.endswith("manifest.json"):
            return data
        found = json.loads(data)
        change(found)
        return json.dumps(found).encode()

    return one


def renamed(old, new):
    def one(name, data, info):
        info.filename = name.replace(old, new)
        return data

    return one


def rename_dataset(found):
    found["spec"]["names"]["dataset"] = ".."


PATH = "results/toy/datasets/"
HOSTILE = {
    "an absolute path": ({"more": [(member("/etc/passwd"), b"x")]}, "leads out of its folder"),
    "a path upwards": ({"more": [(member("results/../../x"), b"x")]}, "leads out of its folder"),
    "a backslash": ({"more": [(member("results\\..\\x"), b"x")]}, "a name that no result has"),
    "a link": ({"more": [(member(PATH + "x", stat.S_IFLNK | 0o777), b"/etc/passwd")]}, "is a link or a device"),
    "a device": ({"more": [(member(PATH + "x", stat.S_IFCHR | 0o666), b"")]}, "is a link or a device"),
    "a folder": ({"more": [(member(PATH + "x/", stat.S_IFDIR | 0o755), b"")]}, "leads out of its folder"),
    "a bomb": ({"more": [(member(PATH + "x", compress=zipfile.ZIP_DEFLATED), b"0" * 10**6)]}, "is compressed"),
    "a file of its own": ({"more": [(member("hello.txt"), b"x")]}, "is not part of a result"),
    "a file too many": ({"change": renamed("zzz", "zzz"), "more": "beside a store"}, "its manifest names"),
    "a file called like Snakemake's": ({"change": renamed("per_sample.csv", ".snakemake")}, "its manifest names"),
    "a place that no stage has": ({"change": renamed("/correlation/", "/correlations/")}, "no stage's results lie"),
    "a name upwards in a manifest": ({"change": manifests(rename_dataset)}, "does not lie where"),
    "an edited spec": (
        {"change": manifests(lambda m: m["spec"].update(seed=4))}, "its spec has key [0-9a-f]{12}, not that",
    ),
    "not a number in a spec": (
        {"change": manifests(lambda m: m["spec"].update(seed=float("nan")))}, "its spec has no key",
    ),
    "another key in the manifest": ({"change": manifests(lambda m: m.update(key="0" * 12))}, "its spec has key"),
    "a manifest that is a list": (
        {"change": lambda n, d, i: b"[]" if n.endswith("manifest.json") else d}, "not a manifest",
    ),
    "a manifest without end": (
        {"change": lambda n, d, i: b"[" * 10**5 if n.endswith("manifest.json") else d}, "not JSON",
    ),
    "another digest in the manifest": (
        {"change": manifests(lambda m: m["files"]["per_sample.csv"].update(sha256="0" * 64))}, "not the files that",
    ),
    "an edited headline": (
        {"change": manifests(lambda m: m["headline"].update(value=0.9))}, "the manifest beside it says",
    ),
    "no index": ({"change": lambda n, d, i: None if n == "index.json" else d}, "not an archive|not a whole archive"),
    "a newer format": (
        {"change": lambda n, d, i: d.replace(b'"version": 1', b'"version": 2') if n == "index.json" else d},
        "this freqmaps reads 1",
    ),
    "a result left out": (
        {"change": lambda n, d, i: None if "/training/" in n else d}, "holds 9 results, its index says 10",
    ),
    "a store that is none": (
        {"change": lambda n, d, i: b"x" * len(d) if n.endswith("store.zarr.zip") else d}, "not the files that",
    ),
    "sums that lack a member": (
        {"change": lambda n, d, i: d[d.index(b"\n") + 1 :] if n == "SHA256SUMS" else d, "sums": False}, "does not list",
    ),
    "a changed member": (
        {"change": lambda n, d, i: d.replace(b"0.5", b"0.6") if n.endswith("per_sample.csv") else d, "sums": False},
        "differs from its SHA-256",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_archive_moves_nothing_in(archive, root, kind, tmp_path):
    options, sentence = HOSTILE[kind]
    if options.get("more") == "beside a store":
        store = next(n for n in zipfile.ZipFile(archive).namelist() if n.endswith("store.zarr.zip"))
        options = options | {"more": [(member(store.replace("store.zarr.zip", "x.py")), b"x")]}
    bad = rewritten(archive, tmp_path / "bad.zip", **options)
    with pytest.raises(FreqmapsError, match=sentence) as caught:
        load(bad, tmp_path / "root")
    assert "\n" not in str(caught.value)
    assert [p for p in tmp_path.rglob("*") if p.is_file() and p.name not in ("bad.zip", ".lock")] == []


def test_a_member_given_twice_is_refused(archive, tmp_path):
    shutil.copyfile(archive, tmp_path / "bad.zip")
    name = next(n for n in zipfile.ZipFile(archive).namelist() if n.endswith("model.json"))
    with zipfile.ZipFile(tmp_path / "bad.zip", "a") as sink, pytest.warns(UserWarning, match="Duplicate name"):
        sink.writestr(member(name), b"{}")
    with pytest.raises(FreqmapsError, match="is there twice"):
        load(tmp_path / "bad.zip", tmp_path / "root")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_archive_is_one_sentence(archive, tmp_path, share):
    data = archive.read_bytes()
    (tmp_path / "t.zip").write_bytes(data[: int(share * len(data))])
    done = command("import", tmp_path / "t.zip", tmp_path / "root", check=False)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "not a whole archive" in done.stderr
    assert not (tmp_path / "root").exists()


def test_a_flipped_byte_anywhere_moves_nothing_in(archive, tmp_path):
    data = archive.read_bytes()
    for number, place in enumerate(range(37, len(data), len(data) // 24)):
        (tmp_path / "f.zip").write_bytes(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
        root = tmp_path / str(number)
        try:
            load(tmp_path / "f.zip", root)
        except FreqmapsError:
            assert not root.exists() or scan(root) == []
        else:  # a byte that says nothing: a date, a header that is there twice
            assert list(Verifier(root).problems()) == []


def test_a_full_disk_is_said_before_anything_is_written(archive, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=10))
    with pytest.raises(FreqmapsError, match="GB are needed"):
        load(archive, tmp_path / "root")
    assert scan(tmp_path / "root") == []


def test_a_place_that_takes_no_files_is_said_with_the_remedy(archive, root, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FreqmapsError, match=r"file: a file, or a link to nothing, where a folder is needed"):
        load(archive, tmp_path / "file")
    with pytest.raises(FreqmapsError, match=r"there is no folder .*nowhere; make it"):
        write(tmp_path / "nowhere" / "a.zip", *choose(scan(root), {"stage": {"correlation"}}))


def test_who_has_all_of_it_may_import_again_without_writing(archive, tmp_path, monkeypatch):
    load(archive, tmp_path / "root")
    monkeypatch.setattr(Path, "mkdir", lambda *_, **__: pytest.fail("nothing has to be written"))
    counts = load(archive, tmp_path / "root")
    assert set(counts) - {"missing inputs", "missing snapshots"} == {"here already"}


def test_the_commands(root, tmp_path, archive):
    target = tmp_path / "a.zip"
    done = command("export", target, "--root", root, "--stage", "matrices", "--dry-run")
    assert "nothing was written" in done.stdout
    assert not target.exists()
    done = command("export", target, "--root", root, "--stage", "correlation")
    assert "1 results and 9 that they were made from" in done.stdout
    assert target.read_bytes() == archive.read_bytes()
    assert "exists already" in command("export", target, "--root", root, "--all", check=False).stderr
    assert "say what to export" in command("export", tmp_path / "b.zip", check=False).stderr
    assert "10 results would be imported" in command("import", target, tmp_path / "root", "-n").stdout
    assert "10 results imported" in command("import", target, tmp_path / "root").stdout
    assert "0 problems" in command("verify", tmp_path / "root").stdout
    assert "no such archive" in command("import", tmp_path / "none.zip", tmp_path / "root", check=False).stderr


def test_an_import_waits_for_one_that_runs(archive, tmp_path):
    import fcntl

    holder = tmp_path / "root" / ".import"
    holder.mkdir(parents=True)
    with (holder / ".lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        line = [sys.executable, "-m", "freqmaps.cli", "import", str(archive), str(tmp_path / "root")]
        process = subprocess.Popen(line, stdout=subprocess.DEVNULL)
        time.sleep(1.5)
        assert process.poll() is None
        assert scan(tmp_path / "root") == []
    assert process.wait(60) == 0
    assert len(scan(tmp_path / "root")) == 10
    assert [p.name for p in holder.iterdir()] == [".lock"]
