"""Code digests: blind to comments, docstrings and formatting, and to nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest

from freqmaps.core.components import PACKAGE
from freqmaps.core.errors import ConfigError
from freqmaps.provenance import _syntax, code

BEFORE = '''"""Module."""
import math


def f(x: float, *, scale: float = 2.0) -> float:
    """Docstring."""
    # a comment
    return math.sqrt(x) * scale
'''

EDITS = {
    "comment": (BEFORE.replace("# a comment", "# another"), True),
    "docstring": (BEFORE.replace("Docstring.", "Better."), True),
    "module docstring gone": (BEFORE.replace('"""Module."""\n', ""), True),
    "reformatted": (BEFORE.replace("(x: float, *,", "(\n    x: float,\n    *,"), True),
    "quotes": (BEFORE.replace('"""Docstring."""', "'''Docstring.'''"), True),
    "test parameters": (BEFORE + '\nTINY = {"scale": 1.0}\nRANGES = {"scale": (0.0, 3.0)}\n', True),
    "another constant": (BEFORE + "\nTINIER = 1.0\n", False),
    "type checker only": (BEFORE + "\nif TYPE_CHECKING:\n    import torch\n", True),
    "constant": (BEFORE.replace("2.0", "2.5"), False),
    "operator": (BEFORE.replace("* scale", "/ scale"), False),
    "swapped": (BEFORE.replace("math.sqrt(x) * scale", "scale * math.sqrt(x)"), False),
    "integer for float": (BEFORE.replace("2.0", "2"), False),
}  # fmt: skip


def forget():
    for function in (code._digest, code.module_digest, code.imports, code._syntax):
        function.cache_clear()


@pytest.fixture(autouse=True)
def _fresh():
    forget()
    yield
    _syntax._memory.cache_clear()


def digest_of(path: Path, text: str) -> str:
    path.write_text(text)
    forget()
    return code.module_digest(path)


@pytest.mark.parametrize("edit", EDITS)
def test_digest_sees_what_decides_numbers(tmp_path, edit):
    text, same = EDITS[edit]
    path = tmp_path / "m.py"
    assert (digest_of(path, BEFORE) == digest_of(path, text)) is same


def test_digest_does_not_depend_on_the_folder(tmp_path):
    (tmp_path / "a").mkdir()
    assert digest_of(tmp_path / "a" / "m.py", BEFORE) == digest_of(tmp_path / "n.py", BEFORE)


@pytest.mark.parametrize("stage", ["datasets", "training", "attacks", "maps", "matrices", "correlation"])
def test_no_stage_depends_on_figures_or_the_report(stage):
    reached = closure(PACKAGE.parent / "workflow_scripts" / f"{stage}.py")
    assert reached
    assert not [p for p in reached if "freqmaps/papers/" in p or "/publish/" in p]


def test_training_does_not_depend_on_maps_nor_maps_on_training():
    assert not [p for p in closure(PACKAGE.parent / "workflow_scripts/training.py") if "/maps/" in p]
    assert not [p for p in closure(PACKAGE.parent / "workflow_scripts/maps.py") if "/training/" in p]


def closure(path: Path) -> set[str]:
    waiting, seen = [path.resolve()], set()
    while waiting:
        one = waiting.pop()
        if str(one) not in seen and code._syntax(one).decides:
            seen.add(str(one))
            waiting.extend(code.imports(one))
    return seen


def test_imports_inside_functions_and_relative_ones_count(tmp_path):
    package = tmp_path / "lab"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "a.py").write_text("def f():\n    from . import b\n    return b.g()\n")
    (package / "b.py").write_text("from lab.c import h\n\ng = h\n")
    (package / "c.py").write_text("h = lambda: 1\n")
    before = code.stage_digest([package / "a.py"])
    (package / "c.py").write_text("h = lambda: 2\n")
    forget()
    assert code.stage_digest([package / "a.py"]) != before


def test_what_a_package_loads_when_asked_counts():
    """freqmaps.stores loads its modules lazily: a change of the writer must still be seen by who writes."""
    for stage in ("datasets", "attacks", "maps", "matrices"):
        reached = closure(PACKAGE.parent / "workflow_scripts" / f"{stage}.py")
        assert str(PACKAGE / "stores" / "zarrfile.py") in reached
    reached = closure(PACKAGE.parent / "workflow_scripts" / "correlation.py")
    assert str(PACKAGE / "stores" / "arrays.py") in reached


def test_modules_that_decide_no_numbers_import_no_numeric_library():
    for path in PACKAGE.rglob("*.py"):
        if not code._syntax(path.resolve()).decides:
            names = {one.module for one in code._syntax(path.resolve()).imports if not one.typing}
            assert not {n.split(".")[0] for n in names} & {"foolbox", "scipy", "sklearn", "skdim", "numba"}, path


def test_syntax_error_names_file_and_line(tmp_path):
    path = tmp_path / "m.py"
    path.write_text("x = (\n")
    with pytest.raises(ConfigError, match=r"m\.py:1: not valid Python"):
        code.module_digest(path)


def test_declared_equivalence_keeps_the_old_digest(tmp_path, monkeypatch):
    path, table = tmp_path / "m.py", tmp_path / "equivalent.yaml"
    old = digest_of(path, BEFORE)
    new = digest_of(path, BEFORE.replace("math.sqrt(x) * scale", "scale * math.sqrt(x)"))
    table.write_text(
        f"- {{module: m.py, old: '{old}', new: '{new}', test: tests/test_m.py::test_same, why: swapped}}\n"
    )
    monkeypatch.setattr(code, "EQUIVALENT", table)
    code._equivalences.cache_clear()
    code.module_digest.cache_clear()
    try:
        assert code.module_digest(path) == old
        table.write_text(f"- {{module: m.py, old: '{old}', new: '{new}'}}\n")
        code._equivalences.cache_clear()
        code.module_digest.cache_clear()
        with pytest.raises(ConfigError, match="each entry has"):
            code.module_digest(path)
    finally:
        code._equivalences.cache_clear()


def test_declared_equivalences_name_tests_that_exist():
    import yaml

    for entry in yaml.safe_load(code.EQUIVALENT.read_text()) or []:
        file, _, function = entry["test"].partition("::")
        assert f"def {function}(" in (PACKAGE.parent / file).read_text()


def test_digest_is_the_same_in_another_process():
    path = PACKAGE / "provenance" / "keys.py"
    done = subprocess.run(
        [sys.executable, "-m", "freqmaps.cli", "digest", str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == code.module_digest(path)


# --- what is remembered


def remembered(folder, monkeypatch):
    """Have the process remember in a folder, as if it had just started."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    _syntax._memory.cache_clear()
    forget()


def test_what_is_remembered_is_what_is_read(tmp_path, monkeypatch):
    files = sorted(PACKAGE.rglob("*.py"))
    remembered(tmp_path, monkeypatch)
    read = [(code.module_digest(f), code.imports(f), code._syntax(f)) for f in files]
    _syntax._memory().save()
    monkeypatch.setattr(_syntax, "_read", None)  # from here on nothing can be parsed
    remembered(tmp_path, monkeypatch)
    assert [(code.module_digest(f), code.imports(f), code._syntax(f)) for f in files] == read
    changed = tmp_path / "m.py"
    changed.write_text(BEFORE)
    with pytest.raises(TypeError):
        code.module_digest(changed)


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"a": 1}', '{"a": ["d", true, [[0, "m"]]]}', "\0"])
def test_a_damaged_memory_is_none(tmp_path, monkeypatch, damage):
    remembered(tmp_path, monkeypatch)
    path = _syntax._memory().path
    path.parent.mkdir(parents=True)
    path.write_text(damage)
    remembered(tmp_path, monkeypatch)
    assert _syntax._memory().known == {}
    before = code.module_digest(PACKAGE / "core" / "errors.py")
    _syntax._memory().save()
    remembered(tmp_path, monkeypatch)
    assert len(_syntax._memory().known) == 1 and code.module_digest(PACKAGE / "core" / "errors.py") == before


def test_a_memory_that_cannot_be_written_costs_time_only(tmp_path, monkeypatch):
    (tmp_path / "freqmaps").write_text("in the way")
    remembered(tmp_path, monkeypatch)
    assert len(code.module_digest(PACKAGE / "core" / "errors.py")) == 16
    _syntax._memory().save()
