"""What the items of Karantzas et al. share: regimes by what they are, published values beside ours, verdicts."""

from math import inf, nan
from pathlib import Path

import pytest

from freqmaps.core.errors import FreqmapsError
from freqmaps.inference.verdicts import finding, trend
from freqmaps.papers.k22._regimes import described, labels, regime, regimes
from freqmaps.publish import Inputs, Result
from freqmaps.publish.published import AS_PUBLISHED, beside, published

CLASSES = ["English springer", "chain saw", "church", "French horn", "garbage truck"]
REGIMES = {
    "x5": ("rotate", {"low": -180, "high": 180, "interpolation": "bilinear"}),
    "x4": ("translate", {"fraction": 0.4}),
    "x3": ("scale", {"low": 0.5, "high": 1.5, "interpolation": "bilinear"}),
    "x2": ("adversarial", {"epsilon": 0.06 * 0.226, "step": 0.06 * 0.226 / 8, "steps": 10, "clamp": "batch"}),
    "x1": ("standard", {}),
}


def result(stage, names, **roles):
    parameters = {role: {"kind": kind, "parameters": given} for role, (kind, given) in roles.items()}
    if stage == "datasets":
        (parameters,) = parameters.values()
    return Result(stage, names, Path("nowhere"), {"spec": {"parameters": parameters}})


def network(name, kind, parameters, model="vgg11_bn"):
    place = {"dataset": "d", "model": "m", "training": name, "seed": "0"}
    objective = ("invariance", {"penalty": 0.2, "norm": 1})
    return [
        result("training", place, regime=(kind, parameters), model=(model, {"width": 64})),
        result("group_maps", place | {"group_maps": "g", "images": "essential", "attack": "none"}, objective=objective),
    ]


def as_published(**changed):
    data = result(
        "datasets", {"dataset": "d"}, dataset=("imagenette", {"size": 128, "channels": 1, "classes": CLASSES})
    )
    found = [r for name, (kind, given) in (REGIMES | changed).items() for r in network(name, kind, given)]
    return Inputs([data, *found])


def test_a_regime_is_what_its_spec_says_whatever_its_name():
    inputs = as_published()
    found = regimes(inputs, "training")
    assert "".join(labels(found).values()) == "NASTR"
    assert list(found) == ["x1", "x2", "x3", "x4", "x5"]
    assert "A adversarial (PGD, ε = 0.01356" in described(found) and "R random rotations (-180 to 180" in described(
        found
    )
    with pytest.raises(FreqmapsError, match="no training result of 'y'"):
        regime(inputs, {"training": "y", "seed": "0"})


def test_amounts_of_nothing_are_natural_and_doubles_are_named():
    inputs = as_published(
        x5=("rotate", {"low": 0, "high": 0}), x3=("scale", {"low": 1.0, "high": 1.0}), x9=("mine", {"amount": 3})
    )
    found = regimes(inputs, "training")
    assert labels(found) == {"x1": "N (x1)", "x3": "N (x3)", "x5": "N (x5)", "x2": "A", "x4": "T", "x9": "x9"}
    assert "x9 regime mine" in described(found)
    given = Inputs([result("training", {"training": "given"})])
    assert labels(regimes(given, "training")) == {"given": "given"}


def test_published_values_stand_beside_the_same_regime():
    ours = {"accuracy": 0.9, "filtered_accuracy": 0.897, "change": -0.003, "n": 1973}
    row = beside("K22-T1", as_published(), {"dataset": "d", "training": "x1"}, ours, row="N")
    assert (row["published_accuracy"], row["published_filtered_accuracy"]) == (0.8956, 0.8920)
    assert row["scope"] == AS_PUBLISHED and row["within_tolerance"] == "yes"
    for number, letter in enumerate("NASTR", 1):
        one = beside("K22-T1", as_published(), {"dataset": "d", "training": f"x{number}"}, ours, row=letter)
        assert one["scope"] == AS_PUBLISHED
        assert one["published_change"] == pytest.approx(one["published_filtered_accuracy"] - one["published_accuracy"])
        assert abs(one["published_change"]) <= published("K22-T1")["trend"] + 1e-12
    off = beside("K22-T1", as_published(), {"training": "x1"}, ours | {"accuracy": 0.99}, row="N")
    assert off["within_tolerance"] == "no: accuracy"


def test_what_differs_is_said_and_no_verdict_given():
    inputs = as_published(x2=("adversarial", {"epsilon": 0.125, "step": 0.03125, "steps": 10, "clamp": "unit"}))
    row = beside("K22-T1", inputs, {"training": "x2"}, {"n": 100, "accuracy": 0.7962}, row="A")
    assert row["within_tolerance"] == "" and row["scope"].startswith("differs: regime adversarial with epsilon 0.125")
    assert "100 images (published: 1934)" in row["scope"]
    row = beside("K22-T1", inputs, {"training": "x2"}, {}, row="")
    assert row["scope"] == "no published value for this row" and row["published_accuracy"] != row["published_accuracy"]
    nothing = beside("K22-T1", Inputs([]), {}, {}, row="N")
    assert "dataset unknown" in nothing["scope"] and "model unknown" in nothing["scope"]


@pytest.mark.parametrize(
    ("intervals", "region", "expected"),
    [
        ([(0.1, 0.2)], (0, inf), "holds"),
        ([(0.0, 0.2)], (0, inf), "holds"),
        ([(-0.1, 0.2)], (0, inf), "cannot be told here"),
        ([(-0.2, -0.1)], (0, inf), "does not hold"),
        ([(-0.004, 0.004), (-0.006, 0.001)], (-0.0065, 0.0065), "holds"),
        ([(-0.004, 0.004), (-0.02, -0.01)], (-0.0065, 0.0065), "does not hold"),
        ([(-0.004, 0.004), (-0.02, 0.01)], (-0.0065, 0.0065), "cannot be told here"),
        ([(0.1, 0.2), (nan, nan)], (0, inf), "cannot be told here"),
        ([(-0.2, -0.1), (nan, nan)], (0, inf), "does not hold"),
        ([], (0, inf), "cannot be told here"),
    ],
)
def test_a_trend_is_held_against_intervals(intervals, region, expected):
    assert finding(intervals, region) == expected
    said = trend("more of it", intervals, "as measured", region=region)
    assert said == f"The published trend (more of it) {expected}: as measured."
