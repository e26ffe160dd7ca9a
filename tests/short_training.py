"""Short trainings on the digits."""

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch.nn import functional as F

from freqmaps.models import build_classifier
from freqmaps.training import Batch, StepContext, TrainingSettings, train
from freqmaps.training.regimes.standard import build as standard


def digits(n=300, dtype=np.float32):
    """Return n images and labels to train on, and 200 others to test on."""
    bunch = load_digits()
    order = np.random.default_rng(0).permutation(len(bunch.target))
    images = bunch.images[order, None] / 16
    images = (images * 255).astype(np.uint8) if dtype == np.uint8 else images.astype(np.float32)
    labels = bunch.target[order]
    return images[:n], labels[:n], images[-200:], labels[-200:]


def network(seed=0, architecture="small_cnn", **parameters):
    given = parameters or {"width": 4}
    return build_classifier(architecture, given, classes=10, channels=1, size=8, seed=seed)


def fit(settings, *, classifier=None, data=None, regime=None, seed=0, **more):
    classifier = classifier or network()
    history = train(
        classifier, *(data or digits()),
        settings=settings, regime=regime or standard(), seed=seed, device="cpu", **more,
    )  # fmt: skip
    return classifier, history


def first_step(generator=None, **given):
    """Return the context of the first of ten steps."""
    told = {"step": 0, "epoch": 0, "steps": 10, "steps_per_epoch": 5, "loss": F.cross_entropy} | given
    return StepContext(generator=generator or torch.Generator().manual_seed(0), **told)


def prepare(regime, classifier, images, labels, generator=None):
    """Return the images that a regime trains on."""
    return regime.prepare(classifier, Batch(images, labels), first_step(generator))


def weights(classifier):
    return {n: t.clone() for n, t in classifier.state_dict().items()}


def equal(a, b):
    return all(torch.equal(t, b[n]) for n, t in a.items())


SHORT = TrainingSettings(epochs=3, batch=32, learning_rate=0.05, flip=True, crop_padding=1)
