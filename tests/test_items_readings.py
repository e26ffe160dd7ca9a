"""IdCor as made, cleaned and with the released constant, side by side in tables and in a sentence."""

from __future__ import annotations

from math import nan

from freqmaps.papers.b25 import _readings

ROW = {"idcor": -0.33, "p_value": 0.02, "idcor_cleaned": 0.47, "idcor_cleaned_p_value": 0.01}


def test_a_sentence_says_whether_the_sign_depends_on_the_reading():
    row = ROW | {"idcor_released": 0.31, "idcor_released_p_value": 0.05}
    (told, meaning) = _readings.sentences([("pgd", row)])
    assert told.startswith(
        "IdCor of pgd: as made −0.33 (p 0.02), cleaned +0.47 (p 0.01), released constant +0.31 (p 0.05)"
    )
    assert "its sign depends on how entries just above 0 are treated" in told and "below 1e-3" in meaning
    (told, _) = _readings.sentences([("", row | {"idcor": 0.2})])
    assert told.startswith("IdCor: as made +0.20") and told.endswith("its sign is the same.")


def test_what_was_not_computed_is_left_out():
    row = ROW | {"idcor_released": nan, "idcor_released_p_value": nan}
    assert "released" not in _readings.sentences([("pgd", row)])[0]
    assert _readings.sentences([("pgd", row | {"idcor_cleaned": nan})]) == []
    assert _readings.sentences([("pgd", row | {"idcor": nan})]) == []
    assert set(_readings.readings({})) == {column for m in _readings.OTHERS for column in (m, f"{m}_p_value")}
