"""Which contract the store of a stage keeps."""

from __future__ import annotations

from freqmaps.core.errors import FreqmapsError, nearest
from freqmaps.stores import contracts
from freqmaps.stores.contract import Contract
from freqmaps.study.graph import PATHS

DECIDES_NUMBERS = False

#: The file that holds a stage's store, in its keyed folder.
STORE = "store.zarr.zip"

#: A contract is of the kind that its stage is called, but for these.
_KINDS = {"datasets": "dataset", "attacks": "adversarial"}


def contract_of(stage: str) -> Contract:
    """Return the contract that the stores of a stage keep.

    Raises
    ------
    FreqmapsError
        The stage has no stores.
    """
    known = {c.kind: c for c in vars(contracts).values() if isinstance(c, Contract)}
    stages = {s: known[_KINDS.get(s, s)] for s in PATHS if _KINDS.get(s, s) in known}
    if stage not in stages:
        raise FreqmapsError(f"stage '{stage}' has no stores; {nearest(stage, stages)}")
    return stages[stage]
