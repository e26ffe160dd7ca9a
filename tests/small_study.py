"""The least study that has every kind of stage: seven results, a table and the report."""

from __future__ import annotations

from pathlib import Path

import yaml

STUDY = {
    "study": "small",
    "datasets": {"digits": {"kind": "digits", "test_fraction": 0.1}},
    "trainings": {"standard": {"epochs": 2}},
    "maps": {"ce": {"min_steps": 10, "max_steps": 10}},
    "attacks": {"fgsm": {"kind": "fgsm", "epsilon": 0.2}},
    "metrics": {"svcca": {"kind": "svcca"}},
    "simulations": {"f21-theorems": None},  # half a minute; the other one takes a second
    "runs": [
        {
            "datasets": ["digits"], "models": ["small-cnn"], "trainings": ["standard"], "samples": {"first": 30},
            "attacks": ["fgsm"], "maps": ["ce"], "metrics": ["svcca"],
        }
    ],
    "items": [{"item": "B25-T1", "attacks": ["fgsm"]}],
    "atlas": {"samples": 0},
}  # fmt: skip
#: The same, and another metric of the same maps.
MORE = STUDY | {"metrics": STUDY["metrics"] | {"cosine": {"kind": "cosine"}}}
MORE["runs"] = [STUDY["runs"][0] | {"metrics": ["svcca", "cosine"]}]


def write_studies(folder: Path) -> None:
    """Write both as overlays, ``small.yaml`` and ``more.yaml``."""
    (folder / "small.yaml").write_text(yaml.safe_dump(STUDY))
    (folder / "more.yaml").write_text(yaml.safe_dump(MORE))
