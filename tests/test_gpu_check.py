"""make gpu-check: everything but the GPU."""

import subprocess
import sys

import pytest
import torch

from benchmarks import gpu_check
from benchmarks.gpu_check import Check, Sizes
from freqmaps.core.memory import bytes_per_image, saved_bytes

TINY = Sizes(images=4, steps=2, single_steps=2, repetitions=1, trained=200)
CPU = torch.device("cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_it_says_so_before_any_work():
    done = subprocess.run([sys.executable, "-m", "benchmarks.gpu_check"], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == "gpu-check: torch finds no GPU here; run it where nvidia-smi lists one\n"


def counted(work):
    """Count what autograd keeps while the work runs: a lower bound of what it takes."""
    sizes = {}

    def pack(tensor):
        sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        work()
    return sum(sizes.values())


def test_the_page_has_every_figure_with_its_bound():
    made = list(gpu_check.pages(CPU, lambda: (True, "3 passed"), TINY, "a pretended GPU", counted))
    assert [len(text.splitlines()) for text, _ in made] == list(range(8, 18 + 1))
    text, kept = made[-1]
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    assert len(rows) == 10 and all(row.endswith("| yes |") for row in rows if "memory" in row)
    assert "a pretended GPU; " in text and "Tests marked `gpu`: passed (3 passed)." in text
    assert "at least 500 | **no**" in text and not kept  # no CPU makes 500 maps at once
    failed, kept = next(gpu_check.pages(CPU, lambda: (False, "1 failed"), TINY, "x", counted))
    assert not kept
    assert "**failed** (1 failed)" in failed


def test_a_figure_lies_on_one_side_of_its_bound():
    assert Check("a", 2.0, ">=", 2.0, "").kept and not Check("a", 1.9, ">=", 2.0, "").kept
    assert Check("a", 2.0, "<=", 2.0, "").kept and not Check("a", 2.1, "<=", 2.0, "").kept
    assert Check("a", 2.0, "", 0.0, "b").row == "| b | 2 |  |  |"  # told, not judged


def test_the_estimate_of_memory_is_held_against_what_was_taken():
    taken, estimated = gpu_check.memory(CPU, 8, counted)
    net = gpu_check.bench_maps.resnet20(10, 3, CPU)
    one = torch.rand(1, 3, 32, 32)
    assert estimated == 8 * bytes_per_image(net, one)
    assert 0.5 * 8 * saved_bytes(net, one) < taken < estimated
