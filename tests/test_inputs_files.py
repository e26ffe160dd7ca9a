"""Checkpoints by the endings and in the wrappers that training frameworks give them, and files that are none."""

import re
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from freqmaps.core import components
from freqmaps.core.errors import ConfigError, FreqmapsError
from freqmaps.datasets import _dark
from freqmaps.models import build_classifier, load_converted
from freqmaps.study import precheck

ARGUMENTS = {"depth": 8, "width": 4}


def classifier(seed):
    return build_classifier("resnet_cifar", ARGUMENTS, classes=3, channels=3, size=16, seed=seed)


def prefixed(prefix, state):
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}


THEIRS = classifier(1).net.state_dict()
OTHER = classifier(2).net.state_dict()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("lightning.ckpt", {"epoch": 3, "state_dict": prefixed("model.", THEIRS) | {"loss.weight": torch.ones(2)}}),
        ("averaged.pt", prefixed("module.", THEIRS) | {"n_averaged": torch.tensor(5)}),
        ("model_best.pth.tar", {"epoch": 3, "state_dict": prefixed("module.", THEIRS), "best_acc1": torch.tensor(9.0)}),
        ("pytorch_model.bin", THEIRS),
        ("teacher.ckpt", {"state_dict": prefixed("net.", THEIRS) | prefixed("teacher.", OTHER)}),
        ("encoder.ckpt", {"state_dict": prefixed("encoder.trunk.", THEIRS) | {"projector.weight": torch.ones(2, 2)}}),
    ],
)  # fmt: skip
def test_the_network_is_found_among_what_lies_beside_it(tmp_path, name, content):
    torch.save(content, tmp_path / name)
    mine = classifier(0)
    converted = load_converted(tmp_path / name, mine)
    assert converted is not None  # jobs load what it becomes
    images = torch.rand(4, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(mine.eval()(images), classifier(1).eval()(images))


def test_two_networks_that_fit_are_not_chosen_between(tmp_path):
    torch.save(prefixed("student.", THEIRS) | prefixed("teacher.", OTHER), tmp_path / "two.pt")
    with pytest.raises(
        FreqmapsError, match=r"several networks that fit \(student\., teacher\.\); save the weights of one"
    ):
        load_converted(tmp_path / "two.pt", classifier(0))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "Git LFS .*run git lfs pull"),
        (b"\n<!DOCTYPE html><html>404</html>", "is a web page and not a file of weights"),
        (b"", "is empty"),
    ],
)
def test_files_that_are_no_weights_are_called_what_they_are(tmp_path, content, message):
    (tmp_path / "w.pt").write_bytes(content)
    with pytest.raises(FreqmapsError, match=message):
        load_converted(tmp_path / "w.pt", classifier(0))


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_a_torchscript_program_is_refused_with_what_to_do(tmp_path):
    torch.jit.trace(classifier(0).net.eval(), torch.rand(1, 3, 16, 16)).save(tmp_path / "t.pt")
    with pytest.raises(FreqmapsError, match=r"TorchScript program.*torch\.jit\.load\(path\)\.state_dict\(\)"):
        load_converted(tmp_path / "t.pt", classifier(0))


def test_a_parameter_of_another_kind_is_said_to_be_there():
    found = components.find("dataset", "image_folder")
    with pytest.raises(ConfigError, match=r"no parameter 'white'; .*\(arrays, deep_image_folder have it\)"):
        components.fill(found, {"root": "x", "white": 4095}, where="datasets.d")


def test_floats_in_an_image_folder_are_told_before_work(tmp_path):
    for label in "ab":
        (tmp_path / "f" / label).mkdir(parents=True)
        for i in range(2):
            Image.fromarray(np.full((8, 8), 0.5, np.float32)).save(tmp_path / "f" / label / f"{i}.tif")
    with pytest.raises(ConfigError, match=r"holds floating-point pixels.*'deep_image_folder'"):
        _dark.of_folders(root=str(tmp_path / "f"))


# --- files that are not what their names say


def _half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _zip_of_text(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "weights are elsewhere")


def _folder(path):
    path.unlink()
    path.mkdir()
    (path / "epoch_3.pt").touch()


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("x.pt", lambda path: path.write_bytes(b""), r"is empty \(0 bytes\); copy or download"),
        ("x.safetensors", lambda path: path.write_bytes(b""), r"is empty \(0 bytes\); copy or download"),
        ("x.pt", _half, r"is cut short \(\d+ bytes, its end is missing\); copy or"),
        ("x.safetensors", _half, r"is cut short \(\d+ bytes of \d+\); copy or download"),
        (
            "x.safetensors",
            lambda path: path.write_bytes(path.read_bytes()[:60]),
            r"is cut short .*header alone has",
        ),
        ("x.safetensors", lambda path: torch.save({"w": torch.ones(2)}, path), r"is a file of torch .* end in \.pt"),
        ("x.pt", _zip_of_text, r"is an archive without weights of torch \(it holds readme\.txt\); unpack it"),
        ("x.safetensors", lambda path: path.write_text("<!DOCTYPE html><html>"), r"is a web page and not a file of"),
        (
            "x.safetensors",
            lambda path: path.write_text("version https://git-lfs.github.com/spec/v1"),
            r".* git lfs pull",
        ),
        ("x.pt", _folder, r"is a folder and not a file of weights; name one of its files, such as epoch_3\.pt"),
        ("x.pt", lambda path: path.unlink(), r"no such file of weights; correct the path"),
    ],
)
def test_a_broken_file_is_told_what_it_is_and_what_to_do(tmp_path, name, change, message):
    state, path = classifier(0).net.state_dict(), tmp_path / name
    save_file(state, path) if name.endswith("safetensors") else torch.save(state, path)
    load_converted(path, classifier(1))  # as it was written it loads
    change(path)
    with pytest.raises(FreqmapsError, match=rf"^{re.escape(str(path))}: {message}"):
        load_converted(path, classifier(1))


def test_a_checkpoint_that_is_not_there_is_told_with_what_is(tmp_path):
    (tmp_path / "resnet20_best.pt").touch()
    with pytest.raises(ConfigError, match=r"^m\.checkpoint: no such file: .*correct the path.* has resnet20_best\.pt$"):
        precheck.digest(tmp_path / "resnet20-best.pt", "m.checkpoint")
    with pytest.raises(ConfigError, match=r"^m\.checkpoint: .* is a folder; name the file .* has resnet20_best\.pt$"):
        precheck.digest(tmp_path, "m.checkpoint")


def test_a_normalisation_that_a_checkpoint_brings_is_told(tmp_path, caplog):
    theirs = classifier(0)
    state = theirs.net.state_dict()
    channels = theirs.recipe.channels
    torch.save(state | {"mu": torch.full((channels,), 0.25), "sigma": torch.full((channels,), 0.5)}, tmp_path / "x.pt")
    with caplog.at_level("INFO", logger="freqmaps"):
        load_converted(tmp_path / "x.pt", classifier(1))
    said = "its own mean " + str([0.25] * channels) + " and std " + str([0.5] * channels)
    assert f"{said} take the place of what 'normalise' says" in caplog.text
    caplog.clear()
    torch.save(state, tmp_path / "y.pt")
    with caplog.at_level("INFO", logger="freqmaps"):
        load_converted(tmp_path / "y.pt", classifier(1))
    assert "normalise" not in caplog.text
