"""One finished result: what the config calls it, where it lies, and what its manifest records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Result:
    """A finished result: its stage, names, folder and manifest.

    Attributes
    ----------
    stage
        One of :data:`freqmaps.stages.PATHS`.
    names
        The names that the config gives it: among ``dataset``, ``model``, ``training``, ``seed``, ``maps``,
        ``group_maps``, ``images`` (what maps are made of: ``essential``, ``adversarial``, ``transferred`` or
        ``noise``), ``attack`` (``none`` where there is none), ``against`` (the training attacked, ``self`` if it is
        the mapped one), ``pairing``, ``metric``, ``evaluation`` and ``range`` (``"test-0-1024"``).
    folder
        Its keyed folder.
    manifest
        The content of its ``manifest.json``.
    """

    stage: str
    names: Mapping[str, str]
    folder: Path
    manifest: Mapping[str, Any]

    def component(self, role: str) -> tuple[str, dict[str, Any]] | None:
        """Return kind and parameters of the component that played a role (``attack``, ``model``, …), if recorded.

        It is read from the spec, ``spec["parameters"][role] = {"kind": …, "parameters": {…}}`` (``architecture`` for
        a model; a dataset's spec is the entry itself): names are the user's to choose and say nothing about what ran.
        """
        parameters = self.manifest.get("spec", {}).get("parameters", {})
        entry = parameters if f"{role}s" == self.stage and "kind" in parameters else parameters.get(role)
        kind = entry.get("kind", entry.get("architecture")) if isinstance(entry, Mapping) else None
        return None if kind is None else (str(kind), dict(entry.get("parameters", {})))
