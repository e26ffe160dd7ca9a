"""Made-up results of the evaluation ``idcor_by_size``, with known values."""

from math import nan

import pandas as pd

from freqmaps.evaluation import idcor_by_size
from freqmaps.results.reader import Inputs
from tests.synthetic_robustness import _result

ITEMS = ("B25-X4",)
PLACE = {"dataset": "toy", "model": "net", "training": "plain", "seed": "0"}
SIZES = {200: 5, 400: 2, 1000: 1}
#: By pairs, use, entries, reading and estimator: IdCor on 200, 400 and 1000 images.
VALUES = {
    ("matched", "all", "all", "made", "twonn"): (-0.9, -0.6, -0.4),
    ("matched", "all", "all", "cleaned", "twonn"): (0.3, 0.5, 0.62),
    ("matched", "all", "all", "made", "mle_20"): (0.1, 0.2, 0.3),
    ("matched", "all", "all", "cleaned", "mle_20"): (0.1, 0.2, 0.3),
    ("matched", "kept", "all", "made", "twonn"): (-0.8, -0.7, -0.6),
    ("same_class", "all", "all", "made", "twonn"): (-0.9, -0.6, -0.4),
    ("same_class", "all", "all", "cleaned", "twonn"): (0.0, 0.1, 0.2),
    ("matched", "all", "origin", "made", "twonn"): (0.3, 0.3, 0.3),
    ("matched", "all", "no_origin", "made", "twonn"): (-0.5, -0.4, -0.3),
}


def inputs_of(root, values=VALUES, sizes=SIZES, evaluation="by-size"):
    """Return an evaluation of these values."""
    rows = []
    for (pairs, used, entries, reading, estimator), found in values.items():
        for (size, parts), value in zip(sizes.items(), found, strict=False):
            rows.append({
                "images": "adversarial", "attack": "pgd", "against": "self", "pairs": pairs, "used": used,
                "entries": entries, "reading": reading, "estimator": estimator, "parts": parts, "size": size,
                "measure": "idcor", "value": value, "n": size, "low": nan, "high": nan, "sd": 0.1 if parts > 1 else nan,
                "id_x": 10.0, "id_y": 12.0, "id_xy": 18.0, "p_value": 0.02,
            })  # fmt: skip
    parameters = {"evaluation": {"kind": "idcor_by_size", "parameters": {}}, "samples": {}}
    result = _result(root, "evaluation", PLACE | {"evaluation": evaluation}, parameters)
    pd.DataFrame(rows or [idcor_by_size._NOTHING]).to_csv(result.folder / "evaluation.csv", index=False)
    return Inputs([result])
