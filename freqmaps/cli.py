"""The command line: why, gc, list, verify, summary, digest, config, rulegraph."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from freqmaps.errors import FreqmapsError

if TYPE_CHECKING:
    from freqmaps.study.build import Study

DECIDES_NUMBERS = False


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; errors are one sentence and exit status 1."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        sys.exit(given.run(given))
    except FreqmapsError as error:
        print(f"freqmaps: {error}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="freqmaps", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: object, text: str, *, config: bool = False) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        if config:
            command.add_argument(
                "--configfile", nargs="+", action="append", default=[], type=Path, metavar="FILE",
                help="overlays on config.yaml, as for snakemake",
            )  # fmt: skip
        return command

    why = add("why", _why, "say what is due for a target, and which field of which spec changed", config=True)
    why.add_argument("target", nargs="?", default="all", help="an item (B25-T1), a paper (b25), all, or a path")
    gc = add("gc", _gc, "list results that no given study refers to", config=True)
    gc.add_argument("--study", action="append", default=[], nargs="+", type=Path, metavar="FILE",
                    help="another study whose results stay (its overlays); may be repeated")  # fmt: skip
    gc.add_argument("--delete", action="store_true", help="delete what is listed")
    listing = add("list", _list, "list the finished results under a root")
    listing.add_argument("root", nargs="?", default="results")
    listing.add_argument("--stage", help="only this stage")
    verify = add("verify", _verify, "compare every file under a root with its recorded size and SHA-256")
    verify.add_argument("root", nargs="?", default="results")
    add("summary", _summary, "show Table I of the last run and where its report lies")
    digest = add("digest", _digest, "print a file's code digest, for freqmaps/equivalent.yaml")
    digest.add_argument("file", type=Path)
    add("config", _config, "print the config reference (docs/config.md)")
    add("rulegraph", _rulegraph, "print the graph of stages (docs/rulegraph.md)", config=True)
    return parser


def _study(overlays: Sequence[Sequence[Path]]) -> Study:
    from freqmaps.study.build import study
    from freqmaps.study.config import read_files

    return study(read_files([Path("config.yaml"), *(p for group in overlays for p in group)]))


def _why(given: argparse.Namespace) -> int:
    from freqmaps.study import why

    study = _study(given.configfile)
    for line in why.explain(study, given.target):
        print(line)
    return 0


def _gc(given: argparse.Namespace) -> int:
    from freqmaps.study import gc

    studies = [_study(given.configfile), *(_study([overlay]) for overlay in given.study)]
    found = gc.unreferenced(studies)
    for one in found:
        state = "finished" if one.finished else "unfinished"
        print(f"{one.bytes / 1e6:10.2f} MB  {one.days:6.1f} days  {state:10s}  {one.folder}")
    total = sum(g.bytes for g in found) / 1e6
    print(f"{len(found)} results, {total:.2f} MB, that none of {len(studies)} studies refers to")
    if given.delete:
        gc.delete(found)
        print("deleted")
    elif found:
        print("nothing deleted; add --delete to delete them")
    return 0


def _list(given: argparse.Namespace) -> int:
    from freqmaps.catalog import Results

    print(Results(given.root).list(given.stage).to_string(index=False))
    return 0


def _verify(given: argparse.Namespace) -> int:
    from freqmaps.catalog import Results

    results = Results(given.root)
    problems = results.problems()
    for problem in problems:
        print(problem)
    print(f"{results!r}: {len(problems)} problems")
    return 1 if problems else 0


def _summary(given: argparse.Namespace) -> int:
    summary, report = Path("results/.current/summary.txt"), Path("results/report.html")
    if not (summary.exists() and report.exists()):
        raise FreqmapsError("no report yet; run `make run`")
    print(summary.read_text(encoding="utf-8"))
    print(f"Report: {report.resolve()}")
    return 0


def _digest(given: argparse.Namespace) -> int:
    from freqmaps.study.code import module_digest

    print(module_digest(given.file.resolve()))
    return 0


def _config(given: argparse.Namespace) -> int:
    from freqmaps.study.reference import markdown

    print(markdown(), end="")
    return 0


def _rulegraph(given: argparse.Namespace) -> int:
    from freqmaps.study.rulegraph import mermaid

    study = _study(given.configfile)
    print("# The default study\n\nGenerated by `freqmaps rulegraph`; in brackets, the number of jobs.\n")
    print(f"```mermaid\n{mermaid(study)}```")
    return 0


if __name__ == "__main__":
    main()
