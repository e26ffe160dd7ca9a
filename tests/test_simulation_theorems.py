"""The theorems of F21 as a simulation: cases that violate each assumption, and what the component returns."""

from dataclasses import replace
from math import isnan

import numpy as np
import pytest

from freqmaps.core.errors import FreqmapsError
from freqmaps.simulation import _assumptions, two_layer_theorems
from freqmaps.simulation import _two_layer as two
from tests.two_layer_cases import D, attacked, networks, trained

# --- assumptions, each violated by a case made for it


def holds(nets, path, **changed):
    return _assumptions.assumptions(path, replace(attacked(nets, path), **changed))


def test_every_assumption_holds_where_nothing_violates_it():
    nets = networks("softplus", n=20, width=200, d=31)
    path = trained(nets, rate=0.05, cutoff=5)
    found = holds(nets, path, residual=0.1 * np.ones(20), epsilon=0.1**0.75 * np.ones(20))
    assert all(flags.all() for flags in found.values()), {k: v.mean() for k, v in found.items()}
    assert all(_assumptions.stated_hold(found, theorem).all() for theorem in "1234")


def test_a_step_that_overshoots_violates_assumption_1():
    nets = networks("identity")
    assert not holds(nets, trained(nets, rate=1.5))["assumption 1"].any()
    assert not holds(nets, trained(nets, rate=2.5, steps=10))["assumption 1"].any()  # ∂ℓ/∂f grows


@pytest.mark.parametrize(("exponent", "held"), [(1.5, True), (0.9, False), (2.1, False)])
def test_assumption_2_is_about_the_exponent(exponent, held):
    nets = networks()
    path = trained(nets)
    found = holds(nets, path, residual=-(0.01**exponent) * np.ones(4), epsilon=0.01 * np.ones(4))
    assert (found["assumption 2"] == held).all()
    assert not holds(nets, path, residual=np.zeros(4))["assumption 2"].any()
    assert not holds(nets, path, epsilon=2 * np.ones(4))["assumption 2"].any()


def test_sigmoids_violate_assumption_3():
    nets = networks("sigmoid")
    assert not holds(nets, trained(nets))["assumption 3"].any()
    positive = replace(nets, w=-np.abs(nets.w), x=np.abs(nets.x))
    assert holds(positive, trained(positive, rate=1e-6))["assumption 3"].all()


def test_an_outer_layer_that_is_trained_violates_assumption_4(monkeypatch):
    nets, stepped = networks(), two.stepped

    def trains_both(given, now, eta):
        given.a[1] *= 0.99
        return stepped(given, now, eta)

    monkeypatch.setattr(two, "stepped", trains_both)
    assert holds(nets, trained(nets))["assumption 4"].tolist() == [True, False, True, True]


def test_a_flat_spectrum_violates_condition_2():
    rng = np.random.default_rng(0)
    nets = replace(networks(), x=two.draw_signals(rng, 4, D, 0.0, 0.5))
    # .25 + 2 against 3: sums over k >= 0 as printed.
    assert not holds(nets, trained(nets))["condition 2"].any()
    assert holds(nets, trained(nets, cutoff=3))["condition 2"].all()


def test_gradients_of_low_frequency_violate_the_start():
    nets = networks()
    flat = replace(nets, w=np.ones_like(nets.w) * np.arange(1, 8)[:, None])
    assert not holds(flat, trained(flat))["start"].any()


def test_large_rates_and_switching_units_are_counted():
    nets = networks("softplus")
    path = trained(nets)
    found = holds(nets, replace(path, fastest=path.fastest + 1, decay=path.decay + 1))
    assert not found["1 - η_r > 0"].any() and not found["1 - 2η > 0"].any()
    # One ReLU, just on, whose label lies below: the first step moves it beyond 0.
    x = networks().x[:1]
    w = 1e-3 * x[:, None] / (x**2).sum()
    one = two.Networks(x, w, np.ones((1, 1)), np.array([-1.0]), two.ACTIVATIONS["relu"])
    still = replace(one, w=1000 * w, y=np.array([0.9]))
    assert trained(one, rate=0.5, steps=1).switched.tolist() == [1]
    assert trained(still, rate=0.5, steps=1).switched.tolist() == [0]


def test_units_that_switch_under_attack_are_counted():
    nets = networks("relu", n=40, width=20)
    path = trained(nets, steps=5)
    near, far = (attacked(nets, path, epsilon=e) for e in (1e-6, 2.0))
    assert near.switched.mean() < 0.1 and far.switched.mean() > 0.9
    assert not attacked(networks("softplus"), trained(networks("softplus")), epsilon=2.0).switched.any()


# --- the component


def computed(**given):
    parameters = {**two_layer_theorems.TINY, "draws": 12, **given}
    return two_layer_theorems.compute(seed=1, **parameters)


def test_rows_hold_every_setting_and_all_together():
    found = computed(widths=[4, 8], rates=[0.1, 0.3])
    rows = [row for row in found.rows if row["measure"] == "condition 12" and row["activation"] == "softplus"]
    by = {(row["width"], row["rate"], row["among"]): row for row in rows}
    assert {key[:2] for key in by} == {(4, 0.1), (4, 0.3), (8, 0.1), (8, 0.3), ("all", "all")}
    single = [row for key, row in by.items() if key[2] == "all" and key[0] != "all"]
    whole = by["all", "all", "all"]
    assert whole["n"] == 48 == sum(row["n"] for row in single)
    assert whole["value"] == pytest.approx(np.mean([row["value"] for row in single]))
    assert 0 <= whole["low"] < whole["value"] < whole["high"] <= 1
    kept = by["all", "all", "assumptions"]["n"]
    assert by["all", "all", "unsaid"]["n"] <= kept <= 48


def test_sigmoids_have_no_draw_in_which_the_assumptions_hold():
    rows = [r for r in computed().rows if r["activation"] == "sigmoid" and r["among"] == "assumptions"]
    assert rows and {row["n"] for row in rows} == {0} and all(isnan(row["value"]) for row in rows)


def test_networks_without_a_gradient_tell_nothing():
    nets = networks("relu")
    dead = replace(nets, w=nets.w.copy())
    dead.w[2] = -nets.x[2]
    path = trained(dead, steps=3)
    assert _assumptions.alive(path).tolist() == [True, True, False, True]
    assert np.isnan(path.share[:, 2]).all()
    rows = [r for r in computed(widths=[3], draws=60).rows if r["activation"] == "relu" and r["scale"] == "all"]
    by = {(r["measure"], r["among"]): r for r in rows}
    living = by["the gradient never vanishes", "all"]
    assert living["n"] == 60 and 0.3 < living["value"] < 0.95
    assert by["change of τ over the training", "all"]["n"] == round(60 * living["value"])
    with pytest.raises(FreqmapsError, match="keeps a gradient; give larger widths"):
        two_layer_theorems.compute(seed=5, **{**two_layer_theorems.TINY, "widths": [1], "draws": 2})


def test_arrays_are_labelled():
    arrays = computed(scales=[1.0, 2.0]).arrays
    assert arrays["share"].dims == ("activation", "scale", "quantile", "step")
    assert arrays.sizes["step"] == 21 and arrays.sizes["iteration"] == 9
    assert float(arrays["share"].min()) >= 0 and float(arrays["share"].max()) <= 1
    assert (np.diff(arrays["share"].values, axis=2) >= 0).all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"dimension": 12}, "dimension 12 is even"),
        ({"cutoff": 5}, "leaves no high frequency"),
        ({"alphas": []}, "alphas is empty"),
    ],
)
def test_impossible_settings_are_one_sentence(given, message):
    with pytest.raises(FreqmapsError, match=message):
        computed(**given)
