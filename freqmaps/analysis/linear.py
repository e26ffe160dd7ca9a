"""Linear separability of single-image maps by class (Karantzas et al., section 3.2 and table 3)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from freqmaps.core.arrays import finite, labelled_rows
from freqmaps.core.errors import FreqmapsError

Rows = NDArray[np.float64]
_ITERATIONS = 1000


@dataclass(frozen=True)
class Separability:
    """Accuracy of a linear classifier that predicts the class from maps, and with shuffled labels as a control.

    Attributes
    ----------
    classes
        The labels compared, ascending.
    per_class, n
        Maps of each class that a split uses (as many as the smallest class has), and of all.
    tested
        Of these, maps of each class that a split tests on.
    left_out
        Classes with too few maps, and how many they have.
    train, test
        (splits,) accuracy on the maps that were fitted, and on the others.
    shuffled_train, shuffled_test
        (shuffles, splits) the same after the labels were shuffled.
    p_value
        ``(1 + #{shuffles: mean test accuracy >= the observed mean}) / (1 + shuffles)``; NaN without shuffles.
    chance
        Accuracy of guessing, ``1 / classes``.
    unconverged
        Fits that stopped at the most steps allowed.
    """

    classes: tuple[Any, ...]
    per_class: int
    n: int
    tested: int
    left_out: Mapping[Any, int]
    train: Rows
    test: Rows
    shuffled_train: Rows
    shuffled_test: Rows
    p_value: float
    chance: float
    unconverged: int


def half_planes(maps: ArrayLike) -> NDArray[Any]:
    """Return maps as rows without mirrored entries: the half of each plane, flattened, channels side by side.

    Parameters
    ----------
    maps
        (n, ..., h, w), point symmetric with the origin at ``[h // 2, w // 2]``.

    Returns
    -------
    ndarray, shape (n, ... * h * (w // 2 + 1))
    """
    from freqmaps.spectra.planes import to_half

    values = finite(maps, "maps")
    if values.ndim < 3:
        raise FreqmapsError(f"maps of shape {values.shape}; give (n, ..., h, w)")
    half = to_half(values)
    return half.reshape(len(half), int(np.prod(half.shape[1:])))


def separability(
    features: ArrayLike,
    labels: ArrayLike,
    *,
    splits: int = 20,
    test_share: float = 0.15,
    shuffles: int = 20,
    regularisation: float = 1.0,
    seed: int = 0,
) -> Separability:
    """Fit a linear classifier to maps and test it on others, with true and with shuffled labels.

    Each split takes as many maps of each class as the smallest one has, at random, and of these ``test_share`` of each
    class to test on. Multinomial logistic regression, ``min |w|² / 2 + C sum of log losses``. The control shuffles the
    labels of all maps, then does the same splits anew; its p-value is a permutation test of the mean test accuracy.

    ASSUME: shuffling once and fitting those labels is the control. The paper's released code draws the labels anew
    whenever a map is looked at, so that even training accuracy must stay at chance; fixed labels can be learned by
    heart where maps have more entries than there are maps, and only the test accuracy of the control says something.

    Parameters
    ----------
    features
        (n, ...) one map per row: :func:`half_planes`.
    labels
        (n,) their classes.
    splits, test_share
        How many splits; the part of each class to test on, in (0, 1).
    shuffles
        Times that labels are shuffled; each takes as long as the true labels. The smallest p-value is
        ``1 / (1 + shuffles)``.
    regularisation
        C of the regression, above 0: larger fits closer.
    seed
        Of splits and shuffles.

    Raises
    ------
    FreqmapsError
        Fewer than two classes with enough maps to test on one, settings out of range, NaN.
    """
    rows, names = labelled_rows(features, labels, "separability")
    _check(splits, test_share, shuffles, regularisation)
    tested = int(np.ceil(1 / (2 * test_share)))  # the fewest maps of which `test_share` rounds to one
    sizes = {name: int((names == name).sum()) for name in np.unique(names).tolist()}
    left_out = {name: size for name, size in sizes.items() if size < max(tested, 2)}
    classes = tuple(name for name in sizes if name not in left_out)
    if len(classes) < 2:
        raise FreqmapsError(
            f"separability: {len(classes)} classes have {max(tested, 2)} maps or more; two are needed to tell apart"
        )
    compared = ~np.isin(names, list(left_out))
    splitter = _Splits(
        _coordinates(rows[compared]), names[compared], test_share, regularisation, np.random.default_rng(seed)
    )
    scores = np.array([splitter.scores(splits, shuffle=number > 0) for number in range(1 + shuffles)])
    means = scores[:, :, 1].mean(axis=1)
    return Separability(
        classes=classes,
        per_class=splitter.each,
        n=splitter.each * len(classes),
        tested=splitter.tested,
        left_out=left_out,
        train=scores[0, :, 0],
        test=scores[0, :, 1],
        shuffled_train=scores[1:, :, 0],
        shuffled_test=scores[1:, :, 1],
        # Accuracies are counts over one number of maps: equal ones must not differ by rounding.
        p_value=float((1 + (means[1:] >= means[0] - 1e-12).sum()) / (1 + shuffles)) if shuffles else float("nan"),
        chance=1 / len(classes),
        unconverged=splitter.unconverged,
    )


def linear_responses(
    features: ArrayLike, labels: ArrayLike, *, folds: int | None = 5, regularisation: float = 1.0, seed: int = 0
) -> NDArray[np.float64]:
    """Return each map's responses of a linear classifier, one per class, before any normalisation.

    Parameters
    ----------
    features, labels
        As for :func:`separability`.
    folds
        Parts of the maps; each part's responses come from a classifier fitted to the other parts, so that classes that
        cluster do so on maps that were not fitted. None fits all maps and predicts them, as the paper's code nearly
        does (85 %).
    regularisation, seed
        Of the regression; of the choice of parts.

    Returns
    -------
    ndarray of float64, shape (n, classes)
        Classes ascending; ``w_c x + b_c``. For two classes the second column, and its negative as the first.

    Raises
    ------
    FreqmapsError
        Fewer than two classes, or a class with fewer maps than parts.
    """
    rows, names = labelled_rows(features, labels, "linear responses")
    classes, sizes = np.unique(names, return_counts=True)
    if len(classes) < 2 or sizes.min() < (folds or 1) or (folds is not None and folds < 2):
        raise FreqmapsError(
            f"linear responses: {len(classes)} classes, the smallest of {sizes.min()} maps, in {folds} parts; give two "
            "classes or more, and 2 parts or more but no more than the smallest class has maps"
        )
    points = _coordinates(rows)
    if folds is None:
        return _two_sided(_fit(points, names, regularisation).decision_function(points))
    responses = np.empty((len(points), len(classes)))
    for part in _parts(names, folds, np.random.default_rng(seed)):
        model = _fit(points[~part], names[~part], regularisation)
        responses[part] = _two_sided(model.decision_function(points[part]))
    return responses


class _Splits:
    """Balanced splits of labelled rows, and the classifier's accuracy on each."""

    def __init__(
        self,
        rows: Rows,
        names: NDArray[Any],
        test_share: float,
        regularisation: float,
        rng: np.random.Generator,
    ) -> None:
        self.rows, self.names, self.regularisation, self.rng = rows, names, regularisation, rng
        self.classes, sizes = np.unique(names, return_counts=True)
        self.each = int(sizes.min())
        self.tested = min(max(round(test_share * self.each), 1), self.each - 1)
        self.unconverged = 0

    def scores(self, splits: int, *, shuffle: bool) -> Rows:
        """Return (splits, 2): accuracy on fitted and on other maps."""
        names = self.rng.permutation(self.names) if shuffle else self.names
        return np.array([self._train_and_test_accuracy(names) for _ in range(splits)])

    def _train_and_test_accuracy(self, names: NDArray[Any]) -> tuple[float, float]:
        drawn = [self.rng.permutation(np.flatnonzero(names == c))[: self.each] for c in self.classes]
        test = np.concatenate([d[: self.tested] for d in drawn])
        train = np.concatenate([d[self.tested :] for d in drawn])
        model = _fit(self.rows[train], names[train], self.regularisation)
        self.unconverged += int(model.n_iter_.max() >= _ITERATIONS)
        return float(model.score(self.rows[train], names[train])), float(model.score(self.rows[test], names[test]))


def _fit(rows: Rows, names: NDArray[Any], regularisation: float) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=regularisation, max_iter=_ITERATIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # counted instead
        return model.fit(rows, names)


def _coordinates(rows: NDArray[Any]) -> Rows:
    """Return rows with the same inner products in as few columns as there are rows.

    The weights of an l2-penalised linear model are a combination of the rows, so an orthogonal change of coordinates
    within their span changes no prediction, and maps have many more entries than there are maps.
    """
    if rows.shape[1] <= rows.shape[0]:
        return rows.astype(np.float64)
    triangle: Rows = np.linalg.qr(rows.T.astype(np.float64), mode="r")  # type: ignore[assignment]
    return np.ascontiguousarray(triangle.T)


def _parts(names: NDArray[Any], folds: int, rng: np.random.Generator) -> list[NDArray[np.bool_]]:
    """Return ``folds`` disjoint selections that together are everything, each class spread evenly over them."""
    part = np.empty(len(names), dtype=np.int64)
    for name in np.unique(names):
        members = np.flatnonzero(names == name)
        part[rng.permutation(members)] = np.arange(len(members)) % folds
    return [part == number for number in range(folds)]


def _two_sided(decisions: Rows) -> Rows:
    return np.stack([-decisions, decisions], axis=1) if decisions.ndim == 1 else decisions


def _check(splits: int, test_share: float, shuffles: int, regularisation: float) -> None:
    if splits < 1 or shuffles < 0 or not 0 < test_share < 1 or not regularisation > 0:
        raise FreqmapsError(
            f"separability: splits {splits}, shuffles {shuffles}, test_share {test_share:g}, regularisation "
            f"{regularisation:g}; give 1 split or more, no negative shuffles, a share in (0, 1), a number above 0"
        )
