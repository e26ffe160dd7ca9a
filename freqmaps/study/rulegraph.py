"""The stages as a graph, for the docs: drawn from the resolved default study."""

from __future__ import annotations

from freqmaps.study.build import Study

DECIDES_NUMBERS = False


def mermaid(study: Study) -> str:
    """Return the study's stages, its items and the report as a Mermaid flowchart, with the number of jobs of each."""
    counts: dict[str, int] = {}
    edges: dict[tuple[str, str], None] = {}
    for node in study.graph.nodes.values():
        counts[node.stage] = counts.get(node.stage, 0) + 1
        edges.update({(source.stage, node.stage): None for source in node.inputs})
    lines = ["flowchart LR"]
    lines += [f'    {stage}["{stage} ({count})"]' for stage, count in counts.items()]
    for item in study.items.values():
        name = item.name.replace("-", "_")
        lines.append(f'    {name}["{item.name}"]')
        edges.update({(stage, name): None for stage in counts if any(n.stage == stage for n in item.inputs)})
        edges[(name, "report")] = None
    if study.atlas:
        lines.append('    atlas["atlas"]')
        edges.update({(stage, "atlas"): None for stage in counts if any(n.stage == stage for n in study.atlas.inputs)})
    return "\n".join([*lines, *(f"    {a} --> {b}" for a, b in edges)]) + "\n"
