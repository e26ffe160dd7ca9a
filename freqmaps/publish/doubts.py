"""The warnings that results carry in their manifests, as notes of tables, figures and the report."""

from __future__ import annotations

from freqmaps.results.reader import Inputs

DECIDES_NUMBERS = False


def warnings(inputs: Inputs) -> list[str]:
    """Return the sentences that the manifests of results carry (:mod:`freqmaps.study.doubts`), each once."""
    return list(
        dict.fromkeys(sentence for result in inputs.results for sentence in result.manifest.get("warnings", ()))
    )
