"""Paths of a config: the home folder and environment variables are looked up, what is not set is one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from freqmaps.core.errors import ConfigError
from freqmaps.core.paths import expanded
from freqmaps.study.build import study
from freqmaps.study.config import read_files
from tests.workflow import REPOSITORY


def test_variables_and_home_are_looked_up(monkeypatch, tmp_path):
    monkeypatch.setenv("SCRATCH_OF_MINE", str(tmp_path))
    monkeypatch.setenv("HOME", "/home/me")
    assert expanded("$SCRATCH_OF_MINE/x") == expanded("${SCRATCH_OF_MINE}/x") == tmp_path / "x"
    assert expanded("~/y") == Path("/home/me/y") and expanded("a/b") == Path("a/b")


def test_what_is_not_set_is_refused_and_what_exists_is_taken_as_it_stands(monkeypatch, tmp_path):
    monkeypatch.delenv("SCRATCH_OF_MINE", raising=False)
    with pytest.raises(ConfigError, match="the environment variable SCRATCH_OF_MINE is not set; set it"):
        expanded("$SCRATCH_OF_MINE/x")
    (tmp_path / "$5 & $TEN").mkdir()
    assert expanded(str(tmp_path / "$5 & $TEN")) == tmp_path / "$5 & $TEN"


def test_the_results_root_may_have_a_variable(monkeypatch, tmp_path):
    raw = read_files([REPOSITORY / "config.yaml"]) | {"results": "$SCRATCH_OF_MINE/results"}
    monkeypatch.setenv("SCRATCH_OF_MINE", str(tmp_path))
    assert study(raw).root == tmp_path / "results"
    monkeypatch.delenv("SCRATCH_OF_MINE")
    with pytest.raises(ConfigError, match=r"^results: '\$SCRATCH_OF_MINE/results': the environment variable"):
        study(raw)
