"""Choose the results that an archive holds, by stage, names, keys or items, with all that they were made from."""

from __future__ import annotations

import collections
from collections.abc import Collection, Mapping, Sequence

from freqmaps.core.errors import FreqmapsError, nearest
from freqmaps.results.scan import KeyedFolder, inputs, snapshots
from freqmaps.stages import places

DECIDES_NUMBERS = False


def choose(
    results: Sequence[KeyedFolder],
    wanted: Mapping[str, Collection[str]],
    paths: Collection[str] | None = None,
    *,
    with_inputs: bool = True,
    with_snapshots: bool = False,
) -> tuple[list[KeyedFolder], list[KeyedFolder]]:
    """Return the results that were asked for, and the inputs that go along because those were made from them.

    Parameters
    ----------
    results
        All keyed folders under the root.
    wanted
        By ``stage``, ``key``, or a name of the path (``dataset``, ``attack``, ...): the values that fit. A result that
        has no such name (a dataset store has no ``attack``) does not fit.
    paths
        Only results at these paths below the root: those of an item, or of a study.
    with_inputs
        Also return inputs, and theirs, down to the dataset.
    with_snapshots
        Also return snapshots of trainings, many as they are, which else must be asked for by stage or key.

    Raises
    ------
    FreqmapsError
        Nothing fits (with the nearest valid name), a result is damaged, or an input is not under the root.
    """
    whole = [result for result in results if result.manifest is not None]
    for name, values in wanted.items():
        known = {value for result in whole for value in [_value(result, name)] if value is not None}
        for value in values:
            if value not in known:
                raise FreqmapsError(f"no result has {name} '{value}'; {nearest(value, known)}")
    named = with_snapshots or bool(wanted.keys() & {"stage", "key"})
    chosen = [result for result in whole if _fits(result, wanted, paths) and (named or not _is_snapshot(result.path))]
    if not chosen:
        raise FreqmapsError("no finished result fits all that was asked for; see `freqmaps catalog`")
    missing = sorted(set(paths or ()) - {result.path for result in chosen})
    missing = [path for path in missing if with_snapshots or not _is_snapshot(path)]
    if missing and not wanted:
        raise FreqmapsError(f"{len(missing)} results are not finished, {missing[0]} first; run their target")
    along = _inputs_of(chosen, whole, with_snapshots=with_snapshots) if with_inputs else []
    for result in [*chosen, *along]:
        if not result.complete:
            raise FreqmapsError(f"{result.folder}: not whole; `freqmaps verify {result.root}` says what is wrong")
    return chosen, along


def left_out(
    results: Sequence[KeyedFolder],
    wanted: Mapping[str, Collection[str]],
    paths: Collection[str] | None,
    taken: Sequence[KeyedFolder],
) -> list[KeyedFolder]:
    """Return the snapshots under the root that fit the choice, or that a result taken was made from, but stay here."""
    used = {key for result in taken if result.manifest is not None for key in snapshots(result.manifest["spec"])}
    taken_paths = {result.path for result in taken}
    return [
        result
        for result in results
        if result.complete and _is_snapshot(result.path) and result.path not in taken_paths
        and (result.key in used or _fits(result, wanted, paths))
    ]  # fmt: skip


def _fits(result: KeyedFolder, wanted: Mapping[str, Collection[str]], paths: Collection[str] | None) -> bool:
    return (paths is None or result.path in paths) and all(
        _value(result, name) in values for name, values in wanted.items()
    )


def _is_snapshot(path: str) -> bool:
    parsed = places.parse(path)
    return parsed is not None and parsed[0] == "snapshots"


def _value(result: KeyedFolder, name: str) -> str | None:
    assert result.manifest is not None
    if name in ("stage", "key"):
        return str(result.manifest["stage"] if name == "stage" else result.key)
    value = result.manifest["spec"]["names"].get(name)
    return None if value is None else str(value)


def _inputs_of(
    chosen: Sequence[KeyedFolder], whole: Sequence[KeyedFolder], *, with_snapshots: bool
) -> list[KeyedFolder]:
    by_key = collections.defaultdict[str, list[KeyedFolder]](list)
    for result in whole:
        by_key[result.key].append(result)
    taken = {result.path: result for result in chosen}
    waiting = list(chosen)
    while waiting:
        result = waiting.pop()
        assert result.manifest is not None
        skipped = set() if with_snapshots else snapshots(result.manifest["spec"])
        for key in inputs(result.manifest["spec"]):
            if key in skipped:
                continue
            if not by_key[key]:
                raise FreqmapsError(
                    f"{result.folder}: its input {key} is not under this root; run its target, or export without inputs"
                )
            new = [other for other in _same_place(by_key[key], result) if other.path not in taken]
            taken |= {other.path: other for other in new}
            waiting += new
    chosen_paths = {result.path for result in chosen}
    return [result for path, result in sorted(taken.items()) if path not in chosen_paths]


def _same_place(candidates: Sequence[KeyedFolder], result: KeyedFolder) -> Sequence[KeyedFolder]:
    """Two names may hold one content (a dataset under two names): take the one whose names agree, else all."""
    if len(candidates) == 1 or result.manifest is None:
        return candidates
    names = result.manifest["spec"]["names"]
    agreeing = [c for c in candidates if c.manifest and _agree(c.manifest["spec"]["names"], names)]
    return agreeing or candidates


def _agree(some: Mapping[str, str], others: Mapping[str, str]) -> bool:
    shared = (some.keys() & others.keys()) - {"attack"}  # what is made of clean images stands behind every attack
    return all(some[name] == others[name] for name in shared)
