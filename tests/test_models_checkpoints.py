"""Checkpoints and foreign weights: nothing foreign is run or half loaded."""

import json
import os
import pickle
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file

from freqmaps.core.errors import FreqmapsError, StoreError
from freqmaps.models import load_classifier, load_foreign, save_classifier
from freqmaps.models._weights import read_weights
from freqmaps.stores import checkpoint
from tests.tiny_models import images, tiny

# --- checkpoints


def test_checkpoint_round_trip(tmp_path):
    given = tiny(channels=3, mean=[0.1, 0.2, 0.3], std=[0.5, 0.6, 0.7]).to(memory_format=torch.channels_last)
    given.train()(images(8, 3))  # so that batch norm has statistics
    save_classifier(tmp_path, given, {"headline": {"test_accuracy": 0.5}})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.json", "model.safetensors"]
    found = load_classifier(tmp_path)
    with torch.no_grad():
        assert torch.equal(found(images(4, 3)), given.eval()(images(4, 3)))
    assert not found.training
    assert not any(p.requires_grad for p in found.parameters())
    told = json.loads((tmp_path / "model.json").read_text())
    assert told["headline"] == {"test_accuracy": 0.5}
    assert (told["architecture"], told["classes"], told["parameters"]) == ("small_cnn", 10, {"width": 4})


def test_checkpoint_of_tied_weights(tmp_path):
    weight = torch.rand(3, 3)
    checkpoint.save(tmp_path, {"a": weight, "b": weight.T}, {})
    _, state = checkpoint.load(tmp_path)
    assert torch.equal(state["a"].T, state["b"])


def test_damaged_checkpoints_are_refused(tmp_path):
    with pytest.raises(StoreError, match=r"model.json: no such file"):
        load_classifier(tmp_path)
    save_classifier(tmp_path, tiny())
    weights = tmp_path / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-8])
    with pytest.raises(StoreError, match="not the weights"):
        load_classifier(tmp_path)
    (tmp_path / "model.json").write_text("{")
    with pytest.raises(StoreError, match="cannot be read"):
        load_classifier(tmp_path)
    with pytest.raises(StoreError, match="could not be written"):
        save_classifier(tmp_path / "absent", tiny())


# --- weights that users bring


def foreign(tmp_path, kind, state):
    path = tmp_path / f"given.{'safetensors' if kind == 'safetensors' else 'pt'}"
    if kind == "safetensors":
        save_file(state, path)
    elif kind == "nested":
        torch.save({"epoch": 3, "state_dict": state, "optimizer": {"lr": 0.1}}, path)
    elif kind == "parallel":
        torch.save({"model": {f"module.{n}": t for n, t in state.items()}}, path)
    else:
        torch.save(state, path)
    return path


@pytest.mark.parametrize("kind", ["safetensors", "plain", "nested", "parallel"])
@pytest.mark.parametrize("whole", [False, True])
def test_foreign_weights_load(tmp_path, kind, whole):
    given = tiny(seed=1, mean=[0.5], std=[0.25]).eval()
    path = foreign(tmp_path, kind, (given if whole else given.net).state_dict())
    taken = tiny(seed=2, **({} if whole else {"mean": [0.5], "std": [0.25]})).eval()
    load_foreign(path, taken)
    with torch.no_grad():
        assert torch.equal(taken(images()), given(images()))


def test_weights_of_another_architecture_name_the_tensors(tmp_path):
    path = foreign(tmp_path, "plain", tiny("resnet_cifar").net.state_dict())
    taken = tiny()
    before = {n: t.clone() for n, t in taken.state_dict().items()}
    with pytest.raises(FreqmapsError, match=r"architecture small_cnn.*missing: features\.0\.weight.*unexpected: conv"):
        load_foreign(path, taken)
    path = foreign(tmp_path, "plain", tiny(classes=11).net.state_dict())
    with pytest.raises(FreqmapsError, match=r"linear\.weight is \(11, 64\), expected \(10, 64\)"):
        load_foreign(path, taken)
    broken = tiny().net.state_dict()
    broken["linear.bias"] = torch.full_like(broken["linear.bias"], torch.nan)
    with pytest.raises(FreqmapsError, match=r"NaN or infinity: linear\.bias"):
        load_foreign(foreign(tmp_path, "plain", broken), taken)
    assert all(torch.equal(t, before[n]) for n, t in taken.state_dict().items()), "half loaded"


class Malicious:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.mkdir, (self.target,)


def test_pickled_code_is_refused_and_not_run(tmp_path):
    target = tmp_path / "owned"
    torch.save({"state_dict": Malicious(str(target))}, tmp_path / "a.pt")
    (tmp_path / "b.pth").write_bytes(pickle.dumps(Malicious(str(target)), protocol=2))
    torch.save(tiny().net, tmp_path / "c.pt")
    for name in ("a.pt", "b.pth", "c.pt"):
        with pytest.raises(FreqmapsError, match=r"state_dict\(\), path"):
            read_weights(tmp_path / name)
    assert not target.exists()


def test_files_that_are_no_weights(tmp_path):
    for name in ("a.pt", "a.safetensors"):
        (tmp_path / name).write_bytes(b"not weights at all")
        with pytest.raises(FreqmapsError, match=name):
            read_weights(tmp_path / name)
    with pytest.raises(FreqmapsError, match="must be"):
        (tmp_path / "a.h5").touch()
        read_weights(tmp_path / "a.h5")
    torch.save({"epoch": 3, "lr": 0.1}, tmp_path / "b.pt")
    with pytest.raises(FreqmapsError, match="no tensors by name"):
        read_weights(tmp_path / "b.pt")


@pytest.mark.parametrize("fits", [True, False])
def test_verify_answers_from_a_process_of_its_own(tmp_path, fits):
    path = foreign(tmp_path, "plain", tiny("small_cnn" if fits else "resnet_cifar").net.state_dict())
    question = {
        "path": str(path),
        "model": {"architecture": "small_cnn", "parameters": {"width": 4}, "normalise": "none"},
        "shape": {"classes": 10, "channels": 1, "size": 8},
    }
    command = [sys.executable, "-m", "freqmaps.models._verify", json.dumps(question)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == (0 if fits else 1), done.stderr
    if not fits:
        assert "do not fit" in done.stderr.strip().splitlines()[-1]
        assert len(done.stderr.strip().splitlines()) == 1
