"""Code digests: blind to comments, docstrings and formatting, and to nothing else."""

import ast
import difflib
import re
import subprocess
import types
from pathlib import Path

import pytest
import yaml

from freqmaps.core import components
from freqmaps.core.components import PACKAGE, find
from freqmaps.core.errors import ConfigError
from freqmaps.provenance import _syntax, code
from freqmaps.provenance._locals import LocalNames
from freqmaps.stages import PUBLISHED, STAGES
from freqmaps.study.graph import SCRIPTS
from tests import deciding as deciding_files
from tests import starter

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
    "type hints": (BEFORE.replace("x: float", "x: int").replace("-> float", "-> int"), True),
    "type checker only": (BEFORE + "\nif TYPE_CHECKING:\n    import torch\n", True),
    "constant": (BEFORE.replace("2.0", "2.5"), False),
    "operator": (BEFORE.replace("* scale", "/ scale"), False),
    "swapped": (BEFORE.replace("math.sqrt(x) * scale", "scale * math.sqrt(x)"), False),
    "integer for float": (BEFORE.replace("2.0", "2"), False),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _fresh():
    code.forget()
    yield
    _syntax._memory.cache_clear()
    code.forget()


def digest_of(path: Path, text: str) -> str:
    path.write_text(text)
    code.forget()
    return code.stage_digest([path])


@pytest.mark.parametrize("edit", EDITS)
def test_digest_sees_what_decides_numbers(tmp_path, edit):
    text, same = EDITS[edit]
    path = tmp_path / "m.py"
    assert (digest_of(path, BEFORE) == digest_of(path, text)) is same


LOCALS = """
base = 1.0


def f(x, other):
    low, high = x.min(), x.max()
    with open(other) as file:
        rows = [row * low for row in file if (size := len(row))]
    def inner(y):
        return low + y * (lambda z: z - high)(size)
    for index, part in enumerate(rows):
        high += inner(part) + index + base
    return low, high
"""


def _other(name):
    return "high" if name[0] == "low" else "low"


#: Edits of the names of LOCALS; whether they leave the digest.
RENAMED = {
    "local variables": (lambda t: t.replace("low", "bottom").replace("size", "length").replace("index", "k"), True),
    "variables of a comprehension": (lambda t: re.sub(r"\brow\b", "line", t), True),
    "two variables by each other's names": (lambda t: re.sub("low|high", _other, t), True),
    "a file by a name that nothing else has": (lambda t: t.replace("file", "outside"), True),
    "one use by another variable": (lambda t: t.replace("return low, high", "return high, low"), False),
    "another variable in an inner function": (lambda t: t.replace("return low + y", "return high + y"), False),
    "a local variable that was a constant": (lambda t: t.replace("low, high = x", "base, high = x"), False),
    "a constant for a local variable": (lambda t: t.replace("index + base", "index + low"), False),
    "a comprehension's variable that was a parameter": (lambda t: t.replace("for row in file", "for x in file"), False),
    "a parameter": (lambda t: re.sub(r"\bx\b", "images", t), False),
    "variables that are read by name": (lambda t: t.replace("(rows)", "(locals()[\"rows\"])"), False),
}  # fmt: skip


@pytest.mark.parametrize("edit", RENAMED)
def test_digest_does_not_depend_on_what_local_variables_are_called(tmp_path, edit):
    change, same = RENAMED[edit]
    assert change(LOCALS) != LOCALS
    path = tmp_path / "m.py"
    assert (digest_of(path, LOCALS) == digest_of(path, change(LOCALS))) is same


def test_variables_that_are_read_by_name_keep_their_names(tmp_path):
    text = "def f(x):\n    low = x\n    return locals()\n"
    assert digest_of(tmp_path / "m.py", text) != digest_of(tmp_path / "m.py", text.replace("low", "high"))


class _Longer(ast.NodeTransformer):
    """Call every variable that the digest takes for a local one by another name, which sorts where the old one did."""

    def __init__(self, tree: ast.Module) -> None:
        self.names, self.renamed = LocalNames(tree.body), 0
        # Python calls methods by another instruction on whatever is called as an import of the module is.
        imports = [part for part in tree.body if isinstance(part, ast.Import | ast.ImportFrom)]
        self.imported = {alias.asname or alias.name for part in imports for alias in part.names}

    def visit_Name(self, node: ast.Name) -> ast.Name:
        if not self.names.is_local(node) or node.id in self.imported:
            return node
        self.renamed += 1
        return ast.copy_location(ast.Name(node.id + "0", node.ctx), node)


def _instructions(compiled):
    """Return what a code object does: its bytecode, the names from outside, its constants and inner code."""
    constants = [_instructions(c) if isinstance(c, types.CodeType) else (type(c), c) for c in compiled.co_consts]
    return compiled.co_name, compiled.co_code, compiled.co_names, constants


@pytest.mark.parametrize("package", sorted(p.name for p in PACKAGE.iterdir() if (p / "__init__.py").is_file()))
def test_what_the_digest_takes_for_local_variables_python_does_too(package):
    """Python compiles all modules to the same instructions with those variables renamed, and digests stay."""
    renamed = 0
    for path in (PACKAGE / package).rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
        longer = _Longer(tree)
        renamed_tree = longer.visit(tree)
        assert _instructions(compile(renamed_tree, "m", "exec")) == _instructions(compile(text, "m", "exec")), path
        other = ast.unparse(renamed_tree)
        digests = [_syntax._read(source.encode(), path).definitions for source in (text, other)]
        assert {n: d.digest for n, d in digests[0].items()} == {n: d.digest for n, d in digests[1].items()}
        renamed += longer.renamed
    assert renamed or package == "stages"


def test_digest_does_not_depend_on_the_folder(tmp_path):
    (tmp_path / "a").mkdir()
    assert digest_of(tmp_path / "a" / "m.py", BEFORE) == digest_of(tmp_path / "n.py", BEFORE)


def deciding(stage: str, *components: tuple[str, str]) -> dict[str, list[str]]:
    files = [SCRIPTS / f"{stage}.py", *(find(*one).path for one in components)]
    return code.deciding(files)


@pytest.mark.parametrize("stage", [stage for stage in STAGES if stage not in PUBLISHED])
def test_no_stage_depends_on_storage_validation_figures_or_the_report(stage):
    files = deciding(stage)
    assert files
    for apart in ("papers", "publish", "provenance", "stages", "study", "core/errors", "stores/zarrfile", "stores/con"):
        assert not [file for file in files if file.startswith(f"freqmaps/{apart}")], apart


def test_which_files_decide_each_stage():
    """The list is part of the code, so that a reviewer sees when a file joins what decides numbers."""
    listed, now = deciding_files.LIST.read_text(encoding="utf-8").splitlines(), deciding_files.text().splitlines()
    difference = list(difflib.unified_diff(listed, now, "listed", "now", lineterm="", n=0))
    assert listed == now, "\n".join(["run: python -m tests.deciding, and look at what joined", *difference])


def test_the_list_has_every_stage_and_kind_and_says_who_reaches_a_file():
    sections = re.split(r"\n\[", deciding_files.LIST.read_text(encoding="utf-8"))[1:]
    titles = [section.partition("]")[0] for section in sections]
    assert titles == [*(f"stage {stage}" for stage in STAGES), *(f"kind {kind}" for kind in components.kinds())]
    maps = sections[titles.index("stage maps")].splitlines()[1:]
    assert "freqmaps/maps/_engine.py" in maps and "workflow_scripts/maps.py" in maps
    attacks = sections[titles.index("kind attack")].splitlines()
    assert "freqmaps/attacks/pgd.py: pgd" in attacks
    assert deciding_files._who(["a", "b"], ["a", "b"]) == ""
    assert deciding_files._who(["a", "b"], ["a", "b", "c"]) == ": all but c"
    assert deciding_files._who(["a"], ["a", "b"]) == ": a"


def test_only_what_is_used_counts(tmp_path):
    package = tmp_path / "lab"
    package.mkdir()
    (package / "__init__.py").write_text("")
    script, tools = package / "a.py", package / "tools.py"
    script.write_text(
        "from lab import tools\nfrom lab.tools import one\n\ndef f(x):\n    return one(x) + tools.two(x)\n"
    )
    used = "_K = 2\n\ndef one(x):\n    return x * _K\n\ndef two(x):\n    return x\n"
    tools.write_text(used)
    before = code.stage_digest([script])
    for same in (
        used + "\ndef three(x):\n    return 3\n",
        "import os\n" + used,
        used.replace("x):", "x: float) -> float:"),
    ):
        tools.write_text(same)
        code.forget()
        assert code.stage_digest([script]) == before, same
    for other in (used.replace("_K = 2", "_K = 3"), used.replace("return x\n", "return -x\n"), used + "\nprint(1)\n"):
        tools.write_text(other)
        code.forget()
        assert code.stage_digest([script]) != before, other


def test_a_definition_that_moves_changes_no_key_and_one_that_is_swapped_does(tmp_path):
    (tmp_path / "lab").mkdir()
    script, left, right = (tmp_path / "lab" / f"{name}.py" for name in ("a", "left", "right"))
    (tmp_path / "lab" / "__init__.py").write_text("")
    f, g = "def f(x):\n    return x\n", "def f(x):\n    return -x\n"
    script.write_text("from lab.left import f\nfrom lab import right\n\ndef h(x):\n    return f(x) - 2 * right.f(x)\n")
    left.write_text(f)
    right.write_text(g)
    before = code.stage_digest([script])
    left.write_text("from lab.moved import f\n")
    (tmp_path / "lab" / "moved.py").write_text(f)
    code.forget()
    assert code.stage_digest([script]) == before
    left.write_text(g)
    right.write_text(f)
    code.forget()
    assert code.stage_digest([script]) != before


@pytest.mark.parametrize("reach", ["getattr(tools, name)(x)", "tools.__dict__[name](x)", "vars(tools)[name](x)"])
def test_what_is_reached_by_name_counts_whole(tmp_path, reach):
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "__init__.py").write_text("")
    script, tools = tmp_path / "lab" / "a.py", tmp_path / "lab" / "tools.py"
    script.write_text(f"from lab import tools\n\ndef f(x, name):\n    return {reach}\n")
    tools.write_text("def one(x):\n    return x\n")
    before = code.stage_digest([script])
    tools.write_text("def one(x):\n    return -x\n")
    code.forget()
    assert code.stage_digest([script]) != before


def test_imports_inside_functions_and_relative_ones_count(tmp_path):
    package = tmp_path / "lab"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "a.py").write_text("def f():\n    from . import b\n    return b.g()\n")
    (package / "b.py").write_text("from lab.c import h\n\ng = h\n")
    (package / "c.py").write_text("h = lambda: 1\n")
    before = code.stage_digest([package / "a.py"])
    (package / "c.py").write_text("h = lambda: 2\n")
    code.forget()
    assert code.stage_digest([package / "a.py"]) != before


def test_what_a_package_hands_on_counts():
    """Scripts import from packages: a change in the module behind must still be seen."""
    assert "optimise_maps" in deciding("maps")["freqmaps/maps/_engine.py"]
    assert "advance" in deciding("maps")["freqmaps/maps/_slots.py"]
    assert "own_mirror" in deciding("group_maps", ("basis", "fourier"))["freqmaps/spectra/planes.py"]
    assert "filtered" in deciding("group_maps", ("basis", "fourier"))["freqmaps/spectra/half_planes.py"]


def test_modules_that_decide_no_numbers_import_no_numeric_library():
    for path in PACKAGE.rglob("*.py"):
        if not code.syntax_of(path.resolve()).decides:
            names = {one.module for one in code.syntax_of(path.resolve()).imports if not one.typing}
            assert not {n.split(".")[0] for n in names} & {"foolbox", "scipy", "sklearn", "skdim", "numba"}, path


def test_syntax_error_names_file_and_line(tmp_path):
    path = tmp_path / "m.py"
    path.write_text("x = (\n")
    with pytest.raises(ConfigError, match=r"m\.py:1: not valid Python"):
        code.stage_digest([path])


def test_declared_equivalence_keeps_the_old_digest(tmp_path, monkeypatch):
    path, table = tmp_path / "m.py", tmp_path / "equivalent.yaml"
    old = digest_of(path, BEFORE)
    new = digest_of(path, BEFORE.replace("math.sqrt(x) * scale", "scale * math.sqrt(x)"))
    entry = {"stage": "maps", "old": old, "new": new, "why": "swapped", "evidence": {"remade": []}}
    monkeypatch.setattr(code, "EQUIVALENT", table)
    table.write_text(yaml.safe_dump([entry]))
    code.forget()
    assert code.stage_digest([path]) == old
    table.write_text(yaml.safe_dump([entry, entry | {"new": old, "old": new}]))
    code.forget()
    with pytest.raises(ConfigError, match="circle"):
        code.stage_digest([path])
    table.write_text(yaml.safe_dump([{"new": new, "old": old}]))
    code.forget()
    with pytest.raises(ConfigError, match="each entry has"):
        code.stage_digest([path])


def test_what_is_declared_has_evidence():
    for entry in code.declared():
        assert entry["evidence"]["remade"] and entry["why"]


def test_digest_is_the_same_in_another_process():
    done = subprocess.run(
        [starter.python(), "-m", "freqmaps.cli", "digest", "matrices"], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[0] == code.stage_digest([SCRIPTS / "matrices.py"])
    assert "freqmaps/matrices/_pool.py: pool" in done.stdout


# --- what is remembered


def remembered(folder, monkeypatch):
    """Have the process remember in a folder, as if it had just started."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    _syntax._memory.cache_clear()
    code.forget()


def test_what_is_remembered_is_what_is_read(tmp_path, monkeypatch):
    files = sorted(PACKAGE.rglob("*.py"))
    remembered(tmp_path, monkeypatch)
    read = [code.syntax_of(f) for f in files]
    _syntax._memory().save()
    monkeypatch.setattr(_syntax, "_read", None)  # from here on nothing can be parsed
    remembered(tmp_path, monkeypatch)
    assert [code.syntax_of(f) for f in files] == read
    changed = tmp_path / "m.py"
    changed.write_text(BEFORE)
    with pytest.raises(TypeError):
        code.syntax_of(changed)


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"a": 1}', '{"a": [true, [[0, "m"]]]}', "\0"])
def test_a_damaged_memory_is_none(tmp_path, monkeypatch, damage):
    remembered(tmp_path, monkeypatch)
    path = _syntax._memory().path
    path.parent.mkdir(parents=True)
    path.write_text(damage)
    remembered(tmp_path, monkeypatch)
    assert _syntax._memory().known == {}
    before = code.syntax_of(PACKAGE / "core" / "errors.py")
    _syntax._memory().save()
    remembered(tmp_path, monkeypatch)
    assert len(_syntax._memory().known) == 1 and code.syntax_of(PACKAGE / "core" / "errors.py") == before


def test_a_memory_that_cannot_be_written_costs_time_only(tmp_path, monkeypatch):
    (tmp_path / "freqmaps").write_text("in the way")
    remembered(tmp_path, monkeypatch)
    assert "ConfigError" in code.syntax_of(PACKAGE / "core" / "errors.py").definitions
    _syntax._memory().save()
