"""Two-layer networks of F21 against slow loops and closed forms; assumptions against cases that violate them."""

from math import isnan

import numpy as np
import pytest

from freqmaps.simulation import _pgd_path as pgd
from freqmaps.simulation import _theorems
from freqmaps.simulation import _training_path as training
from freqmaps.simulation import _two_layer as two
from tests.two_layer_cases import CUTOFF, D, at_start, attacked, claims, energy, networks, slow_share, trained

# --- signals, spectra, networks


@pytest.mark.parametrize("alpha", [1.0, 2.5])
def test_signals_have_a_power_law_spectrum_and_random_phases(alpha):
    x = two.draw_signals(np.random.default_rng(0), 200, D, alpha, 3.0)
    of, k = energy(x[0])
    assert np.allclose(np.sqrt(of[k != 0]), abs(k[k != 0]) ** -alpha)
    assert np.sqrt(of[k == 0]) == pytest.approx(3)
    assert of.sum() == pytest.approx(D * (x[0] ** 2).sum())  # Parseval
    phases = np.angle(two.half_spectrum(x)[:, 1:])
    assert abs(np.exp(1j * phases).mean(axis=0)).max() < 0.25


def test_shares_and_overlaps_are_sums_over_all_signed_frequencies():
    g, x = np.random.default_rng(1).normal(size=(2, 5, D))
    assert two.low_share(two.half_spectrum(g), CUTOFF) == pytest.approx([slow_share(row) for row in g])
    low, high = two.overlaps(two.half_spectrum(g), two.half_spectrum(x), CUTOFF)
    # Parseval for two signals: the sum over all frequencies is d times the inner product.
    assert low + high == pytest.approx(D * (g * x).sum(axis=1))
    flat = np.ones((1, D))
    assert two.overlaps(two.half_spectrum(flat), two.half_spectrum(flat), CUTOFF)[0] == pytest.approx([D * D])
    printed = two.bands(np.ones((1, 6)), CUTOFF, as_printed=True)
    assert (float(printed[0][0]), float(printed[1][0])) == (3, 3)
    assert [float(b[0]) for b in two.bands(np.ones((1, 6)), CUTOFF)] == [5, 6]


@pytest.mark.parametrize("name", list(two.ACTIVATIONS))
def test_slopes_and_curvatures_are_derivatives(name):
    of, h = two.ACTIVATIONS[name], 1e-4
    z = np.array([-30.0, -2.0, -0.3, 0.4, 1.7, 30.0])
    assert (of.value(z + h) - of.value(z - h)) / (2 * h) == pytest.approx(of.slope(z), abs=1e-7)
    assert (of.slope(z + h) - of.slope(z - h)) / (2 * h) == pytest.approx(of.curvature(z), abs=1e-7)
    assert of.slope(z).max() <= of.steepest


@pytest.mark.parametrize("name", list(two.ACTIVATIONS))
def test_training_equals_a_loop_that_moves_every_weight(name):
    nets, of = networks(name), two.ACTIVATIONS[name]
    path = trained(nets, steps=5)
    for i in range(len(nets.y)):
        w, x, a = nets.w[i].copy(), nets.x[i], nets.a[i]
        for t in range(6):
            z = [float(row @ x) for row in w]
            slopes = [a[r] * float(of.slope(np.array(z[r]))) for r in range(len(a))]
            curvature = [float(of.curvature(np.array(v))) for v in z]
            residual = sum(a[r] * float(of.value(np.array(z[r]))) for r in range(len(a))) - nets.y[i]
            gradient = sum(slopes[r] * w[r] for r in range(len(a)))
            each = [path.eta[i] * a[r] * (x @ x) * residual * curvature[r] for r in range(len(a))]
            assert path.residual[t, i] == pytest.approx(residual)
            assert path.share[t, i] == pytest.approx(slow_share(gradient))
            assert path.mass[t, i] == pytest.approx(sum(s * s for s in slopes))
            assert (path.decay[t, i], path.fastest[t, i]) == pytest.approx((np.mean(each), max(each)))
            assert path.concave[t, i] == pytest.approx(np.mean([c < 0 for c in curvature]))
            for r in range(len(a)):
                w[r] -= path.eta[i] * residual * slopes[r] * x
    assert (path.eta * of.steepest**2 * (nets.a**2).sum(axis=1) * nets.square) == pytest.approx(0.1)


def test_the_gradient_is_that_of_the_output():
    nets, h = networks("sigmoid"), 1e-5
    now = two.stepped(nets, at_start(nets), np.full(4, 0.5))
    delta = np.random.default_rng(2).normal(size=nets.x.shape)
    _, gradient, z = two.output(nets, now, delta)
    for j in range(D):
        step = h * np.eye(D)[j]
        up, down = (two.output(nets, now, delta + s * step)[0] for s in (1, -1))
        assert (up - down) / (2 * h) == pytest.approx(gradient[:, j], abs=1e-8)
    assert two.output(nets, now, np.zeros_like(delta))[0] == pytest.approx(now.residual)
    assert two.output(nets, now, np.zeros_like(delta))[2] == pytest.approx(now.z)
    assert z.shape == nets.a.shape


# --- closed forms: with a linear activation, ∇f only ever moves along x


def distance(path, nets):
    """The sum of all η^(t) so far, times the sign of ∂ℓ/∂f, in closed form."""
    kept = 1 - path.eta * (nets.a**2).sum(axis=1) * nets.square
    return path.residual[0] / nets.square * (1 - kept ** np.arange(len(path.residual))[:, None])


def test_a_linear_network_follows_its_closed_form():
    nets = networks("identity", n=30)
    path = trained(nets)
    s = distance(path, nets)
    first = (nets.a[:, :, None] * nets.w).sum(axis=1)
    expected = first - s[..., None] * nets.x
    assert np.allclose(path.gradient, np.fft.rfft(expected), atol=1e-9)
    # Equation 9 leaves out η² alone: with it, the change of the low energy is exact.
    low = two.bands(np.abs(path.gradient) ** 2, CUTOFF)[0]
    changed = path.rate[:-1] * path.overlap[0][:-1] + path.rate[:-1] ** 2 * path.energy_of_signal[0]
    assert np.diff(low, axis=0) == pytest.approx(changed)


def test_t0_of_a_linear_network_is_where_the_closed_form_changes_sign():
    nets = networks("identity", n=200, scale=3.0)
    path = trained(nets, rate=0.02, steps=300)
    (low, high), (low_x, high_x) = path.overlap, path.energy_of_signal
    gap = low[0] - high[0] + 2 * np.abs(distance(path, nets)) * (low_x - high_x)
    told = claims(_theorems.theorem_1(path))
    assert np.array_equal(told["Δτ_l > Δτ_h from some step t0 on"] == 1, gap[-1] > 0)
    late = (gap[0] <= 0) & (gap[-1] > 0)
    assert late.sum() > 20 and (gap[-1] <= 0).sum() > 20
    t0 = (gap > 0).argmax(axis=0)
    smallest = np.abs(path.residual[t0, range(200)]) * (nets.a**2).sum(axis=1)
    printed = (high[0] - low[0]) / (path.eta * smallest * (low_x - high_x))
    ratio = told["t0 divided by the printed number rounded up"]
    assert ratio[late] == pytest.approx(t0[late] / np.ceil(printed[late]))
    assert np.isnan(ratio[~late]).all()
    assert (told["t0 is at most half the printed number"][late] == 1).all()
    assert (told["t0 is reached if and only if ∂ℓ/∂f is large enough at first"][gap[0] <= 0] == 1).mean() > 0.97


def test_equation_11_is_exact_for_a_linear_network():
    """R_k² - R_k'² is linear in the sum of η^(t): pairs change their order where it vanishes, never before t0."""
    nets = networks("identity", n=50)
    path = trained(nets, rate=0.05, steps=200)
    s, told = distance(path, nets), claims(_theorems.theorem_2(path))
    kept, crossed, infinite = [], [], []
    for i in range(50):
        g, x = path.gradient[0, i], path.signal[i]
        ratio, cosine = abs(g / x), np.cos(np.angle(g) - np.angle(x)) * path.sign[i]
        for k in range(2, len(g)):
            for other in range(1, k):
                if ratio[k] <= ratio[other]:
                    continue
                top = ratio[k] ** 2 - ratio[other] ** 2
                bracket = ratio[k] * cosine[k] - ratio[other] * cosine[other]
                linear = top - 2 * np.abs(s[:, i]) * bracket
                assert linear == pytest.approx(
                    abs(path.gradient[:, i, k] / x[k]) ** 2 - abs(path.gradient[:, i, other] / x[other]) ** 2, abs=1e-7
                )
                (kept if bracket > 0 else infinite).append((linear > 0).all())
                if bracket > 0 and not kept[-1]:
                    t0 = top / (2 * path.eta[i] * abs(path.residual[0, i]) * (nets.a[i] ** 2).sum() * bracket)
                    crossed.append((linear <= 0).argmax() / t0)
    assert min(crossed) >= 1 and all(infinite) and len(crossed) > 50
    for measure in ("equation 11: share of pairs that keep their order until t0",
                    "share of pairs that keep their order throughout where t0 is infinite"):  # fmt: skip
        assert np.nanmin(told[measure]) == 1
    share = told["share of all pairs that keep their order throughout"]
    assert 0.5 < np.nanmean(share) < 1
    assert np.nanmin(told["steps until a pair changes its order, over t0"]) >= 1


def test_condition_12_decides_whether_a_linear_network_can_overtake_its_signal():
    """L H_x - L_x H is linear in the sum of η^(t): with condition 12 it stays negative, else it grows."""
    nets = networks("identity", n=400, scale=0.1)
    path = trained(nets, rate=0.5, steps=60)
    met, told = _theorems.condition_12(path), claims(_theorems.theorem_3(path))
    (low, high), (low_x, high_x) = two.bands(np.abs(path.gradient) ** 2, CUTOFF), path.energy_of_signal
    assert np.array_equal((low * high_x < low_x * high), path.share < path.share_of_signal)
    assert np.nanmin(told["with condition 12, τ(δ) < τ(x) throughout"]) == 1
    overtaken = told["without condition 12, τ(δ) < τ(x) throughout"] == 0
    assert overtaken.any() and not (overtaken & met).any()
    started = path.share[0] < path.share_of_signal
    assert np.array_equal(np.isnan(told["with condition 12, τ(δ) < τ(x) throughout"]), ~(met & started))


# --- orders of errors


@pytest.mark.parametrize("name", ["identity", "softplus", "sigmoid"])
def test_with_own_rates_the_error_of_equation_9_falls_as_eta_squared(name):
    nets = networks(name, n=20, width=30)
    found = training.errors_of_change(nets, CUTOFF, training.RATES, "own rates")
    assert np.median(training.slopes(training.RATES, found)) == pytest.approx(2, abs=0.02)
    assert np.median(found[0] / found[1]) == pytest.approx(4, rel=0.05)


def test_the_mean_rate_and_the_sums_as_printed_leave_an_error_of_first_order():
    nets = networks("softplus", n=20, width=30)
    for reading in ("equation 9", "sums as printed"):
        found = training.errors_of_change(nets, CUTOFF, training.RATES, reading)
        assert np.median(training.slopes(training.RATES, found)) == pytest.approx(1, abs=0.05)
    plain = networks("identity", n=20, width=30)
    own, mean = (training.errors_of_change(plain, CUTOFF, training.RATES, r) for r in ("own rates", "equation 9"))
    assert np.array_equal(own, mean)


def test_the_predicted_change_is_the_share_of_changed_energies():
    low, high, add_low, add_high, eta = 3.0, 5.0, -0.7, 0.4, 0.1
    after = low + high + eta * (add_low + add_high)
    found = two.change_of_share(eta, (add_low, add_high), low / (low + high), after)
    assert found == pytest.approx((low + eta * add_low) / after - low / (low + high))


def test_slopes_are_those_of_numpy():
    rates, errors = [0.1, 0.05, 0.02], np.array([[3.0, 0], [1.0, 1], [0.2, 1]])
    found = training.slopes(rates, errors)
    assert found[0] == pytest.approx(np.polyfit(np.log(rates), np.log(errors[:, 0]), 1)[0])
    assert isnan(found[1])


def test_from_then_on():
    flags = np.array([[1, 0, 1, 0], [1, 1, 0, 0], [1, 1, 1, 0]], dtype=bool)
    assert training.from_then_on(flags).tolist() == [0, 1, 2, 3]


# --- PGD


def test_pgd_equals_a_slow_loop_and_stays_in_its_ball():
    nets = networks("softplus")
    path = trained(nets)
    found, now = attacked(nets, path), path.well_trained
    start = pgd.start(np.random.default_rng(0), nets.x.shape, found.epsilon)
    for i in range(len(nets.y)):
        w, delta = nets.w[i] - now.moved[i][:, None] * nets.x[i], start[i]
        gradient = sum(nets.a[i, r] * float(nets.activation.slope(w[r] @ nets.x[i])) * w[r] for r in range(7))
        for j in range(21):
            assert found.share[j, i] == pytest.approx(slow_share(delta))
            assert found.slope[j, i] == pytest.approx(now.residual[i] + delta @ gradient)
            assert np.linalg.norm(delta) <= found.epsilon[i] * (1 + 1e-12)
            z = w @ (nets.x[i] + delta)
            residual = nets.a[i] @ np.log1p(np.exp(z)) - nets.y[i]
            delta = delta + found.xi[i] * residual * (nets.a[i] / (1 + np.exp(-z))) @ w
            delta = delta * min(1, found.epsilon[i] / np.linalg.norm(delta))
    longest = np.abs(found.residual) + found.epsilon * np.linalg.norm(now.gradient, axis=1)
    assert found.xi * longest * np.linalg.norm(now.gradient, axis=1) == pytest.approx(0.1 * found.epsilon)


def test_equation_20_is_the_linear_part_of_a_linear_networks_iteration():
    nets = networks("identity", n=20)
    found = attacked(nets, trained(nets, steps=5), pace=1e-4)
    moving = np.abs(found.measured()) > 1e-9
    assert (np.abs(found.predicted() - found.measured())[moving] / np.abs(found.measured())[moving]).max() < 0.02
    told = claims(_theorems.theorem_4(found))
    assert (told["lemma 1: β keeps its sign"] == 1).all()


def test_from_no_perturbation_the_share_never_changes():
    """By equation 22 a start at 0 stays a multiple of ∇f: Theorem 4 speaks of random starts."""
    nets = networks("identity")
    path = trained(nets, steps=5)
    radius = 0.1 * np.sqrt(nets.square)
    tiny = 1e-12 * path.well_trained.gradient
    found = pgd.attack(nets, path.well_trained, tiny, radius, 0.1, 20, CUTOFF)
    assert found.share == pytest.approx(np.broadcast_to(found.share_of_gradient, found.share.shape))


def test_the_error_of_equation_20_falls_as_epsilon_squared():
    nets = networks("softplus", n=20, width=30)
    now, radius = trained(nets).well_trained, 0.05 * np.sqrt(nets.square)
    delta = pgd.start(np.random.default_rng(0), nets.x.shape, radius)
    factors = [0.5**i for i in range(5, 10)]
    found = pgd.errors_of_change(nets, now, delta, radius, 0.1, factors, CUTOFF)
    assert np.median(training.slopes(factors, found)) == pytest.approx(2, abs=0.1)
