"""Which rooms import which, by syntax tree: no paper another one; inference and spectra no stage, paper or page."""

import ast
import re
from pathlib import Path

import pytest

from freqmaps.core import components

PACKAGE = components.PACKAGE
PAPERS = sorted(p.name for p in (PACKAGE / "papers").iterdir() if (p / "__init__.py").is_file())


def imported(path: Path) -> set[str]:
    """Return what a file imports of freqmaps, at any depth; ``from a import b`` counts as ``a.b``."""
    package = path.relative_to(PACKAGE.parent).parts[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, (base, node.module)))
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] == "freqmaps"}


def room(name: str) -> str:
    return [*name.split("."), ""][1]


@pytest.mark.parametrize("paper", PAPERS)
def test_a_paper_imports_nothing_of_another(paper):
    for path in (PACKAGE / "papers" / paper).rglob("*.py"):
        strangers = [n for n in imported(path) if room(n) == "papers" and n.split(".")[2] != paper]
        assert not strangers, f"{path.name} imports {strangers}; what two papers use goes to a room of its own"


@pytest.mark.parametrize("folder", ["inference", "spectra"])
def test_inference_and_spectra_know_arrays_only(folder):
    allowed = {"core", "inference", "spectra"} if folder == "inference" else {"core", "spectra"}
    for path in (PACKAGE / folder).rglob("*.py"):
        found = {room(name) for name in imported(path)}
        assert found <= allowed, f"{path.name} imports {sorted(found - allowed)}"


def test_nothing_but_papers_imports_a_paper():
    for path in PACKAGE.rglob("*.py"):
        if path.relative_to(PACKAGE).parts[0] != "papers":
            assert not [n for n in imported(path) if room(n) == "papers"], path


def test_the_check_sees_every_way_to_import(tmp_path, monkeypatch):
    monkeypatch.setattr(f"{__name__}.PACKAGE", tmp_path / "freqmaps")
    path = tmp_path / "freqmaps" / "papers" / "a" / "T1.py"
    path.parent.mkdir(parents=True)
    path.write_text(
        "from ..b import T2\nfrom . import T3\nimport freqmaps.papers.c.T4\ndef f():\n    from freqmaps import maps"
    )
    assert imported(path) == {
        "freqmaps.papers.b.T2", "freqmaps.papers.a.T3", "freqmaps.papers.c.T4", "freqmaps.maps",
    }  # fmt: skip


def floors(page: str) -> list[set[str]]:
    """Return the layers that the page draws, lowest first: a package imports from layers below its own, no circles.

    The picture is a mermaid block: a subgraph per layer with a line per package, packages outside that are layers of
    their own, and a chain ``L1 --> L2 --> ...`` that says which layer lies on which.
    """
    (block,) = re.findall(r"```mermaid\n(flowchart.*?)```", page, flags=re.DOTALL)
    layers: dict[str, set[str]] = {}
    for name, inside in re.findall(r"^ *subgraph (\w+)\[.*?\]\n(.*?)^ *end$", block, flags=re.DOTALL | re.MULTILINE):
        layers[name] = set(re.findall(r"^ *(\w+)\[\"", inside, flags=re.MULTILINE))
    outside = re.sub(r"^ *subgraph .*?^ *end$", "", block, flags=re.DOTALL | re.MULTILINE)
    layers |= {name: {name} for name in re.findall(r"^ *(\w+)\[\"", outside, flags=re.MULTILINE)}
    chain = block.strip().splitlines()[-1].split("-->")
    order = [name.strip() for name in chain]
    assert sorted(order) == sorted(layers), "the chain names every layer of the picture once"
    return [layers[name] for name in order if name != "workflow"]


FLOORS = floors((PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8"))


def test_layers_are_read_from_the_picture():
    page = """text
```mermaid
flowchart BT
    subgraph L1[" "]
        low["<b>low</b><br>words, more"]
        base["<b>base</b>"]
    end
    subgraph L2[" "]
        high["<b>high</b>"]
    end
    top["<b>top</b>"]
    workflow["<b>rules/</b>"]
    L1 --> L2 --> top --> workflow
```
"""
    assert floors(page) == [{"low", "base"}, {"high"}, {"top"}]
    with pytest.raises(AssertionError, match="names every layer"):
        floors(page.replace("--> L2 ", ""))
    assert FLOORS[0] == {"core", "starter"} and FLOORS[-1] == {"cli"}


def test_every_package_has_its_floor_and_imports_from_below():
    floor = {name: number for number, names in enumerate(FLOORS) for name in names}
    there = {p.name.removesuffix(".py") for p in PACKAGE.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    assert there - {"__init__"} == set(floor)
    for path in PACKAGE.rglob("*.py"):
        own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for name in imported(path) if own != "__init__" else ():
            other = room(name)
            assert other == own or other == "" or floor[other] < floor[own], f"{path} imports {name}"
