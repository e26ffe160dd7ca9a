"""The plan: its arithmetic against closed forms, its sources in their order, its answer in seconds without torch."""

import csv
import io
import json
import resource
import subprocess
import sys

import pytest

from freqmaps.core.errors import FreqmapsError
from freqmaps.plan import csv_text, finished, json_text, plan, table, text
from freqmaps.plan.estimate import START_SECONDS
from freqmaps.plan.rates import Rates
from freqmaps.results import scan
from freqmaps.stages.work import Case, Network, Shape, features
from freqmaps.study.build import study
from freqmaps.study.config import merge, read_files
from tests import keyed_results as results
from tests.workflow import REPOSITORY

RESNET20 = Network("resnet_cifar", {"depth": 20, "width": 16})
CIFAR = Shape(3, 32, 10, {"train": 50000, "test": 10000})
IMAGENET = """
study: imagenet
models:
  r18: {architecture: torchvision_model, name: resnet18, normalise: imagenet}
  vit: {architecture: torchvision_model, name: vit_b_16, normalise: imagenet}
  own: {architecture: "mylab.nets:net"}
trainings: {head: {epochs: 20, train: head}}
attacks: {fmn: {kind: fmn}, deepfool: {kind: deepfool}, pgd: {kind: pgd}}
maps: {ce: {penalty: 0.01}}
matrices: {pool: mean, size: 32}
metrics: {idcor: {kind: idcor}}
shard: 512
runs:
  - {datasets: [imagenet], models: [r18, vit, own], trainings: [head], samples: {split: test},
     attacks: [fmn, deepfool, pgd], maps: [ce], metrics: [idcor]}
items: []
"""


def case(stage, parameters, *, images=100, network=RESNET20, shape=CIFAR, device="cpu", inputs=("checkpoint",)):
    spec = {"stage": stage, "names": {}, "parameters": parameters, "inputs": dict.fromkeys(inputs, "0" * 12)}
    return Case(stage, spec, device, shape, network, images, shape.values)


def attack(kind, **parameters):
    return case("attacks", {"attack": {"kind": kind, "parameters": parameters}})


WORK = {
    "an attack of 40 steps": (attack("pgd", steps=40, restarts=1), 100 * 40),
    "restarts": (attack("pgd", steps=50, restarts=10), 100 * 500),
    "an attack of one step": (attack("fgsm", epsilon=0.1), 100),
    "a search around the steps": (attack("cw", binary_search_steps=9, steps=1000), 100 * 9000),
    "an attack that stops early": (attack("deepfool", steps=50, candidates=10), 100 * 500 * 0.08),
    "training": (
        case("training", {"regime": {"kind": "standard", "parameters": {}}, "settings": {"epochs": 3}}), 100 * 3 * 1.5,
    ),
    "adversarial training": (
        case("training", {"regime": {"kind": "adversarial", "parameters": {"steps": 10}}, "settings": {"epochs": 3}}),
        100 * 3 * 11.5,
    ),
    "a checkpoint that is given": (case("training", {"checkpoint": {"sha256": ""}}), 50),
    "maps that settle": (case("maps", {"settings": {"min_steps": 500, "max_steps": 5000}}), 100 * 515),
    "maps that stop at the most": (case("maps", {"settings": {"min_steps": 500, "max_steps": 501}}), 100 * 501),
    "maps without a least": (case("maps", {"settings": {"min_steps": 0, "max_steps": 2000}}), 100 * 2000),
    "group maps": (case("group_maps", {"settings": {"epochs": 7, "starts": 2, "groups": "all"}}), 100 * 7 * 2),
    "an evaluation": (case("evaluation", {"evaluation": {"kind": "any", "parameters": {}}}), 100),
}  # fmt: skip


@pytest.mark.parametrize("kind", WORK)
def test_work_in_gradients_is_what_the_settings_say(kind):
    given, gradients = WORK[kind]
    assert given.gradients == pytest.approx(gradients)


def test_sources_from_measured_to_guessed():
    timed = next(e for e in table.content()["devices"]["cpu"]["networks"] if e["parameters"].get("depth") == 20)
    known = table.gradient_seconds(RESNET20, CIFAR, "cpu")
    assert known.value == timed["gradient_s"]
    larger = table.gradient_seconds(RESNET20, Shape(3, 64), "cpu")
    assert "operations counted" in larger.source
    assert 1.3 < larger.value / known.value < 12  # four times the pixels, at the device's usual speed
    gpu = table.gradient_seconds(RESNET20, CIFAR, "mps")
    assert "guess" in gpu.source
    deeper = table.gradient_seconds(Network("resnet_cifar", {"depth": 44, "width": 16}), CIFAR, "cpu")
    unknown = table.gradient_seconds(Network("mylab.nets:net", {}), CIFAR, "cpu")
    factors = [rate.factor for rate in (known, larger, deeper, unknown)]
    assert factors == sorted(factors)
    assert factors[-1] >= 10
    assert "unknown, guessed" in unknown.source


def test_counted_operations_are_the_published_ones():
    """In million multiplications: ResNet-20 at 32 has 41, ResNet-18 and ViT-B/16 at 224 have 1820 and 17 600."""
    flops = {(e["parameters"].get("name") or e["parameters"].get("depth"), e["size"]): e["flops"] / 2e6 for e in
             table.content()["networks"]}  # fmt: skip
    assert flops[20, 32] == pytest.approx(41, rel=0.03)
    assert flops["resnet18", 224] == pytest.approx(1820, rel=0.03)
    assert flops["vit_b_16", 224] == pytest.approx(17600, rel=0.05)


def test_a_metric_grows_with_the_square_of_its_samples():
    small, large = (table.metric_seconds("idcor", n, 3072).value for n in (4000, 40000))
    assert large / small == pytest.approx(100)
    assert "unknown" in table.metric_seconds("none", 1000, 3072).source


def test_matrices_are_as_wide_as_they_are_pooled():
    def wide(**pooling):
        given = read_files([REPOSITORY / "config.yaml"])
        merge(given, {"items": [], "matrices": pooling, "runs": given["runs"][:1]})  # no bases that cannot be pooled
        node = next(n for n in study(given).graph.nodes.values() if n.stage == "matrices")
        return features(node.spec, Shape(3, 224, 10, {}))

    assert wide(pool="mean", size=4) == 3 * 4**2
    assert wide(pool="none") == features(None, Shape(3, 224, 10, {})) == 3 * 224**2


def test_results_that_are_there_speak_first(tmp_path):
    results.make(tmp_path)
    jobs = finished.read(scan(tmp_path))
    assert {one.case.stage for one in jobs} == {one.manifest["stage"] for one in scan(tmp_path)}
    rates = Rates(jobs)
    maps = [one for one in jobs if one.case.stage == "maps"]
    assert [one.case.gradients for one in maps] == [4 * 12.0] * 4  # images times the steps that they came to
    planned = case("maps", maps[0].case.parameters, images=40, network=maps[0].case.network, shape=maps[0].case.shape)
    assert rates.steps(planned) == 12.0
    seconds = rates.seconds(planned)
    assert seconds.value == pytest.approx(1.5 / (4 * 12.0) * planned.gradients)
    assert seconds.source == "results here, same setting"
    other = case("maps", {"settings": {"min_steps": 7, "max_steps": 9}}, network=maps[0].case.network,
                 shape=maps[0].case.shape)  # fmt: skip
    assert rates.seconds(other).source == "results here, same network"
    new = case("evaluation", {}, network=maps[0].case.network, shape=maps[0].case.shape)
    assert rates.seconds(new).source == "results here, other stages of the network"
    assert "results here" not in rates.seconds(case("maps", {}, network=RESNET20)).source
    assert "results here" not in rates.seconds(case("maps", maps[0].case.parameters, network=maps[0].case.network,
                                                    shape=maps[0].case.shape, device="cuda")).source  # fmt: skip


def test_a_simulation_says_what_it_takes_until_it_has_been_made(tmp_path):
    def simulated(kind, **parameters):
        given = {"simulation": {"kind": kind, "parameters": parameters}}
        return Case("simulation", {"names": {}, "parameters": given, "inputs": {}}, "cpu", Shape(3, 32), None, 0.0, 0.0)

    said = Rates([]).seconds(simulated("two_layer_theorems"))
    assert 1 < said.value < 60
    assert said.factor == 5.0
    assert Rates([]).seconds(simulated("blue_shift")).value < said.value
    assert Rates([]).seconds(simulated("mylab.simulated:compute")).value == 0  # it says nothing
    results.simulation(tmp_path, "blue_shift", draws=7)
    rates = Rates(finished.read(scan(tmp_path)))
    assert rates.seconds(simulated("blue_shift", draws=7)).value == 1.5
    assert rates.seconds(simulated("blue_shift", draws=70)).source.startswith("what the simulation says")


def default(**changes):
    config = read_files([REPOSITORY / "config.yaml"])
    merge(config, changes)
    return study(config)


def test_the_rows_add_up_and_every_job_is_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    built = default(threads={"training": 4})
    planned = plan(built, device="cuda")
    told = json.loads(json_text(planned))
    *stages, total = told["stages"]
    assert total["results"] == len(built.graph.nodes) == len(told["results"])
    assert total["jobs"] == len(built.batches)
    for column in ("results", "jobs", "due", "gpu_hours", "cpu_hours", "bytes"):
        assert total[column] == pytest.approx(sum(row[column] for row in stages))
    by_stage = {row["stage"]: row for row in stages}
    assert by_stage["training"]["cpu_hours"] == pytest.approx(4 * by_stage["training"]["gpu_hours"])
    assert by_stage["matrices"]["gpu_hours"] == 0
    assert all(row["low"] <= 1 <= row["high"] for row in stages)
    read = list(csv.DictReader(io.StringIO(csv_text(planned))))
    assert [row["stage"] for row in read] == [row["stage"] for row in told["stages"]]
    assert "total" in text(planned)
    assert total["unknown"] > 0  # the speed of a GPU that nobody measured
    assert "rest on a guess" in text(planned)
    assert all(line.seconds >= START_SECONDS * line.starts for line in planned.lines)


def test_an_imagenet_sized_study_answers_within_seconds_without_torch(tmp_path):
    (tmp_path / "imagenet.yaml").write_text(IMAGENET)
    (tmp_path / "mylab").mkdir()
    (tmp_path / "mylab" / "nets.py").write_text(
        "from torch import nn\n\n\ndef net(*, classes, channels, size):\n"
        "    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))\n"
    )
    program = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); from freqmaps.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "finally: print({'torch', 'numpy', 'pandas', 'xarray'} & set(sys.modules), file=sys.stderr)\n"
    )
    words = ["plan", str(tmp_path / "imagenet.yaml"), "--assume", "imagenet=train:40000,test:50000,size:224"]
    line = [sys.executable, "-c", program, str(tmp_path), *words, "--device", "cuda", "--json", "-"]
    subprocess.run(line, cwd=REPOSITORY, capture_output=True, check=True)  # the three networks are tried, once
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(line, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.stderr.strip() == "set()"
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 15  # 1 s on most machines
    told = {row["stage"]: row for row in json.loads(done.stdout)["stages"]}
    assert told["maps"]["results"] == 98 * 3 * 4
    assert told["maps"]["gpu_hours"] > told["attacks"]["gpu_hours"] > told["training"]["gpu_hours"] > 0
    raw = 50000 * 3 * 224 * 224 * 4 * 9
    assert 0.2 * raw < told["attacks"]["bytes_due"] < raw  # nine adversarial stores, compressed
    assert told["total"]["unknown"] > 0


@pytest.mark.parametrize("assumed", ["imagenet", "imagenet=train", "imagenet=train:many"])
def test_what_is_assumed_badly_is_one_sentence(assumed, tmp_path):
    line = [sys.executable, "-m", "freqmaps.cli", "plan", "--assume", assumed]
    done = subprocess.run(line, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.strip() == f"freqmaps: --assume {assumed}: expected DATASET=train:N,test:N,size:N"


def test_a_cost_is_no_number_of_the_result():
    """Attacks say what they take in a constant; changing it must make nothing due."""
    from freqmaps.provenance._syntax import DECLARATIONS

    assert "COST" in DECLARATIONS
    with pytest.raises(FreqmapsError):
        default(attacks={"fmn": {"COST": 1}})
