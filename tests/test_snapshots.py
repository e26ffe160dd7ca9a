"""Snapshots of trainings: the training's own weights, at the steps asked for, and what a study makes of them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from freqmaps.core.errors import ConfigError
from freqmaps.study.jobs import resources
from freqmaps.study.snapshots import resolve
from freqmaps.training import Hook, Snapshots, TrainingSettings
from tests.short_training import digits, equal, fit, network, weights
from tests.snapshot_study import STEPS, STUDY, changed, command, resolved

PLAIN = TrainingSettings(epochs=3, batch=64, learning_rate=0.1, schedule="constant", flip=True, crop_padding=1)


class Recorder(Hook):
    """Keeps the weights after every epoch, by another way than snapshots."""

    def after_epoch(self, moment):
        return [t.clone() for t in moment.model.state_dict().values()]


class TestWeights:
    """Of the function, against trainings that end where a snapshot is taken."""

    def test_each_epoch_end_is_the_end_of_a_shorter_training(self):
        """With a constant rate, a training of one epoch is the beginning of one of three."""
        kept = {}
        data = digits(n=180)
        settings = PLAIN
        trained, _ = fit(settings, data=data, hooks=[Snapshots(range(10), lambda s, w: kept.update({s: _copy(w)}))])
        assert sorted(kept) == list(range(10))
        assert equal(kept[0], weights(network()))
        assert equal(kept[9], weights(trained))
        for epochs in (1, 2):
            shorter, _ = fit(TrainingSettings(**vars(settings) | {"epochs": epochs}), data=data)
            assert equal(kept[3 * epochs], weights(shorter))
        assert not equal(kept[3], kept[4])

    def test_each_epoch_end_is_what_a_hook_sees_and_the_training_is_the_same(self):
        kept, recorder = {}, Recorder()
        data = digits(n=180)
        alone, _ = fit(PLAIN, data=data)
        hooks = [recorder, Snapshots([3, 5, 9], lambda s, w: kept.update({s: _copy(w)}))]
        trained, _ = fit(PLAIN, data=data, hooks=hooks)
        assert equal(weights(alone), weights(trained))
        for epoch, seen in recorder.records["after_epoch"].items():
            if 3 * (epoch + 1) in kept:
                assert all((a == b).all() for a, b in zip(seen, kept[3 * (epoch + 1)].values(), strict=True))

    def test_a_run_that_stops_early_is_the_beginning_of_the_whole(self):
        kept = {"whole": {}, "part": {}}
        for name, stop in (("whole", None), ("part", 4)):
            hook = Snapshots([1, 4], lambda s, w, name=name: kept[name].update({s: _copy(w)}))
            fit(PLAIN, data=digits(n=180), hooks=[hook], stop_after=stop)
        assert all(equal(kept["whole"][step], kept["part"][step]) for step in (1, 4))


def _copy(tensors):
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


class TestSteps:
    @pytest.mark.parametrize("until", range(1, 41))
    def test_any_count_gives_so_many_different_steps_from_0_to_the_end(self, until):
        for spacing in ("logarithmic", "linear"):
            for count in range(2, until + 2):
                given = {"count": count, "spacing": spacing, "until": until}
                steps = resolve(given, {"epochs": 1, "batch": 1}, 40, "here")
                assert len(steps) == count
                assert steps[0] == 0
                assert steps[-1] == until
                assert all(a < b for a, b in itertools.pairwise(steps))

    def test_logarithmic_steps_are_a_like_factor_apart_where_they_can_be(self):
        steps = np.array(resolve({"count": 12}, {"epochs": 10, "batch": 1}, 1000, "here")[1:])
        factors = steps[6:] / steps[5:-1]
        assert np.ptp(np.log(factors)) < 0.02
        assert np.log(factors).mean() == pytest.approx(np.log(10000 / steps[5]) / 5, rel=1e-3)

    def test_linear_steps_are_those_of_numpy(self):
        steps = resolve({"count": 8, "spacing": "linear"}, {"epochs": 10, "batch": 1}, 100, "here")
        assert steps == np.linspace(0, 1000, 8).round().astype(int).tolist()


HELD_OUT = {"kind": "freqmaps.plan.assumed:describe", "test": 100, "size": 8, "channels": 1}
ERRORS = {
    "beyond the end": ({"snapshots": [0, 7]}, r"runs\[1\].snapshots: step 7 comes after the end of the training"),
    "too many": ({"snapshots": {"count": 8}}, r"runs\[1\].snapshots.count: 8 snapshots of 6 steps; ask for at"),
    "until beyond": ({"snapshots": {"count": 2, "until": 9}}, r"runs\[1\].snapshots.until: .* makes 6 steps"),
    "twice": ({"snapshots": [2, 2]}, r"runs\[1\].snapshots: \[2, 2\] has non-unique"),
    "none": ({"snapshots": []}, r"runs\[1\].snapshots: \[\] should be non-empty"),
    "a word": ({"snapshots": ["first"]}, r"snapshots\[0\]: expected a whole number or 'last', found 'first'"),
    "below 0": ({"snapshots": [-1]}, r"runs\[1\].snapshots\[0\]: -1 is too small"),
    "one": ({"snapshots": {"count": 1}}, r"runs\[1\].snapshots.count: 1 is too small"),
    "no training images": (
        {"datasets": ["held-out"]}, r"runs\[1\].snapshots: the dataset has no 'train' samples",
    ),
    "given": ({"trainings": ["given"]}, r"runs\[1\].snapshots: training 'given' trains nothing"),
    "of another training": (
        {"against": "shorter"}, r"runs\[1\].snapshots \(of training 'shorter'\): step 6 .* which makes 3 steps",
    ),
}  # fmt: skip


class TestGraph:
    """What a study asks for, before anything runs."""

    def test_snapshots_change_no_key_but_that_of_the_report(self, tmp_path):
        without = resolved(tmp_path, changed() | {"runs": STUDY["runs"][:1]}).graph.nodes
        both = resolved(tmp_path).graph.nodes
        assert [path for path in without if path not in both] == [path for path in without if "_report" in path]
        added = [node for path, node in both.items() if path not in without and node.stage != "report"]
        along = [node for node in added if "step" not in node.names]
        assert [node.names["evaluation"] for node in along] == ["spectra"]
        assert {node.stage for node in added if "step" in node.names} == {
            "snapshots", "attacks", "maps", "group_maps", "matrices", "correlation", "evaluation",
        }  # fmt: skip

    def test_one_more_snapshot_adds_that_one_and_what_is_made_of_it(self, tmp_path):
        before = resolved(tmp_path).graph.nodes
        after = resolved(tmp_path, changed({}, {"snapshots": [0, 2, 4, "last"]})).graph.nodes
        added = [node for path, node in after.items() if path not in before]
        assert {node.names.get("step") for node in added} == {"4", None}
        assert {node.stage for node in added if "step" not in node.names} == {"evaluation", "report"}

    def test_another_attack_trains_nothing(self, tmp_path):
        nodes = [
            resolved(tmp_path, changed(attacks={"fgsm": {"epsilon": epsilon}})).graph.nodes for epsilon in (0.3, 0.1)
        ]
        kept = nodes[0].keys() & nodes[1].keys()
        assert {node.stage for path, node in nodes[1].items() if path in kept} == {
            "datasets", "training", "snapshots", "maps", "group_maps", "evaluation",
        }  # fmt: skip

    @pytest.mark.parametrize(("root", "together"), [("results", 0), ("results", 4000), ("s3://lab/of", 0)])
    def test_a_training_and_its_snapshots_are_one_job(self, root, together):
        batches = resolved(root, together=together).batches
        (found,) = [b for b in batches if any(n.stage in ("training", "snapshots") for n in b.nodes)]
        assert [(n.stage, n.names.get("step")) for n in found.nodes] == [
            ("training", None), ("snapshots", "0"), ("snapshots", "2"), ("snapshots", str(STEPS)),
        ]  # fmt: skip
        assert sum(len(b.nodes) for b in batches) == len({n.path for b in batches for n in b.nodes})

    def test_the_command_line_of_the_most_snapshots_is_short_enough(self):
        """Linux takes 131 072 characters in one argument, and Snakemake gives the whole line in one."""
        regime = {"kind": "adversarial", "epsilon": 0.1, "step": 0.02, "steps": 10}
        given = {"regime": regime, "epochs": 40, "regularisers": [{"kind": "gradient_norm", "weight": 0.1}]}
        overlay = changed({}, {"snapshots": {"count": 64}}, trainings={"short": given})
        (found,) = [b for b in resolved("results", overlay).batches if b.stage == "snapshots"]
        assert len(found.nodes) == 65
        assert len(" ".join(command(found, resolved("results").root))) < 120_000

    def test_its_resources_are_those_of_trainings(self):
        built = resolved("results", changed(resources={"training": {"mem_mb": 9999, "runtime": 777}}))
        (found,) = [b for b in built.batches if b.stage == "snapshots"]
        assert resources(found, built.config) == (9999, 777)

    @pytest.mark.parametrize("case", ERRORS)
    def test_what_cannot_be_is_one_sentence(self, case):
        given, message = ERRORS[case]
        with pytest.raises(ConfigError, match=message) as raised:
            resolved("results", changed({}, given, datasets={"held-out": HELD_OUT}))
        assert "\n" not in str(raised.value)

    def test_the_end_by_number_and_by_name_is_one_snapshot(self):
        nodes = resolved("results", changed({}, {"snapshots": [STEPS, "last"]})).graph.nodes.values()
        assert [n.names["step"] for n in nodes if n.stage == "snapshots"] == [str(STEPS)]
