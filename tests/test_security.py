"""Nothing that comes from outside is run, leaves its folder, or reaches a shell, a page or a spreadsheet unquoted."""

from __future__ import annotations

import ast
import io
import os
import pickle
import re
import struct
import tarfile
import zipfile
import zlib

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from PIL import Image

from freqmaps.core.errors import ConfigError, FreqmapsError, StoreError
from freqmaps.datasets import _decode, _layout, _pickles, _sources, _splits
from freqmaps.models._weights import read_weights
from freqmaps.publish import Column, Table, write_table
from freqmaps.stores import MAPS, read
from freqmaps.study.build import study
from freqmaps.study.config import read_files
from tests.workflow import REPOSITORY, clone, snakemake

DEFAULT = read_files([REPOSITORY / "config.yaml"])
SOURCES = [p for folder in ("freqmaps", "workflow_scripts", "benchmarks") for p in (REPOSITORY / folder).rglob("*.py")]
RULES = [REPOSITORY / "Snakefile", *(REPOSITORY / "rules").glob("*.smk")]
REFUSED = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "pickle.load", "pickle.loads", "pd.read_pickle",
    "yaml.unsafe_load", "yaml.full_load", "yaml.load_all", "shutil.unpack_archive", "torch.jit.load", "torch.hub.load",
    "np.fromregex", "tempfile.mktemp",
}  # fmt: skip
REFUSED_IMPORTS = {"dill", "cloudpickle", "joblib", "shelve", "marshal", "telnetlib", "ftplib"}
REFUSED_METHODS = {"extractall", "extract", "unpack_archive"}


def complaints(tree, *, safe_yaml=("_Loader", "SafeLoader", "yaml.SafeLoader")):
    """What a source does that it must not."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            yield from (f"imports {n}" for n in names if n.split(".")[0] in REFUSED_IMPORTS)
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        given = {k.arg: ast.unparse(k.value) for k in node.keywords}
        if called in REFUSED or (isinstance(node.func, ast.Attribute) and node.func.attr in REFUSED_METHODS):
            yield f"calls {called}"
        if called == "torch.load" and given.get("weights_only") != "True":
            yield "torch.load without weights_only=True"
        if called in ("np.load", "numpy.load") and given.get("allow_pickle") != "False":
            yield "np.load without allow_pickle=False"
        if called == "yaml.load" and given.get("Loader") not in safe_yaml:
            yield "yaml.load without a safe loader"
        if given.get("shell", "False") != "False":
            yield f"{called} through a shell"


@pytest.mark.parametrize(
    "bad",
    ["torch.load(p)", "torch.load(p, weights_only=False)", "pickle.load(f)", "np.load(p)", "eval(x)", "import dill",
     "subprocess.run(x, shell=True)", "yaml.load(x, Loader=yaml.Loader)", "archive.extractall(p)", "os.system(x)"],
)  # fmt: skip
def test_the_check_of_the_sources_sees_what_it_looks_for(bad):
    assert list(complaints(ast.parse(bad)))


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(REPOSITORY)))
def test_no_source_runs_what_it_reads(path):
    assert list(complaints(ast.parse(path.read_text()))) == []


def test_only_one_module_unpickles_and_it_chooses_what():
    """Others may name the module for its exception."""
    users = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and ast.unparse(node) in ("pickle.Unpickler", "pickle.load"):
                users.add(path.name)
    assert users == {"_pickles.py"}


def test_every_value_in_a_rule_reaches_the_shell_quoted():
    for path in RULES:
        for block in re.findall(r"(?:shell:|_COMMAND = \()(.*?)(?=\n\S|\n\n|\Z)", path.read_text(), flags=re.DOTALL):
            inserted = re.findall(r"\{+((?:params|input|output|log|wildcards|resources|config)\b[^}]*)\}", block)
            assert all(i.endswith(":q") for i in inserted), f"{path.name}: {inserted}"


class Runs:
    """A pickle that writes a file when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("name", ["evil.pt", "evil.pth"])
def test_weights_that_would_run_something_are_refused(tmp_path, name):
    torch.save({"state_dict": Runs(tmp_path / "pwned")}, tmp_path / name)
    with pytest.raises(FreqmapsError, match="could run any code and are refused"):
        read_weights(tmp_path / name)
    (tmp_path / name).write_bytes(pickle.dumps(Runs(tmp_path / "pwned"), protocol=2))
    with pytest.raises(FreqmapsError):
        read_weights(tmp_path / name)
    assert not (tmp_path / "pwned").exists()


def test_a_batch_that_would_run_something_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="is not an array and is refused"):
        _pickles.load(pickle.dumps({"data": Runs(tmp_path / "pwned")}), "here")
    assert not (tmp_path / "pwned").exists()


OUTSIDE = ["../evil.png", "/etc/evil.png", "a/../../evil.png", "..\\evil.png", "C:/evil.png"]


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_members_that_point_outside_are_refused(tmp_path, kind, name):
    path = tmp_path / f"images.{kind}"
    if kind == "tar":
        with tarfile.open(path, "w") as archive:
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(zipfile.ZipInfo(name), b"")
    with pytest.raises(ConfigError, match="points outside the archive, which is refused"):
        _sources.source(path, "root").listing()


@pytest.mark.parametrize("kind", ["SYMTYPE", "LNKTYPE", "CHRTYPE", "BLKTYPE", "FIFOTYPE"])
def test_links_and_devices_are_refused(tmp_path, kind):
    member = tarfile.TarInfo("cat/1.png")
    member.type, member.linkname = getattr(tarfile, kind), "/etc/passwd"
    with tarfile.open(tmp_path / "images.tar", "w") as archive:
        archive.addfile(member)
    with pytest.raises(ConfigError, match="is a link or a special file, which is refused"):
        _sources.source(tmp_path / "images.tar", "root").listing()


def test_a_link_in_a_zip_is_no_link_but_a_broken_image(tmp_path):
    member = zipfile.ZipInfo("cat/1.png")
    member.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        archive.writestr(member, "/etc/passwd")
    with _sources.source(tmp_path / "images.zip", "root").opened(in_order=True) as content:
        assert content("cat/1.png") == b"/etc/passwd"


def test_a_store_is_read_where_it_lies_whatever_its_members_are_called(tmp_path):
    path = tmp_path / "in" / "store.zarr.zip"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../evil", b"x")
        archive.writestr("/evil", b"x")
        archive.writestr("zarr.json", b'{"zarr_format": 3, "node_type": "group", "attributes": {"kind": "maps"}}')
    with pytest.raises(StoreError):
        read(path, MAPS)
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["in", "store.zarr.zip"]


def png(width, height):
    """The head of a PNG that says it is this large, and a few bytes."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [10_000, 60_000])
def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded(side):
    with pytest.raises(ConfigError, match=r"'big\.png' has more than 89478485 pixels, which is refused"):
        _decode.check(png(side, side), "big.png")
    with pytest.raises(ConfigError, match="has more than"):
        _decode.decode(png(side, side), "big.png", channels=3, size=8)


def test_a_member_that_swells_to_fill_the_memory_is_refused_by_its_size(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train/cat/1.png", bytes((1 << 28) + 1))
        archive.writestr("train/dog/1.png", b"")
        archive.writestr("test/cat/1.png", b"")
    assert (tmp_path / "bomb.zip").stat().st_size < 1 << 20
    with pytest.raises(ConfigError, match="has 268435457 bytes, too many for an image"):
        _layout.entries(_splits.within(_sources.source(tmp_path / "bomb.zip", "root")))


NAMES = ["../x", "/x", "x/y", "..", ".hidden", "", "x\n", "x\0y", "x y", "$(touch pwned)", "x;touch pwned", "{x}", "-x"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("section", ["datasets", "models", "trainings", "attacks", "maps", "metrics"])
def test_names_become_folders_so_they_are_plain(section, name):
    given = DEFAULT | {section: DEFAULT[section] | {name: next(iter(DEFAULT[section].values()))}}
    with pytest.raises(ConfigError, match="is not a name") as caught:
        study(given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_a_study_has_a_plain_name_and_components_are_files_of_their_folder(name):
    with pytest.raises(ConfigError, match="is not a name"):
        study(DEFAULT | {"study": name})
    with pytest.raises(ConfigError, match="no attack named"):
        study(DEFAULT | {"attacks": {a: {"kind": f"{name}../attacks/fgsm"} for a in DEFAULT["attacks"]}})


@pytest.mark.parametrize("results", ["a\nb", "a\0b", "{dataset}", "-rf"])
def test_a_root_that_would_be_taken_for_something_else_is_refused(results):
    with pytest.raises(ConfigError, match="choose another folder"):
        study(DEFAULT | {"results": results})


@pytest.mark.parametrize("root", ["/nowhere\0", "$(touch pwned)", "a\nb", "`id`"])
def test_the_place_of_raw_data_is_a_path_and_nothing_else(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = DEFAULT | {"datasets": {name: {"kind": "image_folder", "root": root} for name in DEFAULT["datasets"]}}
    with pytest.raises(ConfigError):
        study(given)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["=1+1", "+1+1", "-1+cmd|' /C calc'!A0", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_spreadsheet_finds_no_formula_in_a_table(tmp_path, text):
    frame = pd.DataFrame({"class": [text, "cat", "-1.5e-3"], "value": [-1.5, 0.0, float("nan")], text: [1, 2, 3]})
    write_table(Table(frame, [], [Column("class", "Class")]), tmp_path / "t.csv", tmp_path / "t.tex")
    back = pd.read_csv(tmp_path / "t.csv")
    shown = f" {text[1:]}" if text[0] in "\t\r" else f"'{text}"
    assert back["class"].tolist() == [shown, "cat", "-1.5e-3"]
    assert back.columns.tolist() == ["class", "value", shown]
    assert np.array_equal(back["value"], frame["value"], equal_nan=True)


NASTY = ["$(touch pwned)<blink>", "=1+1<blink>", "<blink><script>alert(1)", "'; touch pwned; '<blink>"]


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """A clone, images, classes and a results root with names as nasty as a file system allows; run to the report."""
    from sklearn.datasets import load_digits

    folder = clone(tmp_path_factory.mktemp("odd") / "it's a clone")
    digits, labels = load_digits(return_X_y=True)
    for i in np.flatnonzero(labels < len(NASTY))[:120]:
        path = folder / 'Bilder ü & "co"' / NASTY[labels[i]] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((digits[i].reshape(8, 8) * 15).astype(np.uint8)).save(path)
    overlay = {
        "study": "odd",
        "results": "Ergebnisse ü 'n \"so\" $(touch pwned)",
        "datasets": {"odd": {"kind": "image_folder", "root": "Bilder ü & \"co\"", "channels": 1}},
        "trainings": {"standard": {"epochs": 2}},
        "maps": {"ce": {"min_steps": 5, "max_steps": 5}},
        "attacks": {"fgsm": {"kind": "fgsm", "epsilon": 0.3}},
        "runs": [
            {
                "datasets": ["odd"], "models": ["small-cnn"], "trainings": ["standard"], "attacks": ["fgsm"],
                "maps": ["ce"], "metrics": ["svcca"], "samples": {"first": 12},
            }
        ],
        "items": [{"item": "B25-T1", "attacks": ["fgsm"]}, {"item": "B25-F1", "attack": "fgsm"}],
    }  # fmt: skip
    (folder / "odd.yaml").write_text(yaml.safe_dump(overlay, allow_unicode=True))
    snakemake(folder, "-c2", "all", "--configfile", "odd.yaml")
    return folder


def test_no_name_reaches_a_shell(odd):
    assert not list(odd.parent.rglob("pwned"))
    root = odd / 'Ergebnisse ü \'n "so" $(touch pwned)'
    found = [p.relative_to(root).parts[0] for p in root.rglob("manifest.json")]
    assert sorted(set(found)) == ["_atlas", "_items", "_report", "_simulation", "odd"] and found.count("odd") == 7
    assert "Nothing to be done" in "".join(snakemake(odd, "-n", "all", "--configfile", "odd.yaml").stdout)


def test_no_name_reaches_a_page_as_markup(odd):
    shown = odd / "results"
    assert "&lt;blink&gt;" in (shown / "report.html").read_text()
    pages = [*shown.glob("*.html"), *shown.glob("figures/*.svg")]
    assert {p.name for p in pages} == {"report.html", "catalog.html", "atlas.html", "B25-F1.svg"}
    for page in pages:
        text = page.read_text()
        assert "<blink>" not in text, page
        assert "<script>alert" not in text, page
