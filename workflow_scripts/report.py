"""Make the report of the current config: one self-contained page, and Table I in a few lines for the terminal."""

import argparse
import json
from pathlib import Path

import pandas as pd

from freqmaps import manifest
from freqmaps.items import Inputs
from freqmaps.job import entry_point
from freqmaps.report import build_report, read_item, summary_lines
from freqmaps.stamp import write_stamp
from freqmaps.study.build import study


def run(arguments: argparse.Namespace) -> None:
    """Read the items' files back, and the manifests of every result of the config, and fill the template."""
    current = study(json.loads(arguments.config))
    shown = arguments.html.parent
    items = []
    for item in current.items.values():
        first, second = [shown / item.files[k] for k in (("csv", "tex") if item.kind == "table" else ("svg", "png"))]
        items.append(read_item(first, second, arguments.html))
    inputs = Inputs.from_folders([current.root / node.path for node in current.graph.nodes.values()])
    page = build_report(
        items, inputs, json.loads(arguments.shown),
        template=(arguments.templates / "report.html.j2").read_text(encoding="utf-8"),
        workflow=(arguments.templates / "workflow.md").read_text(encoding="utf-8"),
        origin=manifest.origin(),
    )  # fmt: skip
    manifest.write_text(arguments.html, page)
    table = shown / "tables" / "B25-T1.csv"
    summary = summary_lines(pd.read_csv(table)) if "B25-T1" in current.items else f"study {current.config['study']}"
    manifest.write_text(arguments.summary, summary + "\n")
    write_stamp(arguments.stamp, {"study": current.config["study"]})


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", required=True, help="the config, as JSON")
    parser.add_argument("--shown", required=True, help="the part of the config that the report shows, as JSON")
    parser.add_argument("--templates", required=True, type=Path, help="folder of the page's template")
    parser.add_argument("--html", required=True, type=Path, help="the page to write")
    parser.add_argument("--summary", required=True, type=Path, help="the text for the terminal")
    parser.add_argument("--stamp", required=True, type=Path, help="the stamp to write, last")
    entry_point(parser, run)
