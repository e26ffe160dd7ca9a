"""The Python of the guides runs as it stands there; other kinds have such a test of theirs."""

import re

import numpy as np
import pytest
import torch

from freqmaps.core import components
from freqmaps.models import build_classifier, check_classifier
from freqmaps.models._classifier import Classifier, Recipe
from freqmaps.publish.api import Figure, Table
from freqmaps.results.reader import Inputs
from tests import keyed_results, synthetic_study
from tests.tiny_models import tiny
from tests.workflow import REPOSITORY


def code(page, number=0):
    """Return a block of Python of a page."""
    text = (REPOSITORY / "docs" / page).read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.S)[number]


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Make a component of a page's first block; return its function, and the parameters it is tested with."""

    def made(kind, page, function):
        name = f"docs_{page.removesuffix('.md').replace('-', '_')}"
        (tmp_path / f"{name}.py").write_text(code(page), encoding="utf-8")
        monkeypatch.chdir(tmp_path)
        found = components.find(kind, f"{name}:{function}")
        return components.load(kind, f"{name}:{function}"), found.constants.get("TINY", {})

    return made


def test_the_model_of_its_guide_is_a_classifier(load):
    build, parameters = load("model", "add-a-model.md", "build")
    net = build(classes=3, channels=1, size=8, **parameters)
    check_classifier(Classifier(net, Recipe("docs", {}, 3, 1, 8)), torch.rand(4, 1, 8, 8), where="docs")


def test_the_metric_of_its_guide_is_the_correlation_of_the_rows_means(load):
    compute, parameters = load("metric", "add-a-metric.md", "compute")
    x, y = np.random.default_rng(0).random((2, 40, 6)).astype(np.float32)
    found = compute(x, x + 0.1 * y, seed=0, **parameters)
    assert found.value == pytest.approx(np.corrcoef(x.mean(axis=1), (x + 0.1 * y).mean(axis=1))[0, 1], abs=1e-5)


def test_the_basis_of_its_guide_is_orthonormal_with_the_right_gradient(load):
    build, parameters = load("basis", "add-a-basis.md", "build")
    x = torch.rand(2, 3, 8, 8, dtype=torch.float64)
    build(**parameters).bind(tiny(channels=3).eval(), x.float())
    plan = components.module(components.find("basis", "docs_add_a_basis:build")).WalshPlan(x)
    coefficients = plan.coefficients(x)
    torch.testing.assert_close(plan.synthesise(coefficients, torch.ones_like(x)), x)
    torch.testing.assert_close((coefficients[0] ** 2).sum(), (x**2).sum())
    m, towards = torch.rand_like(x).requires_grad_(), torch.rand_like(x)
    (plan.synthesise(coefficients, m) * towards).sum().backward()
    torch.testing.assert_close(plan.pull_back(towards, coefficients, m.detach()), m.grad)


def test_the_objective_of_its_guide_has_the_gradient_of_its_penalty(load):
    build, parameters = load("objective", "add-an-objective.md", "build")
    objective = build(**parameters)
    logits = torch.rand(2, 5)
    context = objective.prepare(logits, torch.zeros(2, dtype=torch.int64))
    shifted = objective.loss(logits + 2, torch.zeros(2, dtype=torch.int64), context)
    torch.testing.assert_close(shifted, torch.full((2,), 20.0))  # 5 logits, each 2 away
    m = torch.rand(2, 1, 4, 4, dtype=torch.float64).requires_grad_()
    value, gradient = objective.penalty(m, torch.ones(4, 4, dtype=torch.float64))
    value.sum().backward()
    torch.testing.assert_close(gradient.to(m.dtype), m.grad)


def test_the_item_of_its_guide_is_made_of_a_finished_study(load, tmp_path):
    build, _ = load("item", "add-an-item.md", "build")
    made = build(Inputs(synthetic_study.make(tmp_path / "results")))
    assert isinstance(made, Figure | Table) and made.notes is not None


def test_the_lines_of_the_guide_to_models_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights").mkdir()
    theirs = build_classifier("resnet_cifar", {"depth": 20}, classes=10, channels=3, size=32, seed=1)
    torch.save(theirs.net.state_dict(), "weights/resnet20.pt")
    text = code("add-a-model.md", 1)
    lines = [line for line in text.splitlines() if "load_classifier(" not in line or "import" in line]
    told = {"images": torch.rand(2, 3, 32, 32)}  # the last line names a result that is the reader's
    exec(compile("\n".join(lines), "docs/add-a-model.md", "exec"), told)
    with torch.no_grad():
        assert torch.equal(told["logits"], theirs.eval()(told["images"]))


def test_the_lines_of_the_page_on_analysis_run(tmp_path, monkeypatch, capsys):
    keyed_results.make(tmp_path / "results")
    monkeypatch.chdir(tmp_path)
    text = code("analysis.md").replace('"natural"', '"plain"').replace('"pgd-at"', '"plain"')
    lines = [line for line in text.splitlines() if "print(separability" not in line]  # these maps are of one class
    exec(compile("\n".join(lines), "docs/analysis.md", "exec"), {})
    shares = [float(word) for word in capsys.readouterr().out.replace("[", " ").replace("]", " ").split()]
    assert shares and set(shares) == {0.5}  # maps compared with themselves
