"""Limits of numbers: intervals as they are written, and settings that check themselves."""

import pytest

from freqmaps.core import components
from freqmaps.core.errors import ConfigError
from freqmaps.core.limits import check, interval
from freqmaps.group_maps import GroupMapSettings
from freqmaps.maps import MapSettings
from freqmaps.matrices.settings import MatrixSettings
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
        (GroupMapSettings, {"learning_rate": -3}),
        (TrainingSettings, {"momentum": 1.0}),
        (MatrixSettings, {"size": 0}),
    ],
)
def test_settings_check_themselves(settings, given):
    with pytest.raises(ConfigError, match=r"lies outside [\[(]"):
        settings(**given)


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
