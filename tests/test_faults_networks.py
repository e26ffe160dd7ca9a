"""Networks that cannot be attacked, and memory that does not suffice: one clear sentence, or the right result."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from freqmaps import stores
from freqmaps.core.errors import FreqmapsError
from freqmaps.models import Classifier, Recipe, check_classifier
from freqmaps.stores import MAPS
from tests import fault_injections as injections
from tests.fault_numbers import same
from tests.fault_tally import survived
from tests.faults import STUDY, main_file, undo
from tests.workflow import clone, snakemake

#: Stages that ask a network and choose their batches themselves.
ASKING = ("attacks", "maps", "group_maps", "evaluation")

# --- networks that are none


BODY = """
from torch import nn
import torch

class Net(nn.Module):
    def __init__(self, classes, inputs):
        super().__init__()
        self.norm, self.linear, self.drop = nn.BatchNorm2d(3), nn.Linear(inputs, classes), nn.Dropout(0.5)
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x):
        {forward}

    {more}

def tiny(*, classes, channels, size, width: int = 4):
    return Net(classes, channels * size * size)
"""
EVAL = "def train(self, mode=True):\n        return super().train(True)"
STUCK = "training mode after eval"
NETWORKS = {
    "returns probabilities": ("return self.linear(x.flatten(1)).softmax(1)", "", "probabilities; remove its final"),
    "stuck in training mode: batch norm": ("return self.linear(self.norm(x).flatten(1))", EVAL, STUCK),
    "stuck in training mode: dropout": ("return self.linear(self.drop(x).flatten(1))", EVAL, STUCK),
    "dropout always on": (
        "return self.linear(nn.functional.dropout(x, 0.5, True).flatten(1))", "", "from one call to the next",
    ),
    "the batch's own statistics": ("return self.linear((x - x.mean(0)).flatten(1))", "", "the rest of its batch"),
    "learns while it answers": ("self.seen += 1; return self.linear(x.flatten(1))", "", "changes 'net.seen'"),
    "too few answers": ("return self.linear(x.flatten(1))[:, :2]", "", "expected logits of shape"),
    "two answers": ("return self.linear(x.flatten(1)), x", "", "returns tuple"),
    "no answer to this size": ("return self.linear(x)", "", "does not take images"),
    "not finite": ("return self.linear(x.flatten(1)) / 0", "", "returns NaN or infinity"),
}  # fmt: skip


@pytest.mark.parametrize("kind", NETWORKS)
def test_networks_that_cannot_be_attacked(undisturbed, tmp_path, kind):
    """Said before the training starts, not after hours of it."""
    done, _, _ = undisturbed
    shop = done.elsewhere(tmp_path / "c")
    forward, more, message = NETWORKS[kind]
    (shop.folder / "mylab" / "nets.py").write_text(BODY.replace("{forward}", forward).replace("{more}", more))
    command = shop.first("training")
    undo(shop, command)
    shop.run(command).sentence("model mylab.nets:tiny: ", message)
    assert not (shop.path(command) / "partial").exists()
    survived("a network that returns probabilities, is stuck in training mode, ...")


def test_a_network_that_writes_into_its_images():
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(64, 3)

        def forward(self, x):
            return self.linear(x.mul_(2).flatten(1))

    with pytest.raises(FreqmapsError, match=r"^here: the network writes into its images; take a copy"):
        check_classifier(Classifier(Net(), Recipe("small_cnn", {}, 3, 1, 8)), torch.rand(4, 1, 8, 8), where="here")
    survived("a network that returns probabilities, is stuck in training mode, ...")


def test_weights_of_such_a_network_are_refused_before_any_work(undisturbed, tmp_path):
    done, _, _ = undisturbed
    kind = "returns probabilities"
    folder = tmp_path / "lab"
    clone(folder, of=done.folder)
    forward, more, message = NETWORKS[kind]
    code = BODY.replace("{forward}", forward).replace("{more}", more)
    (folder / "mylab" / "nets.py").write_text(code)
    scope: dict[str, object] = {}
    exec(code, scope)  # the lab's own file, written two lines above
    torch.save(scope["tiny"](classes=4, channels=3, size=8).state_dict(), folder / "w.pt")
    given = copy.deepcopy(STUDY) | {"models": {"tiny": STUDY["models"]["tiny"] | {"checkpoint": "w.pt"}}}
    given["runs"][0]["trainings"] = ["given"]
    (folder / "ours.yaml").write_text(yaml.safe_dump(given))
    done = snakemake(folder, "-c1", "all", "--configfile", "ours.yaml", check=False)
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert "models.tiny.checkpoint: " in text
    assert message in text
    assert "Traceback" not in text
    assert not (folder / "results" / "ours").exists()
    survived("a network that returns probabilities, is stuck in training mode, ...")


# --- memory


@pytest.mark.parametrize("stage", ASKING)
def test_out_of_memory_in_the_middle(undisturbed, tmp_path, stage):
    """Batches are halved until they fit; what comes out is the same, to rounding."""
    done, _, _ = undisturbed
    shop = done.elsewhere(tmp_path / "c")
    command = shop.first(stage)
    undo(shop, command)
    outcome = shop.run(command, fault=injections.small_memory, given=(3,))
    assert outcome.code == 0, outcome.text
    agree(done, shop, command)
    undo(shop, command)
    shop.run(command, fault=injections.small_memory, given=(0,)).sentence("memory")
    survived("out of memory in the middle", 2)


def agree(done, shop, command):
    """Check that a job's numbers are those of an undisturbed run, to rounding."""
    one, other = (main_file(w, command) for w in (done, shop))
    if one.suffix == ".csv":
        pd.testing.assert_frame_equal(pd.read_csv(one), pd.read_csv(other), rtol=1e-6)
        return
    contract = {"attacks": stores.ADVERSARIAL, "maps": MAPS, "group_maps": stores.GROUP_MAPS}[command.stage]
    a, b = stores.read(one, contract), stores.read(other, contract)
    for name in a.variables:
        if a[name].dtype.kind == "f":
            assert np.allclose(a[name], b[name], atol=1e-5, equal_nan=True), name
        else:
            assert (a[name].values == b[name].values).all(), name


def test_training_out_of_memory_asks_for_a_smaller_batch(undisturbed, tmp_path):
    done, _, numbers = undisturbed
    shop = done.elsewhere(tmp_path / "c")
    command = shop.first("training")
    undo(shop, command)
    shop.run(command, fault=injections.small_memory, given=(8,)).sentence("batches of 32", "lower 'batch'")
    shop.finish([command])
    same(numbers, shop.numbers())
    survived("out of memory in the middle")
