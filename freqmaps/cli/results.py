"""Commands about a results root: list, catalog, verify, claims, summary."""

from __future__ import annotations

import argparse
from pathlib import Path

from freqmaps.cli._common import Commands, add, configured_root
from freqmaps.core.errors import FreqmapsError

DECIDES_NUMBERS = False


def add_commands(commands: Commands) -> None:
    """Add this module's commands."""
    listing = add(commands, "list", _list, "list the finished results under a root")
    listing.add_argument("root", nargs="?", default="results")
    listing.add_argument("--stage", help="only this stage")
    listing.add_argument("--step", help="what is made of the snapshot of a training after this step; 'all': of all")
    catalog = add(
        commands, "catalog", _catalog,
        "write a catalog of everything under a root: catalog.csv, and catalog.html to search and sort", config=True,
    )  # fmt: skip
    catalog.add_argument("--root", type=Path, help="the results root (default: the config's)")
    catalog.add_argument("--csv", metavar="FILE", help="write only this table; '-' prints it")
    catalog.add_argument("--to", type=Path, default=Path("results"), help="folder for catalog.csv and catalog.html")
    catalog.add_argument("--if-any", action="store_true",
                         help="say nothing and do nothing where there is no root on this machine")  # fmt: skip
    verify = add(commands, "verify", _verify, "check everything under a root: one sentence per problem")
    verify.add_argument("root", nargs="?", type=Path, default=Path("results"))
    verify.add_argument("--quick", action="store_true", help="names, keys, sizes and provenance; open no file")
    verify.add_argument("--allow-missing-inputs", action="store_true",
                        help="only count inputs that are not under the root")  # fmt: skip
    claims = add(commands, "claims", _claims, "show what papers claim and what each study found, side by side")
    claims.add_argument("roots", nargs="*", type=Path, default=[Path("results")], metavar="ROOT",
                        help="results roots; each study that has a report under one is a column")  # fmt: skip
    claims.add_argument("--csv", metavar="FILE", help="write the table, whole claims and all; '-' prints it")
    add(commands, "summary", _summary, "show Table I of the last run and where its report lies")


def _list(options: argparse.Namespace) -> int:
    from freqmaps.results.notebook import open_results
    from freqmaps.results.reader import EVERY_STEP

    names = {} if options.step is None else {"step": EVERY_STEP if options.step == "all" else options.step}
    print(open_results(options.root).list(options.stage, **names).to_string(index=False))
    return 0


def _catalog(options: argparse.Namespace) -> int:
    from freqmaps.core.files import write_text
    from freqmaps.results import page, rows, scan

    root = options.root or configured_root(options.configfile)
    if options.if_any and not root.expanduser().is_dir():
        return 0
    if options.csv is None:
        count = page.write(root, options.to)
        if not options.if_any:
            print(f"{count} results under {root}: {options.to / 'catalog.html'}, {options.to / 'catalog.csv'}")
        return 0
    text = page.csv_text(rows.rows(scan(root)))
    if options.csv == "-":
        print(text, end="")
    else:
        write_text(Path(options.csv), text)
    return 0


def _verify(options: argparse.Namespace) -> int:
    from freqmaps.results.verify import Verifier

    verifier = Verifier(
        options.root.expanduser(), content=not options.quick, need_inputs=not options.allow_missing_inputs
    )
    count = 0
    for problem in verifier.problems():
        print(problem, flush=True)
        count += 1
    print(verifier.summary(count))
    return 1 if count else 0


def _claims(options: argparse.Namespace) -> int:
    from freqmaps.core.files import write_text
    from freqmaps.publish.ledger import in_columns, ledgers, side_by_side

    table = side_by_side(ledgers([root.expanduser() for root in options.roots]))
    if options.csv is None:
        print(in_columns(table))
    elif options.csv == "-":
        print(table.to_csv(index=False), end="")
    else:
        write_text(Path(options.csv), table.to_csv(index=False, lineterminator="\n"))
    return 0


def _summary(options: argparse.Namespace) -> int:
    summary, report = Path("results/summary.txt"), Path("results/report.html")
    if not (summary.exists() and report.exists()):
        raise FreqmapsError("no report yet; run `make run`")
    print(summary.read_text(encoding="utf-8"))
    print(f"Report: {report.resolve()}")
    return 0
