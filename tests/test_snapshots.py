"""Snapshots of trainings: the training's own weights, made once, of which everything works that works on a network."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
import yaml

import freqmaps
from freqmaps.core.errors import ConfigError, FreqmapsError
from freqmaps.models import load_classifier
from freqmaps.plan import plan
from freqmaps.plan.estimate import START_SECONDS
from freqmaps.results import refactoring, rows, scan
from freqmaps.results.gc import unreferenced
from freqmaps.results.reader import EVERY_STEP
from freqmaps.results.verify import Verifier
from freqmaps.stores import DATASET, read
from freqmaps.study.snapshots import resolve
from freqmaps.study.why import explain
from freqmaps.training import Hook, Snapshots, TrainingSettings
from tests.short_training import digits, equal, fit, network, weights
from tests.snapshot_study import STEPS, STUDY, changed, command, config, resolved, run
from tests.workflow import clone, due, snakemake

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
                assert all(a < b for a, b in zip(steps, steps[1:], strict=False))

    def test_logarithmic_steps_are_a_like_factor_apart_where_they_can_be(self):
        steps = np.array(resolve({"count": 12}, {"epochs": 10, "batch": 1}, 1000, "here")[1:])
        factors = steps[6:] / steps[5:-1]
        assert np.ptp(np.log(factors)) < 0.02
        assert np.log(factors).mean() == pytest.approx(np.log(10000 / steps[5]) / 5, rel=1e-3)

    def test_linear_steps_are_those_of_numpy(self):
        steps = resolve({"count": 8, "spacing": "linear"}, {"epochs": 10, "batch": 1}, 100, "here")
        assert steps == np.linspace(0, 1000, 8).round().astype(int).tolist()


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
        from freqmaps.study.jobs import resources

        built = resolved("results", changed(resources={"training": {"mem_mb": 9999, "runtime": 777}}))
        (found,) = [b for b in built.batches if b.stage == "snapshots"]
        assert resources(found, built.config) == (9999, 777)

    ERRORS = {
        "beyond the end": ({"snapshots": [0, 7]}, r"runs\[1\].snapshots: step 7 comes after the end of the training"),
        "too many": ({"snapshots": {"count": 8}}, r"runs\[1\].snapshots.count: 8 snapshots of 6 steps; ask for at"),
        "until beyond": ({"snapshots": {"count": 2, "until": 9}}, r"runs\[1\].snapshots.until: .* makes 6 steps"),
        "twice": ({"snapshots": [2, 2]}, r"runs.1.snapshots: \[2, 2\] has non-unique"),
        "none": ({"snapshots": []}, r"runs.1.snapshots: \[\] should be non-empty"),
        "a word": ({"snapshots": ["first"]}, r"runs.1.snapshots.0: expected a integer or 'last', found 'first'"),
        "below 0": ({"snapshots": [-1]}, r"runs.1.snapshots.0: -1 is too small"),
        "one": ({"snapshots": {"count": 1}}, r"runs.1.snapshots.count: 1 is too small"),
        "given": ({"trainings": ["given"]}, r"runs\[1\].snapshots: training 'given' trains nothing"),
        "of another training": (
            {"against": "shorter"}, r"runs\[1\].snapshots \(of training 'shorter'\): step 6 .* which makes 3 steps",
        ),
    }  # fmt: skip

    @pytest.mark.parametrize("case", ERRORS)
    def test_what_cannot_be_is_one_sentence(self, case):
        given, message = self.ERRORS[case]
        with pytest.raises(ConfigError, match=message) as raised:
            resolved("results", changed({}, given))
        assert "\n" not in str(raised.value)

    def test_the_end_by_number_and_by_name_is_one_snapshot(self):
        nodes = resolved("results", changed({}, {"snapshots": [STEPS, "last"]})).graph.nodes.values()
        assert [n.names["step"] for n in nodes if n.stage == "snapshots"] == [str(STEPS)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The dataset, the training and its snapshots, made by the command line of their job."""
    root = tmp_path_factory.mktemp("trained") / "results"
    for batch in resolved(root).batches:
        if {n.stage for n in batch.nodes} <= {"datasets", "training", "snapshots"}:
            run(batch, root)
    return root


def job(root, overlay=STUDY):
    """Return the job of the training and its snapshots."""
    (found,) = [b for b in resolved(root, overlay).batches if b.stage == "snapshots"]
    return found


def weights_below(root):
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("model.safetensors")}


def start(root, overlay=STUDY):
    return subprocess.Popen(command(job(root, overlay), root), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def with_dataset(trained, root):
    """Return a root that has the dataset only."""
    shutil.copytree(trained / "digits" / "datasets", root / "digits" / "datasets")
    return root


class TestJobs:
    """The job of a training and its snapshots, by its command line."""

    def test_the_last_snapshot_is_the_training_and_the_first_is_untrained(self, trained):
        nodes = {(n.stage, n.names.get("step")): n for n in job(trained).nodes}
        last, finished = (
            load_classifier(trained / nodes[stage].path)
            for stage in (("snapshots", str(STEPS)), ("training", None))
        )  # fmt: skip
        assert equal(weights(last), weights(finished))
        seed = nodes["training", None].spec["seed"]
        fresh = freqmaps.models.build_classifier("small_cnn", {"width": 8}, classes=10, channels=1, size=8, seed=seed)
        assert equal(weights(load_classifier(trained / nodes["snapshots", "0"].path)), weights(fresh))
        middle = load_classifier(trained / nodes["snapshots", "2"].path)
        assert not equal(weights(middle), weights(fresh))
        assert not equal(weights(middle), weights(finished))

    def test_no_half_finished_work_is_left(self, trained):
        assert not list(trained.rglob("partial"))

    MOMENTS = {
        "an early snapshot is kept": "digits/net/short/seed0/step*/snapshots/*/partial/step0.safetensors",
        "an epoch is done": "digits/net/short/seed0/training/*/partial/*.part",
        "the last snapshot is kept": f"digits/net/short/seed0/step*/snapshots/*/partial/step{STEPS}.safetensors",
        "the training is finished": "digits/net/short/seed0/training/*/manifest.json",
        "a snapshot is finished": "digits/net/short/seed0/step0/snapshots/*/manifest.json",
    }

    @pytest.mark.parametrize("moment", MOMENTS)
    def test_a_killed_job_goes_on_and_ends_in_the_same_bytes(self, trained, tmp_path, moment):
        root = with_dataset(trained, tmp_path / "results")
        process = start(root)
        while process.poll() is None and not list(root.glob(self.MOMENTS[moment])):
            time.sleep(0.0005)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        found, _ = _problems(root)
        assert found == []  # what is there is whole
        run(job(root), root)
        assert weights_below(root) == weights_below(trained)
        assert not list(root.rglob("partial"))

    def test_one_more_snapshot_trains_up_to_it_and_leaves_the_others(self, trained, tmp_path):
        root = tmp_path / "results"
        shutil.copytree(trained, root)
        before = {p: p.stat().st_mtime_ns for p in root.rglob("manifest.json")}
        more = changed({}, {"snapshots": [0, 2, 4, "last"]})
        run(job(root, more), root)
        after = {p: p.stat().st_mtime_ns for p in root.rglob("manifest.json")}
        assert {p: after[p] for p in before} == before
        (new,) = after.keys() - before.keys()
        assert "/step4/snapshots/" in str(new)
        assert json.loads(new.read_text())["headline"] == {"trained_steps": 4}
        other = with_dataset(trained, tmp_path / "other")
        run(job(other, more), other)
        assert weights_below(root) == weights_below(other)

    def test_snapshots_without_the_training_are_the_same(self, trained, tmp_path):
        root = with_dataset(trained, tmp_path / "results")
        only = changed() | {"runs": STUDY["runs"][1:], "items": []}
        run(job(root, only), root)
        assert not list(root.glob("digits/net/short/seed0/training"))
        made = weights_below(root)
        assert made == {path: content for path, content in weights_below(trained).items() if path in made}
        told = [json.loads(p.read_text())["headline"] for p in sorted(root.rglob("step*/**/manifest.json"))]
        assert [one["trained_steps"] for one in told] == [STEPS, 0, 0]


def _problems(root):
    verifier = Verifier(root)
    # A clone for tests has no commit.
    return [p for p in verifier.problems() if "no 'commit'" not in p and "partial" not in p], verifier


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A clone in which the study has been run."""
    folder = clone(tmp_path_factory.mktemp("finished"))
    (folder / "config.yaml").write_text(yaml.safe_dump(config("results")))
    snakemake(folder, "-c2", "all", "stores")
    return folder


@pytest.fixture(scope="module")
def results(finished):
    return freqmaps.open(finished / "results")


STEPPED = ("snapshots", "attacks", "maps", "group_maps", "matrices", "correlation", "evaluation")


class TestStudy:
    """A study run by the workflow."""

    def test_everything_of_a_run_is_made_of_every_snapshot(self, results):
        for stage in STEPPED:
            steps = [r.names["step"] for r in results.select(stage, step=EVERY_STEP)]
            assert set(steps) == {"0", "2", str(STEPS)}, stage
            assert steps == sorted(steps, key=int)
        assert results.problems() == []

    def test_a_second_run_has_nothing_to_do(self, finished):
        assert due(finished, "all", "stores") == set()

    def test_what_is_made_of_the_last_snapshot_is_what_is_made_of_the_finished_network(self, results):
        """Maps start anywhere but draw nothing; so they are the same to the bit."""
        of = {"images": "essential", "dataset": "digits"}
        last, whole = results.maps(**of, step=STEPS), results.maps(**of)
        assert last["sample"].values.tolist() == whole["sample"].values.tolist()
        assert np.array_equal(last["map"].values, whole["map"].values)
        assert not np.array_equal(results.maps(**of, step=2)["map"].values[0], whole["map"].values[0])
        frames = results.evaluations("filtered_accuracy", step=STEPS), results.evaluations("filtered_accuracy")
        plain = [frame[(frame["filter"] == "none") & (frame["data"] == "x")]["value"].tolist() for frame in frames]
        assert plain[0] == plain[1]

    def test_names_without_a_step_never_mean_a_snapshot(self, results):
        for stage in STEPPED[1:]:
            assert all("step" not in r.names for r in results.select(stage))
        assert results.select("snapshots") == []
        names = {"dataset": "digits", "model": "net", "training": "short", "seed": "0"}
        for stage in STEPPED:
            assert all("step" not in r.names for r in results.related(stage, names))
            steps = {r.names["step"] for r in results.related(stage, names | {"step": "2"}) if "step" in r.names}
            assert steps == {"2"}
        listed = results.list()
        assert "step" not in listed
        assert set(results.list(step=EVERY_STEP)["step"]) == {"0", "2", str(STEPS)}
        assert set(results.list(step=2)["stage"]) == set(STEPPED)

    def test_tables_of_snapshots_tell_the_step(self, results):
        assert len(results.correlations()) == 1
        assert "step" not in results.correlations()
        every = results.correlations(step=EVERY_STEP)
        assert every["step"].tolist() == ["0", "2", str(STEPS)]
        assert set(results.per_sample(step=EVERY_STEP)["step"]) <= {"0", "2", str(STEPS)}
        masked = results.evaluations("group_accuracy", step=EVERY_STEP)
        assert set(masked["step"]) == {"0", "2", str(STEPS)}
        assert "step" not in results.evaluations("group_accuracy")

    def test_evaluations_along_a_training_are_one_result_with_its_steps(self, results):
        spectra = results.evaluations("perturbation_spectra")
        assert set(spectra["step"].dropna().astype(int)) == {0, 2, STEPS}
        assert spectra["step"].isna().any()  # of the finished network
        assert len(results.select("evaluation", evaluation="spectra")) == 2

    def test_a_name_that_fits_several_steps_says_so(self, results):
        with pytest.raises(FreqmapsError, match="differ in step"):
            results.maps(images="essential", step=EVERY_STEP)
        with pytest.raises(FreqmapsError, match="no attacks result for step '5'"):
            results.adversarial(step=5)

    def test_each_evaluation_of_a_snapshot_reads_its_own_results(self, results):
        """Accuracy of a snapshot on clean images, counted by hand."""
        for step in (0, 2):
            folder = results.select("snapshots", step=step)[0].folder
            classifier = load_classifier(folder)
            masked = results.evaluations("group_accuracy", step=step)
            store = results.dataset("digits")
            chosen = store.isel(sample=np.flatnonzero(store["split"].values == "test")[:40])
            images, labels = chosen["image"].values, chosen["label"].values
            right = (classifier(torch.from_numpy(_unit(images))).argmax(1).numpy() == labels).mean()
            whole = masked[(masked["filter"] == "none") & (masked["group"] == masked["group"].iloc[0])]
            assert whole["value"].iloc[0] == pytest.approx(right)

    def test_the_pages_list_no_snapshot_among_the_networks(self, finished):
        page = (finished / "results" / "report.html").read_text()
        shown = re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", page, flags=re.S)
        cards = shown[: shown.index("How it was computed")]
        assert "step" not in re.sub(r"[Ss]teps", "", cards.split("Key figures")[-1])
        assert len(re.findall(r"test accuracy of", cards)) == 1
        atlas = next((finished / "results" / "_atlas").rglob("manifest.json"))
        inputs = json.loads(atlas.read_text())["spec"]["inputs"]
        known = {p.parent.name: str(p) for p in (finished / "results").rglob("manifest.json")}
        assert not [key for keys in inputs.values() for key in keys if "/step" in known[key]]

    def test_verify_gc_catalog_and_why_know_the_paths(self, finished):
        root = finished / "results"
        problems, verifier = _problems(root)
        assert problems == []
        listed = {row["folder"]: row for row in rows.rows(scan(root))}
        maps = next(row for path, row in listed.items() if "/step2/maps/" in path)
        assert (maps["stage"], maps["step"], maps["regime"], maps["accuracy"]) == ("maps", "2", "standard", None)
        assert all(row["complete"] for row in listed.values())
        built = resolved(root)
        assert unreferenced([built]) == []
        less = resolved(root, changed({}, {"snapshots": [0, "last"]}))
        gone = {str(one.folder) for one in unreferenced([less])}
        assert any("/step2/snapshots/" in path for path in gone)
        assert not any("/step0/" in path or "/training/" in path for path in gone)
        assert explain(built, "atlas", finished / "results") == ["atlas: up to date"]
        more = resolved(root, changed({}, {"snapshots": [0, 2, 4, "last"]}))
        path = next(p for p in more.graph.nodes if "/step4/maps/" in p)
        assert any("/step4/snapshots/" in line and line.endswith("never made") for line in explain(more, path))

    def test_accept_remakes_a_snapshot_and_finds_the_same_weights(self, finished, tmp_path):
        root = tmp_path / "results"
        shutil.copytree(finished / "results" / "digits", root / "digits")
        built = resolved(root)
        nodes = [n for n in built.graph.nodes.values() if n.stage == "snapshots"]
        for node in nodes:
            _with_older_code(root / node.path)
        (one,) = refactoring.changed(nodes, root)
        told = refactoring.prove(one, root, results=2, why="nothing")
        assert [entry["differs_by"] for entry in told["evidence"]["remade"]] == [0.0, 0.0]

    def test_the_plan_counts_one_training_for_all(self, tmp_path):
        planned = plan(resolved(tmp_path), device="cpu")
        lines = [line for line in planned.lines if line.stage == "snapshots"]
        (training,) = [line for line in planned.lines if line.stage == "training"]
        assert len(lines) == 3
        assert sum(line.starts for line in (*lines, training)) == 1
        assert all(line.bytes == pytest.approx(training.bytes) for line in lines)
        only = changed() | {"runs": STUDY["runs"][1:], "items": []}
        alone = [line for line in plan(resolved(tmp_path, only), device="cpu").lines if line.stage == "snapshots"]
        # Alone, the last of them bears one training, whose job has started anyway.
        extra = sum(line.seconds for line in alone) - sum(line.seconds for line in lines)
        assert extra == pytest.approx(training.seconds + START_SECONDS * (sum(n.starts for n in alone) - 1), rel=1e-6)

    def test_the_plan_learns_from_what_is_made(self, finished):
        root = finished / "results"
        assert all(line.made for line in plan(resolved(root), device="cpu").lines)
        more = plan(resolved(root, changed({}, {"snapshots": [0, 2, 4, "last"]})), device="cpu").lines
        (new,) = [line for line in more if line.stage == "snapshots" and not line.made]
        assert new.starts == 1
        assert new.source == new.bytes_source == "results here, same setting"
        told = {p.parent.name: json.loads(p.read_text()) for p in root.glob("digits/net/**/manifest.json")}
        saved = [m for m in told.values() if m["stage"] == "snapshots"]
        saving = np.mean([m["provenance"]["wall_s"] for m in saved])
        (whole,) = [m["provenance"]["wall_s"] for m in told.values() if m["stage"] == "training"]
        # The training of two epochs goes through 180 images each time; four steps take 4 x 64 of them.
        assert new.seconds == pytest.approx(START_SECONDS + saving + whole * 4 * 64 / (2 * 179), rel=1e-3)
        sizes = [sum(f["bytes"] for f in m["files"].values()) for m in told.values() if "model.json" in m["files"]]
        assert new.bytes == pytest.approx(np.mean(sizes), rel=0.5)

    def test_exports_leave_weights_out_and_say_so(self, finished, tmp_path):
        root = finished / "results"
        told = _command("export", tmp_path / "a.zip", "--root", root, "--stage", "evaluation", "--evaluation", "masked")
        assert re.search(r"^3 snapshots of trainings stay here, \d\.\d MB of weights: .*--with-snapshots", told)
        told = _command("import", tmp_path / "a.zip", tmp_path / "there")
        assert "3 snapshots of trainings that some were made of are not under this root" in told
        assert "inputs are not under" not in told
        assert not list((tmp_path / "there").rglob("snapshots"))
        assert list((tmp_path / "there").glob("digits/net/short/seed0/step2/group_maps/**/manifest.json"))
        problems, verifier = _problems(tmp_path / "there")
        assert problems == []
        assert verifier.counts["missing snapshots"] == 3
        assert "3 snapshots of trainings not here" in verifier.summary(0)
        frame = freqmaps.open(tmp_path / "there").evaluations("group_accuracy", step=EVERY_STEP)
        assert len(set(frame["step"])) == 3
        again = _command("export", tmp_path / "b.zip", "--root", tmp_path / "there", "--all")
        assert "stay here" not in again

    def test_exports_take_weights_along_if_asked(self, finished, tmp_path):
        root = finished / "results"
        told = _command("export", tmp_path / "a.zip", "--root", root, "--all", "--with-snapshots")
        assert "stay here" not in told
        _command("import", tmp_path / "a.zip", tmp_path / "there")
        assert weights_below(tmp_path / "there") == weights_below(root)
        _command("export", tmp_path / "b.zip", "--root", root, "--stage", "snapshots")
        assert "3 results imported" not in _command("import", tmp_path / "b.zip", tmp_path / "there", "-n")
        assert "snapshots of trainings" in _command("export", tmp_path / "c.zip", "--root", root, "--all", "-n")

    def test_a_study_goes_on_from_an_import_without_weights(self, finished, tmp_path):
        _command("export", tmp_path / "a.zip", "--root", finished / "results", "--all")
        folder = clone(tmp_path / "other", of=finished)
        _command("import", tmp_path / "a.zip", folder / "results")
        assert due(folder, "all") == set()
        overlay = changed({}, {}, attacks={"fgsm": {"epsilon": 0.1}})
        (folder / "config.yaml").write_text(yaml.safe_dump(config("results", overlay)))
        wanted = due(folder, "all")
        assert {f"snapshots/0@{step}" for step in (0, 2, STEPS)} <= wanted
        assert not any(one.startswith("training") for one in wanted)


def _command(*words):
    line = [sys.executable, "-m", "freqmaps.cli", *map(str, words)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _unit(images):
    return images.astype(np.float32) / 255 if images.dtype == np.uint8 else images


def _with_older_code(folder):
    """Give a result the key that it would have with other code, as before a refactoring."""
    from freqmaps.provenance import keys

    path = folder / "manifest.json"
    found = json.loads(path.read_text())
    found["spec"]["code"] = "0" * 16
    found["key"] = keys.key(found["spec"])
    path.write_text(json.dumps(found))
    folder.rename(folder.with_name(found["key"]))
