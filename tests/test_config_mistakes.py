"""Mistakes in a config: one sentence that names key, value and nearest name."""

import re

import pytest

from freqmaps.core.errors import ConfigError
from freqmaps.study import config
from freqmaps.study.build import study
from tests.default_config import ANY_BASIS, base, changed, in_run

MISTAKES = {
    "an item that shows what the evaluation does not keep": (
        changed(evaluations={n: {"examples": 0} for n in ("f21-spectra", "f21-spectra-mse")}, items=["F21-F1"]),
        "items[0] (F21-F1): 'evaluations.f21-along.examples' is 0, and the item needs it in [1, inf)",
    ),
    "unknown key": (changed(dataset={}), "config: unknown key 'dataset'; did you mean 'datasets'?"),
    "unknown key in a run": (in_run(sead=[0]), "runs[0]: unknown key 'sead'; did you mean 'seeds'?"),
    "wrong type": (changed(seed="zero"), "seed: expected a whole number, found 'zero'"),
    "not allowed": (changed(device="gpu"), "device: 'gpu' is not allowed; did you mean 'cpu'?"),
    "unknown attack name": (in_run(attacks=["fnm"]), "no attack named 'fnm' in the config; did you mean 'fmn'?"),
    "unknown attack kind": (changed(attacks={"fmn": {"kind": "fnm"}}), "attacks.fmn: no attack named 'fnm'; did you"),
    "unknown parameter": (
        changed(attacks={"fmn": {"kind": "fmn", "stepz": 3}}),
        "attacks.fmn: attack 'fmn' has no parameter 'stepz'; did you mean 'steps'?",
    ),
    "epsilon too large": (
        changed(attacks={"pgd-4_16": {"epsilon": 8}}),
        "attacks.pgd-4_16.epsilon: 8 lies outside (0, 1); images are in [0, 1], where 8 of 255 grey levels are written",
    ),
    "epsilon zero": (changed(attacks={"pgd-4_16": {"epsilon": 0}}), "attacks.pgd-4_16.epsilon: 0 lies outside (0, 1)"),
    "epsilon no number": (
        changed(attacks={"pgd-4_16": {"epsilon": "8/2x5"}}),
        "attacks.pgd-4_16.epsilon: expected a number, found '8/2x5'",
    ),
    "a list that is none": (in_run(seeds=3), "runs[0].seeds: expected a list in brackets, such as [a, b], found 3"),
    "a decimal comma": (
        changed(trainings={"standard": {"learning_rate": "0,1"}}),
        "trainings.standard.learning_rate: expected a number, found '0,1'; write a decimal point, 0.1",
    ),
    "a regulariser by its name alone": (
        changed(trainings={"standard": {"regularisers": ["jafr"]}}),
        "trainings.standard.regularisers[0]: expected a mapping in braces, such as {key: value}, which needs 'kind'",
    ),
    "a stage that there is not": (changed(resources={"map": {"mem_mb": 9}}), "resources: no stage 'map'; did you mean"),
    "nothing to correlate": (
        in_run(maps=[], pairings=["matched"]),
        "runs[0].metrics: this run has no maps to correlate; add 'maps', or remove 'metrics'",
    ),
    "more samples than there are": (
        in_run(samples={"first": 10**6}),
        "runs[0].samples.first: 1000000 asked for, but 'test' has 1258 samples; lower it or leave it out",
    ),
    "unknown training setting": (
        changed(trainings={"standard": {"epoch": 3}}),
        "trainings.standard: settings 'TrainingSettings' has no parameter 'epoch'; did you mean 'epochs'?",
    ),
    "unknown map setting": (changed(maps={"ce": {"penaltee": 3}}), "unknown key 'penaltee'; did you mean 'penalty'?"),
    "unknown objective": (changed(maps={"ce": {"objective": "cross"}}), "no objective named 'cross'; did you mean"),
    "unknown basis": (changed(maps={"ce": {"basis": "dtc"}}), "maps.ce.basis: no basis named 'dtc'; did you mean"),
    "unknown parameter of a basis": (
        changed(maps={"ce": {"basis": {"kind": "wavelet", "level": 2}}}),
        "maps.ce.basis: basis 'wavelet' has no parameter 'level'; did you mean 'levels'?",
    ),
    "basis without what it needs": (changed(maps={"ce": {"basis": "features"}}), "'features' needs 'layer' (str)"),
    "unknown architecture": (
        changed(models={"small-cnn": {"architecture": "smallcnn"}}),
        "models.small-cnn: no model named 'smallcnn'; did you mean 'small_cnn'?",
    ),
    "unknown factory": (
        changed(models={"small-cnn": {"architecture": "nolab.nets:wide"}}),
        "no module 'nolab.nets' on the import path",
    ),
    "more maps than samples": (
        in_run(samples={"split": "test", "first": 10**6}),
        "runs[0].samples.first: 1000000 asked for, but 'test' has",
    ),
    "wrong path": (
        changed(datasets={"digits": {"kind": "image_folder", "root": "/no/such/folder", "test_fraction": 0.5}}),
        "datasets.digits: ",
    ),
    "missing checkpoint": (
        changed(models={"small-cnn": {"checkpoint": "missing.pt"}}) | {"runs": in_run(trainings=["given"])["runs"]},
        "models.small-cnn.checkpoint: no such file: missing.pt",
    ),
    "given without a checkpoint": (in_run(trainings=["given"]), "belong together"),
    "wrong normalisation": (
        changed(models={"small-cnn": {"normalise": {"mean": [0, 0, 0], "std": [1, 1, 1]}}}),
        "models.small-cnn.normalise.mean: 3 numbers for 1 channels",
    ),
    "unknown item": (changed(items=["B25-T9"]), "items[0]: no item named 'B25-T9'; did you mean 'B25-T"),
    "item of an attack that no run has": (
        changed(items=[{"item": "B25-T1", "attacks": ["cw"]}]),
        "items[0] (B25-T1).attacks: no run has attack 'cw'",
    ),
    "item whose results nobody makes": (
        in_run(maps=[], metrics=[], evaluations=[]) | {"items": [{"item": "B25-T1", "attacks": ["fmn"]}]},
        "items[0]: item 'B25-T1' needs results of stage 'correlation', which no run asks for",
    ),
    "item whose maps have another basis": (
        changed(
            maps={"ce": {"basis": "dct"}}, items=[{"item": "B25-F1", "select": {"maps": "ce"}}], pairings=ANY_BASIS,
            runs=[base()["runs"][0] | {"evaluations": []}],
        ),
        "items[0]: item 'B25-F1' needs results of stage 'maps' and basis fourier, which no run asks for",
    ),
    "unknown basis of group maps": (
        changed(group_maps={"b25-class": {"basis": "dtc"}}), "group_maps.b25-class.basis: no basis named 'dtc'; did you"
    ),
    "evaluation whose group maps have another basis": (
        changed(group_maps={"b25-class": {"basis": "dct"}}),
        "evaluations.b25-defence.group_maps: group maps 'b25-class' have basis 'dct', and this evaluation reads",
    ),
    "item whose group maps have another basis": (
        changed(
            runs=[base()["runs"][2] | {"group_maps": ["waves"], "evaluations": [], "maps": [], "attacks": []}],
            group_maps={"waves": {"objective": "invariance", "basis": "dct"}}, items=[{"item": "K22-F3"}],
        ),
        "items[0]: item 'K22-F3' needs results of stage 'group_maps' and basis fourier or fourier_normalised, which no",
    ),
    "maps tested on what they were made from": (
        changed(group_maps={"b25-class": {"samples": {"split": "test"}}}),
        "evaluations.b25-defence: it needs images that the maps have not seen, and group_maps.b25-class was made from",
    ),
    "maps of all images": (
        changed(group_maps={"b25-class": {"samples": {"split": "all", "first": 9}}}),
        "give group_maps.b25-class its own, such as 'samples: {split: train}'",
    ),
    **{
        f"{section} called {word}": (changed(**{section: {word: {}}}), f"{section}: '{word}' is a reserved word in the")
        for section, words in {
            "attacks": ("essential", "noise", "adversarial", "transferred", "none", "clean"),
            "maps": ("essential", "none"),
            "group_maps": ("essential",),
            "trainings": ("given", "self", "none"),
            "pairings": ("all",),
        }.items()
        for word in words
    },
    "a path for a name": (changed(datasets={"../../etc": {"kind": "digits"}}), "is not a name"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_one_sentence(mistake):
    given, sentence = MISTAKES[mistake]
    with pytest.raises(ConfigError) as caught:
        study(given)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


#: Entries that no run uses: a section, an entry, and what is said of it.
UNUSED = {
    "datasets": ({"kind": "imagenetta", "root": "data"}, "datasets.new: no dataset named 'imagenetta'; did you mean"),
    "models": ({"architecture": "resnet_cifar", "deepth": 20}, "models.new: model 'resnet_cifar' has no parameter"),
    "trainings": ({"regime": "standart"}, "trainings.new: no regime named 'standart'; did you mean 'standard'?"),
    "attacks": ({"kind": "pgd", "norm": "linf", "epsilon": 3.0}, "attacks.new.epsilon: 3 lies outside"),
    "maps": ({"objective": "cross_entropy", "penalti": 0.5}, "maps.new: unknown key 'penalti'; did you mean 'penalty'"),
    "group_maps": ({"objective": "cross_entropy", "basis": "dtc"}, "group_maps.new.basis: no basis named 'dtc'"),
    "metrics": ({"kind": "idcor", "permutation": 5}, "metrics.new: metric 'idcor' has no parameter 'permutation'"),
    "pairings": ({"kind": "same_klass"}, "pairings.new: no pairing named 'same_klass'; did you mean 'same_class'?"),
    "evaluations": ({"kind": "robustnes"}, "evaluations.new: no evaluation named 'robustnes'; did you mean"),
    "simulations": ({"kind": "theorem"}, "simulations.new: no simulation named 'theorem'"),
}


@pytest.mark.parametrize("section", UNUSED)
def test_an_entry_that_no_run_uses_is_checked_too(section):
    written, sentence = UNUSED[section]
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        study(changed(**{section: {"new": written}}))


def test_every_section_of_named_entries_is_checked():
    sections = {
        name
        for name, part in config.schema()["properties"].items()
        if isinstance(part.get("additionalProperties"), dict)
    }
    assert sections - {"threads", "resources"} == set(UNUSED)
