"""All benchmarks, one after another: each a ratio from one run, printed with its bound and saved as JSON.

python -m benchmarks                # everything (about a quarter of an hour on 2 cores)
python -m benchmarks maps idcor     # some
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path

from freqmaps.core.files import write_text
from freqmaps.core.processor import processor
from freqmaps.provenance.manifest import libraries, origin

PARTS = (
    "atlas", "stores", "idcor", "maps", "group_maps", "regularisers", "robustness", "corruptions", "orchestration",
    "throughput",
)  # fmt: skip

#: What is promised, and on which side of it a figure must lie.
BOUNDS = {
    "atlas_load_seconds": ("<=", 4.0),
    "atlas_frame_milliseconds_95_percent": ("<=", 1000 / 60),
    "maps_vs_one_at_a_time": (">=", 6.0),
    "maps_step_vs_bare_gradient": ("<=", 1.15),
    "maps_step_vs_plain_gradient": ("<=", 0.85),
    "maps_step_vs_plain_gradient_compiled": ("<=", 0.85),
    "maps_step_vs_bare_gradient_compiled": ("<=", 0.85),
    "maps_compiled_vs_one_at_a_time": (">=", 9.0),
    "masks_vs_one_at_a_time": (">=", 1.0),
    "maps_agreement_median_cosine": (">=", 0.999),
    "group_maps_whole_epoch_vs_bare_gradient": ("<=", 1.2),
    "group_maps_class_epoch_vs_bare_gradient": ("<=", 1.2),
    "corruptions_slowest_images_per_second": (">=", 400.0),
    "training_step_jafr_vs_standard": ("<=", 2.6),
    "idcor_vs_direct": (">=", 40.0),
    "idcor_max_abs_difference": ("<=", 1e-3),
    "attack_pgd_folded_vs_plain": ("<=", 0.85),
    "pgd_with_leaving_vs_without": (">=", 3.0),
    "pgd_with_leaving_vs_without_half_robust": (">=", 1.3),
    "pgd_with_leaving_differs": ("<=", 0),
    "heat_map_vs_one_vector_at_a_time": (">=", 1.8),
    "heat_map_differs": ("<=", 0.002),
    "store_bytes_vs_raw": ("<=", 0.1),
    "store_files_per_10000_maps": ("<=", 20),
    "store_share_of_chunks_read_for_100_of_10000": ("<=", 0.02),
    "orchestration_startup_share": ("<=", 0.25),
    "dry_run_seconds": ("<=", 5.0),
    "default_study_jobs": ("<=", 150),
    "default_study_seconds": ("<=", 540.0),
}

RESULTS = Path(__file__).with_name("results.json")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"which of {', '.join(PARTS)}; all without")
    chosen = parser.parse_args().parts or PARTS
    of_code = origin()  # before the file of the figures, which is tracked, is changed
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for part in chosen:
        print(f"{part} ...", flush=True)
        figures = importlib.import_module(f"benchmarks.bench_{part}").run()
        found.update(figures)
        for name, value in figures.items():
            print(f"  {name:50s} {_show(value):>12s}  {_verdict(name, value)}", flush=True)
        found["machine"] = {"cores": os.cpu_count(), "processor": processor()}
        found["provenance"] = {**of_code, "date": datetime.now(UTC).isoformat(timespec="seconds"), **libraries()}
        write_text(RESULTS, json.dumps(found, indent=1) + "\n")
    print(f"saved in {RESULTS}")


def _show(value: object) -> str:
    return f"{value:.5g}" if isinstance(value, int | float) else str(value)


def _verdict(name: str, value: float) -> str:
    if name not in BOUNDS:
        return ""
    side, bound = BOUNDS[name]
    kept = value >= bound if side == ">=" else value <= bound
    return f"bound {side} {bound:.4g}: {'kept' if kept else 'NOT KEPT'}"


if __name__ == "__main__":
    main()
