"""JaFR, GradAlign and the Jacobian's norm: their terms and derivatives against slow computations, and what they do."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from freqmaps.core.errors import FreqmapsError
from freqmaps.training import Batch, CleanPass, Regime, _steps
from freqmaps.training import _loop as loop_module
from freqmaps.training.regimes.fgsm import build as fgsm
from freqmaps.training.regularisers.grad_align import build as grad_align
from freqmaps.training.regularisers.jacobian_norm import build as jacobian_norm
from freqmaps.training.regularisers.jafr import build as jafr
from tests.short_training import SHORT, digits, first_step, fit, network
from tests.test_spectra_low_bias import direct


class Smooth(nn.Module):
    """A network in double precision whose second derivatives exist everywhere."""

    def __init__(self, channels=1, size=6, classes=4):
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(
            nn.Flatten(), nn.Linear(channels * size * size, 12), nn.Softplus(), nn.Linear(12, classes)
        ).double()

    def forward(self, images):
        return self.net(images)


def batch(n=5, channels=1, size=6, classes=4):
    generator = torch.Generator().manual_seed(1)
    images = torch.rand((n, channels, size, size), generator=generator, dtype=torch.float64)
    return Batch(images, torch.randint(0, classes, (n,), generator=generator))


def gradients(model, images, labels):
    """The gradient of each image's own loss, one image at a time."""
    found = []
    for image, label in zip(images, labels, strict=True):
        asking = image[None].clone().requires_grad_()
        found.append(torch.autograd.grad(F.cross_entropy(model(asking), label[None]), asking)[0][0])
    return torch.stack(found)


def term(regulariser, model, given, context=None):
    context = context or first_step()
    return regulariser(model, CleanPass(model, given, context), context)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [6, 7])
def test_jafr_is_minus_the_logarithm_of_printed_products(channels, size):
    model, given = Smooth(channels, size), batch(channels=channels, size=size)
    jacobians = gradients(model, given.images, given.labels).numpy()
    half = size // 2 + 1
    magnitudes = np.abs(np.fft.fft2(jacobians)).mean(axis=1)[:, :half, :half]
    assert term(jafr(weight=1.0), model, given).item() == pytest.approx(-direct(magnitudes.mean(axis=0)), rel=1e-5)
    each = -np.mean([direct(m, 0.0, 0.0) for m in magnitudes])
    text = jafr(weight=1.0, batch="each", magnitude_epsilon=0.0, exponent_epsilon=0.0)
    assert term(text, model, given).item() == pytest.approx(each, rel=1e-5)


def aligned(model, given, epsilon, seed=0):
    noise = torch.rand(given.images.shape, generator=torch.Generator().manual_seed(seed))
    here = gradients(model, given.images, given.labels).flatten(1)
    there = gradients(model, given.images + (2 * noise - 1) * epsilon, given.labels).flatten(1)
    return 1 - F.cosine_similarity(here, there).mean().item()


def test_grad_align_is_one_minus_the_cosine_at_a_random_point():
    model, given = Smooth(), batch()
    found = term(grad_align(weight=1.0, epsilon=0.3), model, given).item()
    assert found == pytest.approx(aligned(model, given, 0.3), rel=1e-4) and found > 1e-4
    assert term(grad_align(weight=1.0, epsilon=1e-6), model, given).item() == pytest.approx(0, abs=1e-6)


def test_images_without_a_gradient_do_not_count_in_grad_align():
    class Half(Smooth):
        def forward(self, images):
            return super().forward(images) * (images.mean(dim=(1, 2, 3)) > 0)[:, None]

    model, given = Half(), batch()
    given.images[:2] = -given.images[:2]  # their logits are constant
    rest = Batch(given.images[2:], given.labels[2:])
    noise = torch.rand(given.images.shape, generator=torch.Generator().manual_seed(0))
    here = gradients(model, rest.images, rest.labels).flatten(1)
    there = gradients(model, rest.images + (2 * noise[2:] - 1) * 0.1, rest.labels).flatten(1)
    expected = 1 - F.cosine_similarity(here, there).mean().item()
    found = term(grad_align(weight=1.0, epsilon=0.1), model, given)
    assert found.item() == pytest.approx(expected, rel=1e-4)
    found.backward()
    assert all(bool(p.grad.isfinite().all()) for p in model.parameters())


def test_the_norm_of_each_logits_jacobian():
    model, given = Smooth(), batch()
    squared = 0.0
    for image in given.images:
        jacobian = torch.autograd.functional.jacobian(lambda x: model(x[None])[0], image)
        squared += float(jacobian.square().sum()) / len(given.images)
    exact = term(jacobian_norm(weight=1.0, projections=None), model, given).item()
    assert exact == pytest.approx(squared / 2, rel=1e-5)
    context = first_step()
    drawn = [term(jacobian_norm(weight=1.0), model, given, context).item() for _ in range(800)]
    assert len(set(drawn)) > 700
    assert np.mean(drawn) == pytest.approx(exact, abs=4 * np.std(drawn) / np.sqrt(800))
    many = term(jacobian_norm(weight=1.0, projections=400), model, given).item()
    assert many == pytest.approx(exact, rel=0.1)


@pytest.mark.parametrize(
    "regulariser",
    [
        jafr(weight=1.0), jafr(weight=1.0, batch="each", quadrant="mean"), jacobian_norm(weight=1.0, projections=None),
        jacobian_norm(weight=1.0, projections=2),
    ],
)  # fmt: skip
def test_derivatives_in_the_weights_are_those_of_finite_differences(regulariser):
    model, given = Smooth(), batch()
    weight = model.net[1].weight
    term(regulariser, model, given).backward()
    found = weight.grad.clone()
    for place in ((0, 0), (3, 17), (11, 35)):
        values = []
        for change in (1e-3, -1e-3):
            with torch.no_grad():
                weight[place] += change
            values.append(term(regulariser, model, given).double().item())
            with torch.no_grad():
                weight[place] -= change
        slope = (values[0] - values[1]) / 2e-3
        assert found[place].item() == pytest.approx(slope, rel=0.02, abs=1e-3)


def test_no_gradient_flows_through_the_image_in_grad_align():
    """Its derivative in a weight is that of the cosine with the gradient at the image held fixed."""
    model, given = Smooth(), batch()
    weight, place = model.net[1].weight, (3, 17)
    term(grad_align(weight=1.0, epsilon=0.3), model, given).backward()
    fixed = gradients(model, given.images, given.labels).flatten(1)
    noise = torch.rand(given.images.shape, generator=torch.Generator().manual_seed(0))
    moved, values = given.images + (2 * noise - 1) * 0.3, []
    for change in (1e-5, -1e-5):
        with torch.no_grad():
            weight[place] += change
        there = gradients(model, moved, given.labels).flatten(1)
        values.append(1 - F.cosine_similarity(fixed, there).mean().item())
        with torch.no_grad():
            weight[place] -= change
    assert weight.grad[place].item() == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-3)


def test_jafr_moves_the_bias_up_or_down():
    found = {}
    for weight in (-0.05, 0.0, 0.05):
        settings = dataclasses.replace(SHORT, epochs=5, flip=False, crop_padding=0)
        _, history = fit(settings, data=digits(400), regularisers={"jafr": jafr(weight=weight)})
        found[weight] = -history[-1]["train_jafr"]
    assert found[-0.05] < found[0.0] < found[0.05]


def test_the_gradient_is_taken_at_the_clean_image_under_an_attack():
    seen = {}

    class Looking:
        weight = 0.0

        def __call__(self, model, clean, context):
            seen["clean"] = clean.images.detach()
            return clean.gradient.square().sum()

    class Keeping:
        def prepare(self, model, batch, context):
            seen["batch"] = batch.images
            return fgsm(epsilon=0.2).prepare(model, batch, context)

        def loss(self, model, prepared, batch, context):
            seen["attacked"] = prepared
            return context.loss(model(prepared), batch.labels)

    fit(dataclasses.replace(SHORT, epochs=1), data=digits(32), regime=Keeping(), regularisers={"look": Looking()})
    assert torch.equal(seen["clean"], seen["batch"]) and not torch.equal(seen["clean"], seen["attacked"])


def test_all_terms_share_one_pass_and_one_gradient(monkeypatch):
    made = []
    whole = CleanPass.gradient.func

    def counted(self):
        made.append(1)
        return whole(self)

    monkeypatch.setattr(CleanPass.gradient, "func", counted)
    regularisers = {"a": jafr(weight=0.1), "b": jafr(weight=-0.1), "c": grad_align(weight=0.1)}
    fit(dataclasses.replace(SHORT, epochs=1), data=digits(64), regularisers=regularisers)
    assert len(made) == 2  # steps


# --- what goes wrong


def ruined(value):
    classifier = network()
    classifier.net.linear.weight.data.fill_(value)
    classifier.net.linear.bias.data.zero_()
    return classifier


@pytest.mark.parametrize("regulariser", [jafr(weight=1e-3), grad_align(weight=0.2)])
def test_a_network_without_gradients_is_told(regulariser):
    with pytest.raises(FreqmapsError, match="input gradients of all images are 0 in epoch 1, step 1") as caught:
        fit(SHORT, classifier=ruined(0.0), data=digits(64), regularisers={"mine": regulariser})
    assert "lower learning_rate" in str(caught.value)


def test_a_term_that_overflows_is_named():
    class Overflowing:
        weight = 1.0

        def __call__(self, model, clean, context):
            return clean.loss * (torch.inf if context.step == 3 else 1.0)

    given = {"data": digits(64), "regularisers": {"fine": jafr(weight=1e-3), "mine": Overflowing()}}
    with pytest.raises(FreqmapsError, match="term of regulariser 'mine' is not finite in epoch 2, step 2; lower its"):
        fit(SHORT, **given)


def test_the_earliest_step_is_named_across_looks(monkeypatch):
    monkeypatch.setattr(loop_module, "_LOOK", 2)

    class Late:
        weight = 1.0

        def __call__(self, model, clean, context):
            return clean.loss * (float("nan") if context.step == 4 else 1.0)

    with pytest.raises(FreqmapsError, match="regulariser 'late' is not finite in epoch 1, step 5"):
        fit(SHORT, data=digits(320), regularisers={"late": Late()})


def test_a_scaler_that_looks_for_its_factor_may_overflow_a_term():
    one, infinite = torch.tensor(1.0), torch.tensor(torch.inf)
    for scaled in (True, False):
        steps = _steps.Steps(0, ["mine"], scaled)
        steps.add(_steps.Done(one, infinite, {"mine": infinite}, None, None), 4)
        if scaled:
            steps.check()
        else:
            with pytest.raises(FreqmapsError, match="regulariser 'mine'"):
                steps.check()


class Natural(Regime):
    """Natural training that does not say so: the regularisers get a pass of their own."""

    def prepare(self, model, batch, context):
        return batch.images.clone()


class Counting(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net, self.passes = net, 0

    def forward(self, images):
        self.passes += 1
        return self.net(images)


def test_natural_training_shares_its_pass_with_the_regularisers():
    found = {}
    for regime in (None, Natural()):
        classifier = network()
        classifier.net = Counting(classifier.net)
        settings = dataclasses.replace(SHORT, epochs=1)
        _, history = fit(settings, classifier=classifier, data=digits(64), regime=regime,
                         regularisers={"jafr": jafr(weight=0.05)})  # fmt: skip
        found[regime is None] = classifier.net.passes, classifier.state_dict(), history[0]
    assert found[True][0] == 2 + 1 and found[False][0] == 4 + 1  # two steps, and the test images
    for name, tensor in found[True][1].items():  # the weights, and the running statistics
        assert torch.allclose(tensor.float(), found[False][1][name].float(), atol=1e-4), name
    for column in ("train_loss", "train_accuracy", "train_jafr"):
        assert found[True][2][column] == pytest.approx(found[False][2][column], rel=1e-3)
