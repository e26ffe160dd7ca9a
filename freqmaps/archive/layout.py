"""The layout of an archive: which files it holds, under which names and in which order.

An archive is a zip file without compression (stores are compressed already), with fixed dates and in fixed order: the
same results give the same bytes.

* ``index.json``: format and version, which results were chosen, which inputs were left out;
* ``catalog.csv``: the catalog of what is in it;
* ``SHA256SUMS``: of every other member, as ``sha256sum -c`` reads it;
* ``results/<path below a results root>/<file>``: what each manifest names, its manifest last.
"""

from __future__ import annotations

import re

DECIDES_NUMBERS = False

FORMAT, VERSION = "freqmaps archive", 1
INDEX, CATALOG, SUMS = "index.json", "catalog.csv", "SHA256SUMS"
RESULTS = "results/"

#: What a result's file may be called: no folder, nothing hidden.
FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
BLOCK = 1 << 20


def sums_text(digests: dict[str, str]) -> str:
    """Return ``SHA256SUMS``.

    >>> sums_text({"a": "0" * 64}).splitlines() == ["0" * 64 + "  a"]
    True
    """
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))


def read_sums(text: str) -> dict[str, str] | None:
    """Return what :func:`sums_text` wrote, by name; None if it is something else."""
    digests = {}
    for line in text.splitlines():
        parts = re.fullmatch(r"([0-9a-f]{64})  (\S.*)", line)
        if parts is None or parts[2] in digests:
            return None
        digests[parts[2]] = parts[1]
    return digests
