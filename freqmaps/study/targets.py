"""Words that Snakemake takes for targets: which of them a study cannot make, and what to do instead.

Snakemake calls a mistyped target a file that no rule makes. Here it is one sentence before anything is planned.
"""

from __future__ import annotations

import contextlib
import difflib
import io
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from freqmaps.core import components
from freqmaps.core.errors import ConfigError
from freqmaps.study.build import Study

DECIDES_NUMBERS = False

#: Every keyed result of a study; the one target that lays nothing.
STORES = "stores"


def named(arguments: Sequence[str]) -> list[str]:
    """Return the words of a command line that Snakemake takes for rules or files, by its own parser.

    Parameters
    ----------
    arguments
        The command line, with the program's name first.

    Returns
    -------
    list of str
        Its targets, and what ``--until``, ``--omit-from``, ``--forcerun`` and ``--prioritize`` name. Nothing if the
        line is not one of Snakemake's: another program, or one that the parser refuses.
    """
    program = Path(arguments[0]) if arguments else Path()
    if "snakemake" not in (program.stem, program.parent.name):
        return []
    from snakemake.cli import get_argument_parser

    try:
        with contextlib.redirect_stderr(io.StringIO()):
            found, _ = get_argument_parser().parse_known_args(list(arguments[1:]))
    except SystemExit:
        return []
    kinds = ("targets", "until", "omit_from", "forcerun", "prioritize")
    return [str(word) for kind in kinds for word in getattr(found, kind, None) or ()]


def check(study: Study, shown: Path, words: Iterable[str], is_rule: Callable[[str], bool]) -> None:
    """Refuse the first word that is neither a rule nor a file.

    Parameters
    ----------
    study
        The config, resolved.
    shown
        The folder of the plain names.
    words
        What Snakemake takes for rules or files, from :func:`named`.
    is_rule
        Whether a word is the name of a rule.

    Raises
    ------
    ConfigError
        The config lists no such item, page, or item of such a paper; the word is a plain name, which is a copy and no
        target; or it is no target of the package at all, with the nearest ones.
    """
    for word in words:
        if not (is_rule(word) or Path(word).exists()):
            sentence = _sentence(study, shown, word)
            if sentence:
                raise ConfigError(sentence)


def _sentence(study: Study, shown: Path, word: str) -> str | None:
    plain = {os.path.normpath(shown / file): name for name in study.published for file in study.laid(name).values()}
    laid_by = plain.get(os.path.normpath(word))
    if laid_by:
        return f"target '{word}' is a copy, which '{laid_by}' lays: give '{laid_by}' as the target"
    if os.sep in word:
        return None  # a result's file, which Snakemake knows
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
