"""Lay tables, figures and pages of the current config at their plain names."""

import argparse
import json
from pathlib import Path

from freqmaps.job import entry_point
from freqmaps.study.shown import lay


def run(arguments: argparse.Namespace) -> None:
    """Copy what is not current."""
    lay(arguments.root, arguments.shown, arguments.results)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", required=True, type=Path, help="the results root, or the copies fetched from it")
    parser.add_argument("--shown", required=True, type=Path, help="where tables/ and figures/ lie")
    parser.add_argument("--results", required=True, type=json.loads, help="name, path and plain names of each, as JSON")
    parser.add_argument("--logs", nargs="*", default=[], type=Path, help="not used: what is amiss is printed")
    entry_point(parser, run)
