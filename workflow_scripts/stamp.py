"""Stamp an item or the report as the current one: remove what another config left, then write the stamp."""

import argparse
import json
from pathlib import Path

from freqmaps.job import entry_point
from freqmaps.stamp import write_stamp


def run(arguments: argparse.Namespace) -> None:
    """Write the stamp."""
    write_stamp(arguments.stamp, json.loads(arguments.content), arguments.removes)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--stamp", required=True, type=Path, help="the stamp to write, name.key")
    parser.add_argument("--content", required=True, help="what it says, as JSON")
    parser.add_argument("--removes", nargs="*", default=[], type=Path, help="files at the plain names")
    entry_point(parser, run)
