"""Make one item, a table or a figure, from the results that it reads, and stamp it with its key."""

import argparse
import json
from pathlib import Path

from freqmaps import components
from freqmaps.items import Inputs, Table, write_figure, write_table
from freqmaps.job import entry_point
from freqmaps.stamp import stamp_item


def run(arguments: argparse.Namespace) -> None:
    """Build the item and write its files below ``results/`` of the working directory."""
    item = json.loads(arguments.item)
    name = item["item"]
    inputs = Inputs.from_folders([path.parent for path in arguments.inputs])
    made = components.load("item", name)(inputs, **item["parameters"])
    shown = arguments.stamp.parent.parent
    if isinstance(made, Table):
        write_table(made, shown / "tables" / f"{name}.csv", shown / "tables" / f"{name}.tex")
    else:
        write_figure(made, shown / "figures" / f"{name}.svg", shown / "figures" / f"{name}.png")
    stamp_item(arguments.stamp, name, item["parameters"], inputs.paths(arguments.root), made.notes)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--item", required=True, help="item and parameters, as JSON")
    parser.add_argument("--root", required=True, type=Path, help="the results root")
    parser.add_argument("--stamp", required=True, type=Path, help="the stamp to write, last")
    parser.add_argument("--inputs", nargs="+", type=Path, help="manifests of the inputs")
    entry_point(parser, run)
