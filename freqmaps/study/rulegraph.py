"""The stages as a graph, for the docs: drawn from the resolved default study."""

from __future__ import annotations

from freqmaps.study.build import Study

DECIDES_NUMBERS = False


def mermaid(study: Study) -> str:
    """Return the stages, items and report of a study as a Mermaid flowchart, with the number of results of each."""
    counts: dict[str, int] = {}
    edges: dict[tuple[str, str], None] = {}
    for node in study.graph.nodes.values():
        name = node.names["item"].replace("-", "_") if node.stage == "items" else node.stage
        counts[name] = counts.get(name, 0) + 1
        if node.stage == "report":
            edges.update({(other, name): None for other in counts if other[:1].isupper() or other == "atlas"})
            continue
        edges.update({(source.stage, name): None for source in node.inputs})
    lines = ["flowchart LR"]
    lines += [f'    {n}["{n.replace("_", "-") if n[:1].isupper() else f"{n} ({c})"}"]' for n, c in counts.items()]
    return "\n".join([*lines, *(f"    {a} --> {b}" for a, b in edges)]) + "\n"
