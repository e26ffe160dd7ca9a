"""Commands about archives: export, import."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from pathlib import Path

from freqmaps.archive import Import, choose, left_out, write
from freqmaps.archive.unpack import HERE, NEW, OTHER
from freqmaps.cli._common import Commands, add, read_study
from freqmaps.core.errors import FreqmapsError, nearest
from freqmaps.results.scan import KeyedFolder, scan
from freqmaps.stages import places

DECIDES_NUMBERS = False

_CHOICES = ("stage", *places.all_fields(), "key")


def add_commands(commands: Commands) -> None:
    """Add this module's commands."""
    text = "write chosen results, with everything that they were made from, to one archive"
    export = add(commands, "export", _export, text, config=True)
    export.add_argument("archive", type=Path, help="the file to write, say ours.zip")
    export.add_argument("--root", type=Path, help="the results root (default: the config's, or results)")
    export.add_argument("--items", nargs="+", default=[], metavar="ITEM", help="these items and their inputs")
    export.add_argument("--study", action="store_true", help="only results of config.yaml (and its overlays)")
    for name in _CHOICES:
        export.add_argument(f"--{name}", nargs="+", metavar=name.upper(), help=f"only results of this {name}")
    export.add_argument("--all", action="store_true", help="everything under the root")
    export.add_argument("--without-inputs", action="store_true", help="leave out what the chosen ones were made from")
    export.add_argument("--with-snapshots", action="store_true", help="take the weights of snapshots along, too")
    export.add_argument("--dry-run", "-n", action="store_true", help="list what would be exported")
    load = add(commands, "import", _import, "check an archive and move its results into a results root")
    load.add_argument("archive", type=Path)
    load.add_argument("root", type=Path, help="the results root; made if there is none")
    load.add_argument("--dry-run", "-n", action="store_true", help="check names, keys and checksums, change nothing")


def _export(options: argparse.Namespace) -> int:
    wanted = {name: set(values) for name in _CHOICES if (values := getattr(options, name))}
    of_study = options.study or options.items or options.configfile
    if not (wanted or of_study or options.all):
        raise FreqmapsError("say what to export: --items, --study, --stage, --dataset, ..., or --all")
    root, paths = options.root, None
    if of_study:
        study = read_study(options.configfile)
        root = root or study.root
        paths = _paths(study, options.items)
    results = scan((root or Path("results")).expanduser())
    chosen, along = choose(
        results, wanted, paths, with_inputs=not options.without_inputs, with_snapshots=options.with_snapshots
    )
    summary = f"{len(chosen)} results and {len(along)} that they were made from, {_megabytes([*chosen, *along])}"
    stay = left_out(results, wanted, paths, [*chosen, *along])
    if stay:
        print(
            f"{len(stay)} snapshots of trainings stay here, {_megabytes(stay)} of weights: what was made of them needs "
            "them no more, and one run of their training makes them again; --with-snapshots takes them along"
        )
    if options.dry_run:
        for result in sorted((*chosen, *along), key=lambda result: result.path):
            print(result.path)
        print(f"{summary}: nothing was written")
        return 0
    write(options.archive, chosen, along)
    print(f"{summary}: {options.archive}")
    return 0


def _megabytes(results: Collection[KeyedFolder]) -> str:
    return f"{sum(result.sizes[name] for result in results for name in (result.manifest or {})['files']) / 1e6:.1f} MB"


def _paths(study: object, items: Collection[str]) -> set[str]:
    from freqmaps.study.build import Study

    assert isinstance(study, Study)
    for item in items:
        if item not in study.items:
            raise FreqmapsError(f"the config lists no item '{item}'; {nearest(item, study.items)}")
    if not items:
        return set(study.graph.nodes)
    return {node.path for item in items for node in (study.items[item].node, *study.items[item].inputs)}


def _import(options: argparse.Namespace) -> int:
    counts = Import(options.archive, options.root.expanduser()).run(dry=options.dry_run)
    verb = "would be imported" if options.dry_run else "imported"
    clauses = [f"{counts[NEW]} results {verb}"]
    clauses += [f"{counts[state]} {state}" for state in (HERE, OTHER) if counts[state]]
    if counts["missing inputs"]:
        clauses.append(f"{counts['missing inputs']} of their inputs are not under this root and will be made again")
    if counts["missing snapshots"]:
        clauses.append(
            f"{counts['missing snapshots']} snapshots of trainings that some were made of are not under this root, and "
            "will be made again where they are needed"
        )
    print(f"{options.root}: {'; '.join(clauses)}")
    return 0
