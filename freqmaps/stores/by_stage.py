"""The contract that the store of each stage must keep."""

from __future__ import annotations

from freqmaps.core.errors import FreqmapsError, nearest
from freqmaps.stages import STAGES, STORE
from freqmaps.stores import contracts
from freqmaps.stores.contract import Contract

DECIDES_NUMBERS = False

__all__ = ["STORE", "contract_of"]


def contract_of(stage: str) -> Contract:
    """Return the contract that the stores of a stage keep.

    Raises
    ------
    FreqmapsError
        The stage has no stores.
    """
    named = {name: declaration.contract for name, declaration in STAGES.items() if declaration.contract is not None}
    if stage not in named:
        raise FreqmapsError(f"stage '{stage}' has no stores; {nearest(stage, named)}")
    contract: Contract = getattr(contracts, named[stage])
    return contract
