"""Which results belong to one setting: those that differ in their range of samples alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from freqmaps.core.errors import FreqmapsError

#: Inputs that all ranges of a setting share.
_SHARED = ("dataset", "checkpoint")
#: So many differences, and values of each, are named in a message.
_LISTED = 6


class FinishedResult(Protocol):
    """A finished result: its names, its folder and its manifest."""

    @property
    def names(self) -> Mapping[str, str]:
        """The names of its place."""
        ...

    @property
    def folder(self) -> Path:
        """Its keyed folder."""
        ...

    @property
    def manifest(self) -> Mapping[str, Any]:
        """The content of its manifest."""
        ...


def ranged_start(names: Mapping[str, str]) -> int:
    """Return where the range of a result starts, 0 without one.

    >>> ranged_start({"range": "test-1024-2048"})
    1024
    """
    return int(names.get("range", "0-0").split("-")[-2])


def split_of(result: FinishedResult) -> str | None:
    """Return the split whose samples a result is about, None where it is about no samples."""
    if "range" in result.names:
        return result.names["range"].split("-")[0]
    samples = result.manifest.get("spec", {}).get("parameters", {}).get("samples")
    return samples.get("split") if isinstance(samples, Mapping) else None


def refuse_mixed(
    results: Sequence[FinishedResult], scope: Sequence[FinishedResult], asked: str, *, parts: bool = False
) -> None:
    """Refuse to join results that differ in more than their range of samples.

    Parameters
    ----------
    results
        Results of one stage.
    scope
        All results that are known: what the inputs of those were made from is looked up among them.
    asked
        The names that were asked for, for the message.
    parts
        Whether the results are rows about samples, so that two of the same setting may be of some of the same.

    Raises
    ------
    FreqmapsError
        They differ; the message says in what.
    """
    known = {result.folder.name: result for result in scope}
    # Names that differ explain what else differs.
    apart = _apart([_named(result) for result in results]) or _apart(
        [dict(_settings_of(result, known)) for result in results]
    )
    if not apart and not parts:
        ranges: dict[str, set[str]] = {}
        for result in results:
            ranges.setdefault(result.names.get("range", ""), set()).add(result.folder.name)
        keys = next((sorted(values) for values in ranges.values() if len(values) > 1), [])
        apart = {"key": keys} if keys else {}
    if apart:
        differences = [f"{field} ({_some(values)})" for field, values in apart.items()]
        raise FreqmapsError(
            f"{asked}: fits results that differ in {_some(differences)}; name one of them, give key=..., or open "
            "one study with freqmaps.open(root, study=...)"
        )


def _apart(settings: Sequence[Mapping[str, str]]) -> dict[str, list[str]]:
    fields = dict.fromkeys(name for setting in settings for name in setting)
    values = {field: list(dict.fromkeys(setting.get(field, "none") for setting in settings)) for field in fields}
    return {field: distinct for field, distinct in values.items() if len(distinct) > 1}


def _some(texts: Sequence[str]) -> str:
    return ", ".join([*texts[:_LISTED], *([f"{len(texts) - _LISTED} more"] if len(texts) > _LISTED else [])])


def _named(result: FinishedResult) -> dict[str, str]:
    names = {name: value for name, value in result.names.items() if name != "range"}
    return names | ({"split": str(split_of(result))} if "range" in result.names else {})


def _settings_of(result: FinishedResult, known: Mapping[str, FinishedResult]) -> Iterator[tuple[str, str]]:
    """Yield name and value of what ranges of a setting have in common: parameters, code, inputs and their settings."""
    spec = result.manifest.get("spec", {})
    rest = {name: value for name, value in spec.items() if name not in ("stage", "names", "inputs")}
    if "range" in result.names or spec.get("stage") == "matrices":
        parameters = spec.get("parameters", {})
        rest["parameters"] = {name: value for name, value in parameters.items() if name != "samples"}
    yield from _flat(rest)
    for role, keys in spec.get("inputs", {}).items():
        first_key = keys if isinstance(keys, str) else next(iter(keys), "")  # several are ranges of one setting
        if role in _SHARED and spec.get("stage") != "matrices":
            yield f"inputs.{role}", json.dumps(keys)
        elif first_key in known:
            source = known[first_key]
            yield from ((f"inputs.{role}.{name}", value) for name, value in _named(source).items())
            yield from ((f"inputs.{role}.{name}", value) for name, value in _settings_of(source, known))


def _flat(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for name, part in value.items():
            yield from _flat(part, f"{place}.{name}" if place else str(name))
    else:
        yield place, json.dumps(value)
