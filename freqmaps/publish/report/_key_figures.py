"""The figures that tell at a glance what was computed, read from the stores and the manifests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from freqmaps.core.images import called
from freqmaps.inference.decomposition import Decomposition
from freqmaps.inference.proportions import ZERO, wilson
from freqmaps.publish.api import Column, Table, formatted
from freqmaps.publish.numbers import number
from freqmaps.publish.pairings import cases, kinds, rows
from freqmaps.publish.parts import NAMES, decomposition, in_percent, ranking
from freqmaps.publish.tables import NAN
from freqmaps.results.reader import Inputs, Result

#: Maps read of each range to find the share of zeros: all of a small study, a sample of a large one.
MAPS_READ = 256

_ATTACK_COLUMNS = (
    Column("success", "share", "Success, %", ".1f", scale=100),
    Column("low", "from", "Success, %", ".1f", scale=100),
    Column("high", "to", "Success, %", ".1f", scale=100),
    Column("n", "attacked", "Images", "d"),
    Column("n_correct", "correct", "Images", "d"),
    Column("linf", "ℓ∞", "Median norm", ".4f"),
    Column("l2", "ℓ2", "Median norm", ".3f"),
)
_MAP_COLUMNS = (
    Column("n", "Maps", "", "d"),
    Column("converged", "converged", "Share, %", ".1f", scale=100),
    Column("keeps", "keep the prediction", "Share, %", ".1f", scale=100),
    Column("zeros", "entries at 0", "Share, %", ".1f", scale=100),
    Column("steps", "Median steps", "", "d"),
)


def cards(inputs: Inputs) -> list[tuple[str, str, str]]:
    """Return value, label and detail of the figures at the top: images, accuracy, attacks, maps, what they share."""
    figures = []
    for result in inputs.select("datasets"):
        name = result.names["dataset"]
        split = inputs.dataset(name, variables=["split"])
        counts = Counter(split["split"].values.tolist())
        detail = ", ".join(f"{count} {key}" for key, count in sorted(counts.items(), reverse=True))
        figures.append(
            (f"{split.sizes['sample']:,}", f"images in {name}", f"{detail}; {len(split.attrs['classes'])} classes")
        )
    figures += _accuracy_cards(inputs)
    attacks = {r.names["attack"] for r in inputs.select("attacks")}
    if attacks:
        figures.append((str(len(attacks)), "attacks" if len(attacks) > 1 else "attack", ", ".join(sorted(attacks))))
    return [*figures, *_maps_card(inputs), *_parts_card(inputs)]


def _accuracy_cards(inputs: Inputs) -> list[tuple[str, str, str]]:
    """Return a card per model and training: the test accuracy, the mean over its seeds where there are several."""
    seeds: dict[tuple[str, ...], dict[str, float]] = {}
    for result in inputs.select("training"):
        accuracy = _accuracy(result)
        if accuracy is not None:
            names = tuple(result.names.get(k, "") for k in ("dataset", "model", "training"))
            seeds.setdefault(names, {})[result.names.get("seed", "")] = accuracy
    cards = []
    for (dataset, model, training), values in seeds.items():
        detail = f"seed {next(iter(values))}"
        if len(values) > 1:
            detail = f"mean of {len(values)} seeds, s.d. {100 * np.std(list(values.values()), ddof=1):.2f}"
        place = f"dataset {dataset}, training {training}, {detail}"
        cards.append((f"{100 * _mean(list(values.values())):.2f} %", f"test accuracy of {model}", place))
    return cards


def _maps_card(inputs: Inputs) -> list[tuple[str, str, str]]:
    keys = ["converged", "keeps_prediction"]
    stores = [chosen.maps(variables=keys, **names) for names, _, chosen in _settings(inputs, "maps")]
    if not stores:
        return []
    flags = {key: np.concatenate([store[key].values for store in stores]) for key in keys}
    kept = formatted(_mean(flags["keeps_prediction"]), ".1f", 100)
    detail = f"{formatted(_mean(flags['converged']), '.1f', 100)} % converged, {kept} % keep the prediction"
    return [(f"{len(flags['converged']):,}", "frequency maps", detail)]


def _parts_card(inputs: Inputs) -> list[tuple[str, str, str]]:
    """Return a card on what the matched cosine is made of, for the first setting with most controls."""
    paired = inputs.select("correlation") if kinds(inputs) else []
    computed = any((r.component("metric") or ("",))[0] == "cosine" for r in paired)
    by_setting = cases(rows(inputs, ("cosine",), None)) if computed else {}
    chosen = max(by_setting.values(), key=len, default={})
    parts = decomposition(inputs, chosen)
    if (
        parts is None
        or "image" not in parts.parts
        or parts.parts["image"].share.value != parts.parts["image"].share.value
    ):
        return []
    share = parts.parts["image"].share.value
    label = f"of the cosine of maps matched by image is left for the image ({chosen['matched']['attack']})"
    return [(f"{number(round(100 * share), 'd')} %", label, _sentence(parts))]


def _sentence(parts: Decomposition) -> str:
    """Write the shares with their intervals, and which is the largest, in one sentence."""
    shares = [f"{NAMES[name]} {in_percent(part.share)}" for name, part in parts.parts.items()]
    return f"Of the matched cosine {parts.whole.value:.3f}: {', '.join(shares)}; {ranking(parts)}."


def attack_table(inputs: Inputs) -> Table | None:
    """Return one row per attacked model and attack: success on correctly classified images, and median norms."""
    rows = []
    for names, split, chosen in _settings(inputs, "attacks"):
        store = chosen.adversarial(
            variables=["label", "prediction", "adversarial_prediction", "success", "linf", "l2"], **names
        )
        correct = store["prediction"].values == store["label"].values
        success = correct & store["success"].values
        hits, n = int(success.sum()), int(correct.sum())
        low, high = wilson(hits, n)
        row = {"n": store.sizes["sample"], "n_correct": n, "success": hits / n if n else NAN, "low": low, "high": high}
        row |= {norm: _median(store[norm].values[success]) for norm in ("linf", "l2")}
        rows.append(names | {"split": split} | row)
    notes = [
        "Success counts images that were classified correctly and, attacked, are seen as another class, with the 95 % "
        "Wilson interval of the share. Norms of the perturbation: over the successes, images in [0, 1]."
    ]
    return _table(rows, _ATTACK_COLUMNS, notes)


def map_table(inputs: Inputs) -> Table | None:
    """Return one row per set of maps: how many, converged, keeping the prediction, zeros, steps."""
    rows, partial = [], False
    for names, split, chosen in _settings(inputs, "maps"):
        store = chosen.maps(variables=["converged", "keeps_prediction", "steps"], **names)
        zeros, whole = _zeros(chosen, names)
        partial |= not whole
        row: dict[str, Any] = {"n": store.sizes["sample"], "zeros": zeros, "steps": _median(store["steps"].values)}
        row |= {"converged": _mean(store["converged"].values), "keeps": _mean(store["keeps_prediction"].values)}
        rows.append(names | {"mapped": called(names), "split": split} | row)
    notes = ["Entries at 0: frequencies that a map removes altogether, over all maps and channels."]
    if partial:
        notes.append(f"They were counted on the first {MAPS_READ} maps of each range.")
    return _table(rows, _MAP_COLUMNS, notes)


def _settings(inputs: Inputs, stage: str) -> Iterator[tuple[dict[str, str], str, Inputs]]:
    """Yield what tells a stage's results apart, ranges left out, their split, and them, in the study's order."""
    groups: dict[tuple[tuple[str, str], ...], list[Result]] = {}
    for result in inputs.select(stage):
        names = tuple((key, value) for key, value in result.names.items() if key != "range")
        split = result.names["range"].rsplit("-", 2)[0]
        groups.setdefault((*names, ("split", split)), []).append(result)
    for pairs, results in groups.items():
        yield dict(pairs[:-1]), pairs[-1][1], Inputs(results)


def _table(rows: list[dict[str, Any]], columns: tuple[Column, ...], notes: list[str]) -> Table | None:
    if not rows:
        return None
    frame = pd.DataFrame(rows)
    labels = {"mapped": "maps of", "maps": "map setting"}
    keys = [k for k in ("dataset", "model", "training", "seed", "maps", "attack", "mapped", "split") if k in frame]
    keys = [k for k in keys if not (k == "attack" and "mapped" in frame)]
    varying = [k for k in keys if frame[k].nunique() > 1 or k in ("attack", "mapped")]
    constant = ", ".join(f"{labels.get(k, k)} {frame[k].iloc[0]}" for k in keys if k not in varying)
    naming = [Column(k, labels.get(k, k).capitalize()) for k in varying]
    return Table(frame, [*([f"All rows: {constant}."] if constant else []), *notes], [*naming, *columns])


def _zeros(inputs: Inputs, names: Mapping[str, str]) -> tuple[float, bool]:
    """Return the share of zero entries, and whether all maps were read."""
    zeros = entries = 0
    whole = True
    for result in inputs.select("maps", **names):
        own = Inputs([result])
        ids = own.maps(variables=["steps"])["sample"].values.tolist()
        whole &= len(ids) <= MAPS_READ
        if not ids:
            continue
        values = own.maps(samples=ids[:MAPS_READ], variables=["map"], basis=None)["map"].values
        zeros += int((np.abs(values) <= ZERO).sum())
        entries += values.size
    return (zeros / entries if entries else NAN), whole


def _accuracy(result: Result) -> float | None:
    headline = result.manifest.get("headline", {})
    value = headline.get("test_accuracy", headline.get("accuracy"))
    return None if value is None or formatted(value) == formatted(None) else float(value)


def _median(values: Any) -> float:
    return float(np.median(values)) if len(values) else NAN


def _mean(values: Any) -> float:
    return float(np.mean(values)) if len(values) else NAN
