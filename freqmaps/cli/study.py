"""Commands about a study: plan, why, gc, digest, config, rulegraph."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from freqmaps.cli._common import Commands, add, read_study
from freqmaps.core.errors import FreqmapsError, nearest

DECIDES_NUMBERS = False


def add_commands(commands: Commands) -> None:
    """Add this module's commands."""
    _add_plan(commands)
    why = add(commands, "why", _why, "say what is due for a target, and which field of which spec changed", config=True)
    why.add_argument("target", nargs="?", default="all", help="an item (B25-T1), a paper (b25), all, or a path")
    gc = add(commands, "gc", _gc, "list results that no given study refers to", config=True)
    gc.add_argument("--study", action="append", default=[], nargs="+", type=Path, metavar="FILE",
                    help="another study whose results stay (its overlays); may be repeated")  # fmt: skip
    gc.add_argument("--others", action="store_true", help="also what other users made on a shared root")
    gc.add_argument("--delete", action="store_true", help="delete what is listed")
    digest = add(commands, "digest", _digest, "print the digest of a stage's code, or of files, and what decides it")
    digest.add_argument("of", nargs="+", metavar="STAGE|FILE", help="stages, or files of components")
    text = "after a refactoring: remake some results with the new code, and keep all keys if the numbers are the same"
    accept = add(commands, "accept", _accept, text, config=True)
    accept.add_argument("--why", required=True, help="what was changed, in a sentence: it is written down")
    accept.add_argument("--results", type=int, default=2, help="how many results to remake of each code that changed")
    accept.add_argument("--root", type=Path, help="the results root (default: the config's)")
    add(commands, "config", _config, "print the config reference (docs/config.md)")
    add(commands, "rulegraph", _rulegraph, "print the graph of stages (docs/rulegraph.md)", config=True)


def _add_plan(commands: Commands) -> None:
    text = "say how many jobs, GPU-hours, CPU-hours and bytes a study will take, and what is made already"
    plan = add(commands, "plan", _plan, text, config=True)
    plan.add_argument("overlays", nargs="*", type=Path, metavar="FILE", help="overlays on config.yaml")
    plan.add_argument("--device", choices=("cpu", "cuda", "mps"), help="where networks will run")
    plan.add_argument("--assume", action="append", default=[], metavar="DATASET=train:N,test:N,size:N",
                      help="a dataset that is not on this machine; also channels:N, classes:N")  # fmt: skip
    plan.add_argument("--csv", metavar="FILE", help="write the rows as CSV; '-' prints them")
    plan.add_argument("--json", metavar="FILE", help="write rows and single jobs as JSON; '-' prints them")


def _plan(options: argparse.Namespace) -> int:
    from freqmaps import plan
    from freqmaps.core.files import write_text
    from freqmaps.study.build import study
    from freqmaps.study.config import read_files

    config = read_files([Path("config.yaml"), *(p for group in options.configfile for p in group), *options.overlays])
    for text in options.assume:
        name, described = _assumed(text)
        config.setdefault("datasets", {})[name] = described
    resolved = study(config)
    estimate = plan.plan(resolved, device=options.device)
    writers = {"csv": plan.csv_text, "json": plan.json_text}
    for form, write in writers.items():
        target = getattr(options, form)
        if target not in (None, "-"):
            write_text(Path(target), write(estimate))
    printed = [write(estimate) for form, write in writers.items() if getattr(options, form) == "-"]
    print("".join(printed) or plan.text(estimate), end="")
    for sentence in resolved.warnings:
        print(f"Warning: {sentence}", file=sys.stderr)
    return 0


def _assumed(text: str) -> tuple[str, dict[str, object]]:
    """Read ``NAME=train:9469,test:3925,size:224``."""
    name, _, numbers = text.partition("=")
    try:
        described = {key: int(number) for key, number in (part.split(":") for part in numbers.split(","))}
    except ValueError as error:
        raise FreqmapsError(f"--assume {text}: expected DATASET=train:N,test:N,size:N") from error
    return name, {"kind": "freqmaps.plan.assumed:describe", **described}


def _why(options: argparse.Namespace) -> int:
    from freqmaps.study import why

    study = read_study(options.configfile)
    for line in why.explain(study, options.target):
        print(line)
    return 0


def _gc(options: argparse.Namespace) -> int:
    from freqmaps.results import gc

    studies = [read_study(options.configfile), *(read_study([overlay]) for overlay in options.study)]
    unreferenced = gc.unreferenced(studies)
    listed = [result for result in unreferenced if (result.mine or options.others) and not result.busy]
    for result in listed:
        state = "finished" if result.finished else "unfinished"
        print(f"{result.bytes / 1e6:10.2f} MB  {result.days:6.1f} days  {state:10s}  {result.folder}")
    total = sum(result.bytes for result in listed) / 1e6
    print(f"{len(listed)} results, {total:.2f} MB, that none of {len(studies)} studies refers to")
    if others := len(unreferenced) - len(listed):
        print(f"{others} more are other users' (--others lists them), or being made now")
    if options.delete:
        gc.delete(listed)
        print("deleted")
    elif listed:
        print("nothing deleted; add --delete to delete them")
    return 0


def _digest(options: argparse.Namespace) -> int:
    from freqmaps.provenance import code
    from freqmaps.stages import STAGES
    from freqmaps.study.graph import SCRIPTS

    files = [SCRIPTS / f"{name}.py" if name in STAGES else Path(name).resolve() for name in options.of]
    for file in files:
        if not file.is_file():
            raise FreqmapsError(f"{file}: neither a stage nor a file; {nearest(file.stem, STAGES)}")
    print(code.stage_digest(files))
    for deciding, names in code.deciding(files).items():
        print(f"  {deciding}: {', '.join(names)}")
    return 0


def _accept(options: argparse.Namespace) -> int:
    """Go through the stages in order: accepted inputs give the results after them their keys back."""
    from freqmaps.results import refactoring

    entries = 0
    while True:
        study = read_study(options.configfile)
        root = (options.root or study.root).expanduser()
        due = refactoring.changed(list(study.graph.nodes.values()), root)
        if not due:
            break
        first = [change for change in due if change.stage == due[0].stage]
        proofs = [refactoring.prove(change, root, results=max(1, options.results), why=options.why) for change in first]
        refactoring.declare(proofs)
        entries += len(proofs)
        for proof in proofs:
            remade = ", ".join(result["key"] for result in proof["evidence"]["remade"])
            print(
                f"{proof['stage']}: {proof['new']} gives the numbers of {proof['old']} (remade: {remade})", flush=True
            )
    print(f"{entries} declared" if entries else "no finished result differs in its code alone: nothing to accept")
    return 0


def _config(options: argparse.Namespace) -> int:
    from freqmaps.study.reference import markdown

    print(markdown(), end="")
    return 0


def _rulegraph(options: argparse.Namespace) -> int:
    from freqmaps.study.rulegraph import mermaid

    study = read_study(options.configfile)
    print("# The default study\n\nGenerated by `freqmaps rulegraph`; in brackets, the number of results.\n")
    print(f"```mermaid\n{mermaid(study)}```")
    return 0
