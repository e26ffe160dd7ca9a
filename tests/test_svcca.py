"""SVCCA, ours and as the authors' library computes it, against scikit-learn, closed forms and the steps written out."""

import numpy as np
import pytest
from scipy.stats import ortho_group
from sklearn.cross_decomposition import CCA
from sklearn.decomposition import PCA

from freqmaps.correlation.metrics import svcca, svcca_released
from tests.test_correlation import pair


def slow_svcca(x, y, variance):
    """Scikit-learn's PCA to a share of the variance, then its CCA, and plain correlations of the canonical variates."""
    a, b = (PCA(n_components=variance, svd_solver="full").fit_transform(m.astype(np.float64)) for m in (x, y))
    k = min(a.shape[1], b.shape[1])
    u, v = CCA(n_components=k, scale=False, max_iter=20000, tol=1e-12).fit_transform(a, b)
    return np.mean([np.corrcoef(u[:, i], v[:, i])[0, 1] for i in range(k)]), a.shape[1], b.shape[1]


@pytest.mark.parametrize(("n", "d"), [(200, 8), (40, 60)])
@pytest.mark.parametrize("variance", [0.5, 0.9])
def test_svcca_equals_scikit_learn(n, d, variance):
    scales = np.geomspace(3, 0.3, d).astype(np.float32)
    x, y = (m * scales for m in pair(n, d))
    found = svcca.compute(x, y, seed=0, variance=variance)
    expected, k_x, k_y = slow_svcca(x, y, variance)
    assert (found.extra["components_x"], found.extra["components_y"]) == (k_x, k_y)
    assert found.value == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("n", "d"), [(200, 8), (60, 90)])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_svcca_as_released_equals_the_steps_written_out(n, d, share):
    """Reduce without centring, by the sum of singular values and one component fewer; then correlate, centred."""
    scales = np.geomspace(3, 0.3, d).astype(np.float32)
    x, y = (m * scales + 0.5 for m in pair(n, d))
    scores = []
    for matrix in (x, y):
        _, singular, right = np.linalg.svd(matrix.astype(np.float64), full_matrices=False)
        k = int((np.cumsum(singular) / singular.sum() < share).sum())
        scores.append(matrix @ right[:k].T)
    k = min(s.shape[1] for s in scores)
    u, v = CCA(n_components=k, scale=False, max_iter=20000, tol=1e-12).fit_transform(*scores)
    found = svcca_released.compute(x, y, seed=0, variance=share)
    assert (found.extra["components_x"], found.extra["components_y"]) == tuple(s.shape[1] for s in scores)
    assert found.value == pytest.approx(np.mean([np.corrcoef(u[:, i], v[:, i])[0, 1] for i in range(k)]), abs=1e-4)
    assert svcca.compute(x, y, seed=0, variance=share).value != pytest.approx(found.value, abs=1e-3)


def test_svcca_closed_form_of_two_columns():
    # With one column each, the canonical correlation is the size of Pearson's.
    x, y = pair(100, 1)
    assert svcca.compute(x, y, seed=0).value == pytest.approx(abs(np.corrcoef(x[:, 0], y[:, 0])[0, 1]), abs=1e-7)


def test_svcca_ignores_rotation_and_shift():
    x, y = pair(150)
    turn = ortho_group.rvs(6, random_state=0)
    assert svcca.compute(x @ turn + 3, y, seed=0).value == pytest.approx(svcca.compute(x, y, seed=0).value, abs=1e-5)


def test_svcca_says_when_every_correlation_is_one():
    x, y = pair(20, 40)
    found = svcca.compute(x, y, seed=0, variance=0.9999)
    assert np.isnan(found.value)
    assert "take more rows" in found.reason


def test_svcca_chance_level_of_unrelated_data():
    x, y = np.random.default_rng(0).standard_normal((2, 300, 30))
    found = svcca.compute(x, y, seed=0)
    a, b = (PCA(n_components=0.99).fit_transform(m) for m in (x, y))
    a, b = np.linalg.qr(a)[0], np.linalg.qr(b)[0]
    rms = np.sqrt(np.mean(np.linalg.svd(a.T @ b, compute_uv=False) ** 2))
    assert found.extra["chance"] == pytest.approx(rms, rel=0.1)
    assert found.extra["trivial"] == 0
    # The root mean square is at least the mean.
    assert found.value <= found.extra["chance"] * 1.1


def test_svcca_counts_correlations_that_are_one_by_necessity():
    x, y = np.random.default_rng(0).standard_normal((2, 50, 30))
    found = svcca.compute(x, y, seed=0)
    a, b = (np.linalg.qr(PCA(n_components=0.99).fit_transform(m))[0] for m in (x, y))
    ones = (np.linalg.svd(a.T @ b, compute_uv=False) > 1 - 1e-9).sum()
    assert found.extra["trivial"] == ones > 0
