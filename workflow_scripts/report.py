"""Make the report of the current config, Table I in a few lines for the terminal, and the catalog beside them."""

import argparse
import json
from pathlib import Path

import pandas as pd

from freqmaps.job import entry_point
from freqmaps.provenance import manifest
from freqmaps.publish import Inputs
from freqmaps.publish.report import build_report, read_item, summary_lines
from freqmaps.results.page import write as write_catalog


def run(arguments: argparse.Namespace) -> None:
    """Read the items' files back, and the manifests of every result of the config, and fill the template."""
    shown, config = arguments.html.parent, json.loads(arguments.config)
    catalog = [shown / name for name in ("catalog.csv", "catalog.html")]
    manifest.clear_half_written(arguments.html, arguments.summary, *catalog)
    files = [[shown / file for file in item.split(",")] for item in arguments.items]
    items = [read_item(*paths, report=arguments.html) for paths in files]
    inputs = Inputs.from_folders([arguments.root / path for path in arguments.results])
    page = build_report(
        items, inputs, config,
        template=(arguments.templates / "report.html.j2").read_text(encoding="utf-8"),
        workflow=(arguments.templates / "workflow.md").read_text(encoding="utf-8"),
        origin=manifest.origin(),
        atlas=arguments.atlas,
    )  # fmt: skip
    manifest.write_text(arguments.html, page)
    table = shown / "tables" / "B25-T1.csv"
    has_table = any(item.id == "B25-T1" for item in items)
    summary = summary_lines(pd.read_csv(table)) if has_table else f"study {config['study']}"
    manifest.write_text(arguments.summary, summary + "\n")
    write_catalog(arguments.root, shown)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", required=True, help="the part of the config that the report shows, as JSON")
    parser.add_argument("--templates", required=True, type=Path, help="folder of the page's template")
    parser.add_argument("--html", required=True, type=Path, help="the page to write")
    parser.add_argument("--summary", required=True, type=Path, help="the text for the terminal")
    parser.add_argument("--items", nargs="*", default=[], help="each item's files, as tables/A.csv,tables/A.tex")
    parser.add_argument("--root", required=True, type=Path, help="the results root")
    parser.add_argument("--results", nargs="*", default=[], help="folders of all results, below the root")
    parser.add_argument("--atlas", action="store_true", help="atlas.html lies beside the page")
    entry_point(parser, run)
