"""Checks of the targets on Snakemake's command line: one sentence for each that the study cannot make.

Snakemake calls a mistyped target a file that no rule makes. Here it is one sentence before anything is planned.
"""

from __future__ import annotations

import contextlib
import difflib
import io
import itertools
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from freqmaps.core import components
from freqmaps.core.errors import ConfigError
from freqmaps.provenance import manifest
from freqmaps.study.build import Study

DECIDES_NUMBERS = False

#: Every keyed result of a study; the one target that lays nothing.
STORES = "stores"


class Command(NamedTuple):
    """What a command line asks Snakemake for.

    Attributes
    ----------
    words
        Its targets, and what ``--until``, ``--omit-from``, ``--forcerun`` and ``--prioritize`` name.
    executor
        Who runs the jobs, of the line or its profiles: ``slurm``, ``local``; empty if nothing says.
    dry
        Whether nothing is to be run.
    """

    words: tuple[str, ...] = ()
    executor: str = ""
    dry: bool = False


def command(arguments: Sequence[str]) -> Command:
    """Read a command line as Snakemake does, by its own parser: it does not tell its rules what it was asked for.

    Parameters
    ----------
    arguments
        The command line, with the program's name first.

    Returns
    -------
    Command
        An empty one if the line is not one of Snakemake's: another program, or one that the parser refuses.
    """
    program = Path(arguments[0]) if arguments else Path()
    if "snakemake" not in (program.stem, program.parent.name):
        return Command()
    from snakemake.cli import parse_args

    try:
        with contextlib.redirect_stderr(io.StringIO()):
            _, asked = parse_args(list(arguments[1:]))
    except (Exception, SystemExit):  # what is amiss, Snakemake has said
        return Command()
    kinds = ("targets", "until", "omit_from", "forcerun", "prioritize")
    words = tuple(word for kind in kinds for word in sorted(map(str, getattr(asked, kind, None) or ())))
    return Command(words, str(getattr(asked, "executor", "") or ""), bool(getattr(asked, "dryrun", False)))


def allowed(arguments: Sequence[str]) -> frozenset[str] | None:
    """Return the rules that Snakemake may use in a job: of a cluster's job those of that job alone.

    Parameters
    ----------
    arguments
        The command line, with the program's name first.

    Returns
    -------
    frozenset of str or None
        What follows ``--allowed-rules``; None if the line says nothing of it, so that all rules count.
    """
    if "--allowed-rules" not in arguments:
        return None
    after = arguments[arguments.index("--allowed-rules") + 1 :]
    return frozenset(itertools.takewhile(lambda word: not word.startswith("-"), after)) or None


def check(study: Study, shown: Path, words: Iterable[str], is_rule: Callable[[str], bool]) -> None:
    """Refuse the first word that is neither a rule nor a file.

    Parameters
    ----------
    study
        The config, resolved.
    shown
        The folder of the plain names.
    words
        What Snakemake takes for rules or files, from :func:`command`.
    is_rule
        Whether a word is the name of a rule.

    Raises
    ------
    ConfigError
        The config lists no such item, page, or item of such a paper; the word is a plain name, which is a copy and no
        target, or the path of something that no job makes; or it is no target of the package at all, with the nearest
        ones.
    """
    for word in words:
        if not is_rule(word):
            sentence = _sentence(study, shown, word)
            if sentence:
                raise ConfigError(sentence)


def _sentence(study: Study, shown: Path, word: str) -> str | None:
    plain = {os.path.normpath(shown / file): name for name in study.published for file in study.laid(name).values()}
    laid_by = plain.get(os.path.normpath(word))
    if laid_by:
        return f"target '{word}' is a copy, which '{laid_by}' lays: give '{laid_by}' as the target"
    if os.sep in word:
        return None if study.remote else _not_made(study, word)
    if Path(word).exists():
        return None
    of_papers: dict[str, list[str]] = {}
    for item in components.names("item"):
        of_papers.setdefault(item.split("-")[0].lower(), []).append(item)
    if word in of_papers:
        return (
            f"the config lists no item of {word.upper()}: add some to 'items' ({', '.join(of_papers[word])}), with "
            "runs that make what they read (docs/config.md)"
        )
    if word in set(components.names("item")):
        return (
            f"the config lists no item '{word}': add it to 'items', with a run that makes what it reads "
            "(docs/config.md)"
        )
    if word == "atlas":
        return "the study has no atlas: set 'atlas.samples' above 0, and have a run that makes maps (docs/atlas.md)"
    return _unknown(word, study.targets(), of_papers)


def _not_made(study: Study, word: str) -> str | None:
    """Say what to ask for instead of a path that no job makes; None if one does."""
    nodes = (*study.graph.nodes.values(), *study.published.values())
    by_place = {_place(study.root / node.path): f"{study.root / node.path}/{manifest.NAME}" for node in nodes}
    if word in by_place.values():
        return None
    place = _place(word)
    wanted = by_place.get(place) or by_place.get(place.parent)
    if wanted:
        return f"target '{word}' is of a result of this config: give its manifest, '{wanted}'"
    if place.exists() and not place.is_relative_to(_place(study.root)):
        return None  # a file of the user's, which Snakemake finds as it is
    return (
        f"no job of this config makes '{word}': give a target (all, {STORES}, an item) or a file that "
        f"`snakemake -n {STORES}` lists; another key belongs to another config or to other code"
    )


def _place(path: str | Path) -> Path:
    """Return an absolute path without ``..``; links stay as they are, as for Snakemake."""
    return Path(os.path.normpath(path)).absolute()


def _unknown(word: str, own: Iterable[str], of_papers: dict[str, list[str]]) -> str:
    """Say that a word is no target, and which ones are near it, or which there are."""
    own = [*own, STORES]
    known = {t.lower(): t for t in (*own, *of_papers, *(item for items in of_papers.values() for item in items))}
    if word.lower() in known:
        near = [known[word.lower()]]
    else:
        near = [known[t] for t in difflib.get_close_matches(word.lower(), known, n=3, cutoff=0.5)]
    if near:
        return f"no target '{word}': did you mean {' or '.join(map(repr, near))}?"
    return f"no target '{word}'; targets of this study: {', '.join(own)}, or a result's path"
