"""Limits of numbers: intervals as they are written, and settings that check themselves."""

import ast
import re

import pytest

from freqmaps.core import components
from freqmaps.core.errors import ConfigError
from freqmaps.core.limits import check, interval
from freqmaps.group_maps import GroupMapSettings
from freqmaps.maps import MapSettings
from freqmaps.matrices.settings import MatrixSettings
from freqmaps.optimise.objectives import cross_entropy, invariance
from freqmaps.training import TrainingSettings


@pytest.mark.parametrize(
    ("text", "ends"), [("(0, 1)", ()), ("[0, 1)", (0,)), ("(0, 1]", (1,)), ("[0, 1]", (0, 1)), ("[0,1.0]", (0, 1))]
)
def test_an_interval_holds_the_ends_that_its_brackets_say(text, ends):
    assert [x for x in (-0.001, 0, 1, 1.001, float("nan")) if x in interval(text)] == list(ends)
    assert 0.5 in interval(text)


@pytest.mark.parametrize("text", ["0, 1", "(1, 0)", "(0, b)", "(0; 1)", "(0, 1, 2)", "(0, nan)"])
def test_what_is_no_interval_is_refused(text):
    with pytest.raises(ConfigError, match="is no interval"):
        interval(text)


def test_an_interval_may_depend_on_another_parameter():
    ranges = {"epsilon": {"norm": {"linf": "(0, 1]", "l2": "(0, 9]"}}}
    check({"epsilon": 2, "norm": "l2"}, ranges, "attacks.a")
    check({"epsilon": 2, "norm": "l0"}, ranges, "attacks.a")
    check({"epsilon": None, "norm": "linf"}, ranges, "attacks.a")
    with pytest.raises(ConfigError, match=r"attacks\.a\.epsilon: 2 lies outside \(0, 1\]"):
        check({"epsilon": 2, "norm": "linf"}, ranges, "attacks.a")


def test_of_a_list_every_number_is_checked():
    check({"cutoffs": [0, 0.5, 1]}, {"cutoffs": "[0, 1]"}, "evaluations.a")
    check({"cutoffs": ["any", None]}, {"cutoffs": "[0, 1]"}, "evaluations.a")
    with pytest.raises(ConfigError, match=r"evaluations\.a\.cutoffs: -2 lies outside \[0, 1\]"):
        check({"cutoffs": [0, -2, 3]}, {"cutoffs": "[0, 1]"}, "evaluations.a")


@pytest.mark.parametrize(
    ("settings", "given"),
    [
        (MapSettings, {"learning_rate": -3}),
        (MapSettings, {"warmup": 7}),
        (MapSettings, {"min_steps": 10, "max_steps": 5}),
        (GroupMapSettings, {"learning_rate": -3}),
        (GroupMapSettings, {"warmup": 1.01}),
        (TrainingSettings, {"momentum": 1.0}),
        (TrainingSettings, {"schedule": "multistep", "milestones": (-1, 3)}),
        (MatrixSettings, {"size": 0}),
    ],
)
def test_settings_check_themselves(settings, given):
    with pytest.raises(ConfigError, match=r"lies outside [\[(]"):
        settings(**given)


def test_an_end_may_be_another_parameter():
    ranges = {"most": "[least, 1e9)"}
    check({"least": 3, "most": 3}, ranges, "maps.a")
    check({"least": None, "most": 3}, ranges, "maps.a")
    check({"most": 3}, ranges, "maps.a")
    with pytest.raises(ConfigError, match=r"maps\.a\.most: 2 lies outside \[least, 1e9\), where least is 3"):
        check({"least": 3, "most": 2}, ranges, "maps.a")
    with pytest.raises(ConfigError, match="is no interval"):
        check({"least": 2e9, "most": 2}, ranges, "maps.a")
    assert MapSettings(min_steps=5, max_steps=5).max_steps == 5


@pytest.mark.parametrize(
    ("build", "given"),
    [
        (cross_entropy.build, {"penalty": -3.0}),
        (invariance.build, {"penalty": -3.0}),
        (invariance.build, {"p": 0.5}),
        (invariance.build, {"bound": 33.0}),
    ],
)
def test_objectives_check_themselves(build, given):
    with pytest.raises(ConfigError, match=r"lies outside [\[(]"):
        build(**given)


@pytest.mark.parametrize(
    ("kind", "name", "given"),
    [
        ("item", "B25-F1", {"images": -3}),
        ("item", "B25-F3", {"images": 0}),
        ("item", "B25-F2", {"seed": -2}),
        ("item", "C22-F2", {"example": -1}),
        ("item", "C22-T2F", {"example": -1}),
        ("evaluation", "corruptions", {"draw": -1}),
        ("simulation", "blue_shift", {"limit": 0.0}),
    ],
)
def test_numbers_that_mean_nothing_are_refused(kind, name, given):
    with pytest.raises(ConfigError, match=r"lies outside [\[(]"):
        components.resolve(kind, name, given, where="config", supplied=("seed",) if kind != "item" else ())


#: Parameters with numbers that need no range, and why.
_FROM_DATA = "the workflow sets it, as the dataset has it"
_DERIVED = "the workflow derives it from the study's seed"
WITHOUT_RANGE = {
    ("model", "any", "classes"): _FROM_DATA,
    ("model", "any", "channels"): _FROM_DATA,
    ("model", "any", "size"): _FROM_DATA,
    ("metric", "any", "seed"): _DERIVED,
    ("evaluation", "any", "seed"): _DERIVED,
    ("simulation", "any", "seed"): _DERIVED,
    ("simulation", "blue_shift", "low"): "CHECK judges both ends of the band together",
    ("simulation", "blue_shift", "high"): "CHECK judges both ends of the band together",
}
SETTINGS = (MapSettings, GroupMapSettings, TrainingSettings, MatrixSettings)


def test_every_parameter_with_numbers_has_a_range_or_a_reason():
    every = [components.find(kind, name) for kind in components.kinds() for name in components.names(kind)]
    every += [components.settings(c.__module__, c.__name__) for c in SETTINGS]
    open_, used = [], set()
    for component in every:
        for name, parameter in component.parameters.items():
            if not re.search(r"\b(int|float)\b", parameter.annotation) or name in component.constants.get("RANGES", {}):
                continue
            reasons = {(component.kind, of, name) for of in ("any", component.name)} & set(WITHOUT_RANGE)
            used |= reasons
            if not reasons:
                open_.append(f"{component.kind} {component.name}: {name}")
    assert not open_, "give these an interval in RANGES, or say here why they need none"
    assert used == set(WITHOUT_RANGE), "these have a range now, or are gone"


def test_every_settings_class_is_looked_at():
    found = {
        node.name
        for path in components.PACKAGE.rglob("settings.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef) and node.name.endswith("Settings")
    }
    assert found == {c.__name__ for c in SETTINGS}


def test_every_range_of_a_component_is_an_interval():
    count = 0
    for kind in components.kinds():
        for name in components.names(kind):
            for limits in components.find(kind, name).constants.get("RANGES", {}).values():
                texts = next(iter(limits.values())).values() if isinstance(limits, dict) else [limits]
                for text in texts:
                    interval(text)
                    count += 1
    assert count > 50
