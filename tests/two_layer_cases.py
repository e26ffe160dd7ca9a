"""Small two-layer networks, trained and attacked, for the tests of the theorems."""

from dataclasses import replace

import numpy as np

from freqmaps.simulation import _pgd_path as pgd
from freqmaps.simulation import _training_path as training
from freqmaps.simulation import _two_layer as two

IDENTITY = two.Activation(lambda z: z, np.ones_like, np.zeros_like, 1.0)
D, CUTOFF = 11, 2


def networks(activation="softplus", n=4, width=7, *, scale=1.0, alpha=1.0, d=D, seed=0):
    rng = np.random.default_rng(seed)
    nets = two.draw_networks(rng, scale * two.draw_signals(rng, n, d, alpha, 1.0), width, "relu")
    return replace(nets, activation=IDENTITY if activation == "identity" else two.ACTIVATIONS[activation])


def trained(nets, rate=0.1, steps=40, cutoff=CUTOFF, small=1e-3):
    return training.train(nets, rate, steps, cutoff, np.full(len(nets.y), small))


def attacked(nets, path, epsilon=0.1, count=20, pace=0.1, seed=0):
    radius = epsilon * np.sqrt(nets.square)
    delta = pgd.start(np.random.default_rng(seed), nets.x.shape, radius)
    return pgd.attack(nets, path.well_trained, delta, radius, pace, count, path.cutoff)


def at_start(nets):
    return two.state(nets, np.zeros_like(nets.a))


def claims(found):
    return {claim.measure: claim.values for claim in found}


def energy(signal):
    """The energy at each signed frequency by the paper's sum, and the frequencies."""
    d = len(signal)
    k, place = np.arange(-(d - 1) // 2, (d - 1) // 2 + 1), np.arange(d)
    return np.array([abs(sum(signal * np.exp(2j * np.pi * f * place / d))) ** 2 for f in k]), k


def slow_share(signal, cutoff=CUTOFF):
    of, k = energy(signal)
    return of[abs(k) <= cutoff].sum() / of.sum()
