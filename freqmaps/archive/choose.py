"""Choose the results that an archive holds, by stage, names, keys or items, with all that they were made from."""

from __future__ import annotations

import collections
from collections.abc import Collection, Mapping, Sequence

from freqmaps.core.errors import FreqmapsError, nearest
from freqmaps.results.scan import Found, inputs, snapshots
from freqmaps.stages import places

DECIDES_NUMBERS = False


def choose(
    found: Sequence[Found],
    wanted: Mapping[str, Collection[str]],
    paths: Collection[str] | None = None,
    *,
    with_inputs: bool = True,
    with_snapshots: bool = False,
) -> tuple[list[Found], list[Found]]:
    """Return what was asked for, and what goes along because that was made from it.

    Parameters
    ----------
    found
        What lies under the root.
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
    whole = [one for one in found if one.manifest is not None]
    for name, values in wanted.items():
        known = {value for one in whole for value in [_value(one, name)] if value is not None}
        for value in values:
            if value not in known:
                raise FreqmapsError(f"no result has {name} '{value}'; {nearest(value, known)}")
    named = with_snapshots or bool(wanted.keys() & {"stage", "key"})
    chosen = [one for one in whole if _fits(one, wanted, paths) and (named or not _is_snapshot(one.path))]
    if not chosen:
        raise FreqmapsError("no finished result fits all that was asked for; see `freqmaps catalog`")
    missing = sorted(set(paths or ()) - {one.path for one in chosen})
    missing = [path for path in missing if with_snapshots or not _is_snapshot(path)]
    if missing and not wanted:
        raise FreqmapsError(f"{len(missing)} results are not finished, {missing[0]} first; run their target")
    along = _inputs_of(chosen, whole, with_snapshots=with_snapshots) if with_inputs else []
    for one in [*chosen, *along]:
        if not one.complete:
            raise FreqmapsError(f"{one.folder}: not whole; `freqmaps verify {one.root}` says what is wrong")
    return chosen, along


def left_out(
    found: Sequence[Found],
    wanted: Mapping[str, Collection[str]],
    paths: Collection[str] | None,
    taken: Sequence[Found],
) -> list[Found]:
    """Return the snapshots under the root that fit the choice, or that a result taken was made from, but stay here."""
    used = {key for one in taken if one.manifest is not None for key in snapshots(one.manifest["spec"])}
    there = {one.path for one in taken}
    return [
        one
        for one in found
        if one.complete and _is_snapshot(one.path) and one.path not in there
        and (one.key in used or _fits(one, wanted, paths))
    ]  # fmt: skip


def _fits(one: Found, wanted: Mapping[str, Collection[str]], paths: Collection[str] | None) -> bool:
    return (paths is None or one.path in paths) and all(_value(one, name) in v for name, v in wanted.items())


def _is_snapshot(path: str) -> bool:
    parsed = places.parse(path)
    return parsed is not None and parsed[0] == "snapshots"


def _value(one: Found, name: str) -> str | None:
    assert one.manifest is not None
    if name in ("stage", "key"):
        return str(one.manifest["stage"] if name == "stage" else one.key)
    value = one.manifest["spec"]["names"].get(name)
    return None if value is None else str(value)


def _inputs_of(chosen: Sequence[Found], whole: Sequence[Found], *, with_snapshots: bool) -> list[Found]:
    by_key = collections.defaultdict[str, list[Found]](list)
    for one in whole:
        by_key[one.key].append(one)
    taken = {one.path: one for one in chosen}
    waiting = list(chosen)
    while waiting:
        one = waiting.pop()
        assert one.manifest is not None
        leave = set() if with_snapshots else snapshots(one.manifest["spec"])
        for key in inputs(one.manifest["spec"]):
            if key in leave:
                continue
            if not by_key[key]:
                raise FreqmapsError(
                    f"{one.folder}: its input {key} is not under this root; run its target, or export without inputs"
                )
            new = [other for other in _same_place(by_key[key], one) if other.path not in taken]
            taken |= {other.path: other for other in new}
            waiting += new
    there = {one.path for one in chosen}
    return [one for path, one in sorted(taken.items()) if path not in there]


def _same_place(candidates: Sequence[Found], one: Found) -> Sequence[Found]:
    """Two names may hold one content (a dataset under two names): take the one whose names agree, else all."""
    if len(candidates) == 1 or one.manifest is None:
        return candidates
    names = one.manifest["spec"]["names"]
    agreeing = [c for c in candidates if c.manifest and _agree(c.manifest["spec"]["names"], names)]
    return agreeing or candidates


def _agree(some: Mapping[str, str], others: Mapping[str, str]) -> bool:
    shared = (some.keys() & others.keys()) - {"attack"}  # what is made of clean images stands behind every attack
    return all(some[name] == others[name] for name in shared)
