"""Data sets that lie in numbered files: which file belongs to which split, by the names that hubs give them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from freqmaps.core.errors import ConfigError, nearest
from freqmaps.datasets import _files

#: ``train-00000-of-00002.parquet``, ``test.parquet``, ``train/0000.parquet``, ``imagenet-val-000001.tar``
_WORD = re.compile(r"(?:^|[-_.])(train|training|test|testing|validation|valid|val)(?=$|[-_.\d])")
_MEANS = {"training": "train", "testing": "test", "valid": "validation", "val": "validation"}


def files_of(path: str, ending: str, where: str) -> list[Path]:
    """Return the files with an ending at a path, in order of name.

    Parameters
    ----------
    path
        One file; a folder, searched with what lies in it; or a repository in the cache of Hugging Face
        (``datasets--owner--name``), of which the current snapshot is searched.
    ending
        ``.parquet``, say.
    where
        The parameter that names the path, for messages.

    Raises
    ------
    ConfigError
        Nothing is there, or no such file.
    """
    folder = _snapshot(_files.expanded(path))
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise ConfigError(f"{where}: no such file or folder: '{folder}'; correct the path")
    found = sorted(p for p in folder.rglob(f"*{ending}") if not p.name.startswith(".") and p.is_file())
    if not found:
        raise ConfigError(f"{where}: '{folder}' holds no {ending} files; give the folder that holds them")
    return found


def _snapshot(folder: Path) -> Path:
    """Return the current snapshot of a repository in the cache of Hugging Face, and any other folder as it is."""
    snapshots = folder / "snapshots"
    if not snapshots.is_dir():
        return folder
    reference = folder / "refs" / "main"
    if reference.is_file() and (snapshots / reference.read_text().strip()).is_dir():
        return snapshots / reference.read_text().strip()
    there = sorted(p for p in snapshots.iterdir() if p.is_dir())
    if len(there) != 1:
        raise ConfigError(f"root: '{snapshots}' has {len(there)} snapshots and no current one; give the folder of one")
    return there[0]


def by_split(files: Sequence[Path], train: str, test: str | None, where: str) -> list[tuple[str, Path]]:
    """Return the files of the two splits, each with ``train`` or ``test``; or all with ``""`` where none names one.

    Parameters
    ----------
    files
        In order of name.
    train, test
        What the splits are called: the word in the names of files, or of folders. Without ``test``, images called
        ``test`` are taken, or else those called ``validation``.
    where
        The parameter that names the files, for messages.

    Raises
    ------
    ConfigError
        A split without files, or one whose files lie in several folders, as those of several configurations do.
    """
    names = [_split(file) for file in files]
    there = sorted({name for name in names if name})
    if not there:
        return [("", file) for file in files]
    wanted = {"train": train, "test": test or ("test" if "test" in there or "validation" not in there else "validation")}
    if there == [train] and test is None:
        return [("", file) for file, name in zip(files, names, strict=True) if name]
    for split, name in wanted.items():
        if name not in there:
            raise ConfigError(f"{where}: no files of a split '{name}', which is to be {split}; {nearest(name, there)}")
    found = []
    for split, name in wanted.items():
        chosen = [file for file, called in zip(files, names, strict=True) if called == name]
        folders = sorted({file.parent for file in chosen})
        if len(folders) > 1:
            raise ConfigError(
                f"{where}: files of '{name}' lie in '{folders[0]}' and in '{folders[1]}'; give the folder of one data set"
            )
        found += [(split, file) for file in chosen]
    return found


def _split(file: Path) -> str:
    """Return the split that a file's name means, or else its folder's; empty if neither says one.

    >>> _split(Path("data/train-00000-of-00002.parquet")), _split(Path("val/0000.parquet")), _split(Path("x.parquet"))
    ('train', 'validation', '')
    """
    for name in (file.stem, file.parent.name):
        match = _WORD.search(name.lower())
        if match:
            return _MEANS.get(match[1], match[1])
    return ""
