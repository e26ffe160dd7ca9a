"""Compare two finished results roots by what the results mean, not by their keys: has new code moved numbers?

python -m benchmarks.compare_roots BEFORE AFTER                # per stage: how many are equal, the largest difference
python -m benchmarks.compare_roots BEFORE AFTER --tables A B   # also the tables of two `results/tables` folders

Results are matched by stage and names; roots from before images and attacks had names of their own are read, too.
"""

from __future__ import annotations

import argparse
import collections
import re
import sys
from pathlib import Path

from freqmaps.results import compare as results
from freqmaps.results.scan import KeyedFolder, scan

#: Parts of names that say nothing another part does not say.
_SILENT = {"adversarial", "transferred", "none", "self"}
NOTHING = results.Difference(0.0, 0.0, "")


def identity(one: KeyedFolder) -> tuple[str, ...]:
    """Return what a result is: its stage and its names, however they are spelled."""
    spec = one.manifest["spec"]
    names = {k: v for k, v in spec["names"].items() if k != "training"}
    parts = [p for value in names.values() for p in re.split(r"@|(?<=^noise)-", str(value))]
    training = spec["names"].get("training", "")
    return (one.manifest["stage"], training, *sorted({p for p in parts if p not in _SILENT and p != training}))


def compare(before: Path, after: Path) -> int:
    one = {identity(f): f for f in scan(before) if f.manifest}
    other = {identity(f): f for f in scan(after) if f.manifest}
    stages = collections.defaultdict(list)
    for what in one.keys() & other.keys():
        largest = max(results.compare(one[what].folder, other[what].folder), default=NOTHING)
        stages[what[0]].append((largest.absolute, largest.what, "/".join(what[1:])))
    for stage, found in stages.items():
        equal, worst = sum(d == 0 for d, _, _ in found), max(found)
        place = f"{worst[1]}, {worst[2]}"
        print(f"{stage:12s} {len(found):4d} in both, {equal:4d} bit for bit; largest {worst[0]:.3g} ({place})")
    for what, missing in (("only before", one.keys() - other.keys()), ("only after", other.keys() - one.keys())):
        counted = collections.Counter(m[0] for m in missing)
        print(f"{what}: {dict(counted) or 'none'}")
    return sum(d > 0 for found in stages.values() for d, _, _ in found)


def compare_tables(before: Path, after: Path) -> int:
    apart = 0
    for path in sorted(before.glob("*.csv")):
        if not (after / path.name).exists():
            print(f"{path.name}: only before")
            continue
        a, b = dict(results.columns(path)), dict(results.columns(after / path.name))
        found = sorted(((results.difference(n, a[n], b[n]).absolute, n) for n in a.keys() & b.keys()), reverse=True)
        lost = sorted(a.keys() - b.keys())
        apart += sum(d > 0 for d, _ in found)
        worst = f"largest {found[0][0]:.3g} ({found[0][1]})" if found else "no numbers"
        print(f"{path.name}: {len(found)} columns, {worst}{f'; lost {lost}' if lost else ''}")
    return apart


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--tables", nargs=2, type=Path, metavar=("BEFORE", "AFTER"))
    given = parser.parse_args()
    apart = compare(given.before, given.after)
    if given.tables:
        apart += compare_tables(*given.tables)
    print(f"{apart} differ")
    return int(apart > 0)


if __name__ == "__main__":
    sys.exit(main())
