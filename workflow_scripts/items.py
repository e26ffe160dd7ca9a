"""Make one item, a table or a figure, from the results that it reads."""

import argparse
import json
from pathlib import Path

from freqmaps.core import components
from freqmaps.job import entry_point
from freqmaps.provenance import manifest
from freqmaps.publish import Inputs, NothingToShow, Table, blank, write_figure, write_table


def run(arguments: argparse.Namespace) -> None:
    """Build the item and write its files to ``tables/`` or ``figures/``."""
    item = json.loads(arguments.item)
    inputs = Inputs.from_folders(list(dict.fromkeys(path.parent for path in arguments.inputs)))
    for result in inputs.results:
        manifest.check(result.folder)
    try:
        made = components.load("item", item["item"])(inputs, **item["parameters"])
    except NothingToShow as reason:
        made = blank(components.find("item", item["item"]).constants["KIND"], str(reason))
    folder = arguments.shown / ("tables" if isinstance(made, Table) else "figures")
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(made, Table):
        write_table(made, folder / f"{item['item']}.csv", folder / f"{item['item']}.tex", inputs.provenance())
    else:
        write_figure(made, folder / f"{item['item']}.svg", folder / f"{item['item']}.png", inputs.provenance())


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--item", required=True, help="item and parameters, as JSON")
    parser.add_argument("--shown", required=True, type=Path, help="where tables/ and figures/ lie")
    parser.add_argument(
        "--inputs", nargs="*", default=[], type=Path, help="manifests of the inputs; some items have none"
    )
    entry_point(parser, run)
