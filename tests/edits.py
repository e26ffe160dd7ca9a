"""Edits of a clone of the tiny study, and the jobs that each makes due."""

from __future__ import annotations

import itertools
import re

import yaml

ATTACKS, METRICS = ("fgsm", "pgd-4_16"), ("cosine", "idcor")


def training(seed=0):
    return {f"training/{seed}"}


def attack(*attacks, seed=0):
    return {f"attacks/{seed}/{a}" for a in attacks}


def maps(*of, seed=0):
    return {f"maps/{seed}/{o}" for o in of}


def pairs(*attacks, seed=0, metrics=METRICS):
    matrices = {f"matrices/{seed}/{a}" for a in attacks}
    return matrices | {f"correlation/{seed}/{a}/{m}" for a, m in itertools.product(attacks, metrics)}


def shown(*items):
    return {*items, "report"}


FROM_MAPS = maps("essential", *ATTACKS) | pairs(*ATTACKS) | shown("B25-T1", "B25-F3", "atlas")
FROM_TRAINING = training() | attack(*ATTACKS) | FROM_MAPS


def config(*place, to):
    """An edit of the tiny study's config."""

    def edit(folder):
        path = folder / "tests" / "tiny.yaml"
        content = yaml.safe_load(path.read_text())
        part = content
        for name in place[:-1]:
            part = part.setdefault(name, {}) if isinstance(part, dict) else part[name]
        part[place[-1]] = to
        path.write_text(yaml.safe_dump(content))

    return edit


def swap(*place, names):
    """Swap the values of two parameters."""

    def edit(folder):
        path = folder / "tests" / "tiny.yaml"
        content = yaml.safe_load(path.read_text())
        part = content
        for name in place:
            part = part[name]
        a, b = names
        part[a], part[b] = part[b], part[a]
        path.write_text(yaml.safe_dump(content))

    return edit


def text(file, old, new):
    """An edit of a source file."""

    def edit(folder):
        path = folder / file
        before = path.read_text()
        assert old in before, f"{file} no longer holds {old!r}; adapt this test"
        path.write_text(before.replace(old, new, 1))

    return edit


def append(file, what):
    def edit(folder):
        path = folder / file
        path.write_text(path.read_text() + what)

    return edit


def rename(file, old, new):
    """Call a variable by another name, wherever it stands in a source file."""

    def edit(folder):
        path = folder / file
        before = path.read_text()
        assert re.search(rf"\b{old}\b", before), f"{file} no longer holds {old!r}; adapt this test"
        path.write_text(re.sub(rf"\b{old}\b", new, before))

    return edit


def reformat(file):
    """Write a source file anew from its syntax tree: no comment, no line stays as it was."""
    import ast

    def edit(folder):
        path = folder / file
        path.write_text(ast.unparse(ast.parse(path.read_text())) + "\n")

    return edit


NEW_ATTACK = attack("bim") | maps("bim") | pairs("bim") | shown("atlas")
NEW_SEED = (
    training(1) | attack(*ATTACKS, seed=1) | maps("essential", *ATTACKS, seed=1) | pairs(*ATTACKS, seed=1)
    | shown("B25-T1", "B25-F3")
)  # fmt: skip


def add_attack(folder):
    config("attacks", "bim", to={"kind": "bim", "epsilon": 0.1})(folder)
    config("runs", 0, "attacks", to=[*ATTACKS, "bim"])(folder)


def add_snapshots(folder):
    path = folder / "tests" / "tiny.yaml"
    content = yaml.safe_load(path.read_text())
    run = content["runs"][0] | {"attacks": ["fgsm"], "metrics": ["cosine"], "snapshots": [0, 4]}
    path.write_text(yaml.safe_dump(content | {"runs": [*content["runs"], run]}))


UNUSED = "\n\ndef unused(x):\n    return x\n"

EDITS = {
    "nothing": (lambda folder: None, set()),
    "lambda": (config("maps", "ce", "penalty", to=0.3), FROM_MAPS),
    "one attack's epsilon": (
        config("attacks", "fgsm", "epsilon", to=0.1),
        attack("fgsm") | maps("fgsm") | pairs("fgsm") | shown("atlas"),
    ),
    "the epsilon of an attack that items read": (
        config("attacks", "pgd-4_16", "epsilon", to=0.1),
        attack("pgd-4_16") | maps("pgd-4_16") | pairs("pgd-4_16") | shown("B25-T1", "B25-F3", "atlas"),
    ),
    "a new seed": (config("runs", 0, "seeds", to=[0, 1]), NEW_SEED),
    "a new attack": (add_attack, NEW_ATTACK),
    "snapshots of the training": (
        add_snapshots,
        # Nothing of the finished network; the training is not among what is due, though its job runs.
        {"snapshots/0@0", "snapshots/0@4", "attacks/0@0/fgsm", "attacks/0@4/fgsm", *shown()}
        | {f"maps/0@{step}/{of}" for step in (0, 4) for of in ("essential", "fgsm")}
        | {f"{of}" for step in (0, 4) for of in pairs("fgsm", seed=f"0@{step}", metrics=("cosine",))},
    ),
    "two parameters swapped": (swap("maps", "ce", names=("window", "patience")), FROM_MAPS),
    "a metric's parameter": (
        config("metrics", "idcor", "permutations", to=20),
        {f"correlation/0/{a}/idcor" for a in ATTACKS} | shown("B25-T1"),
    ),
    "epochs": (config("trainings", "standard", "epochs", to=4), FROM_TRAINING),
    "fewer samples": (
        config("runs", 0, "samples", to={"split": "test", "first": 50}),
        attack(*ATTACKS) | FROM_MAPS,
    ),
    "a plot's colour": (append("freqmaps/papers/b25/F3.py", "\n_COLOUR = 'black'\n"), shown("B25-F3")),
    # The report shows the config as it is written.
    "how many samples the atlas shows": (config("atlas", to={"samples": 10}), shown("atlas")),
    "the atlas's looks": (append("report/atlas/style.css", "\nh1 { color: red; }\n"), {"atlas"}),
    "a default made explicit": (config("maps", "ce", "warmup", to=0.1), shown()),
    "threads and device": (config("threads", to={"maps": 2}), set()),
    "a numeric function of maps": (
        append("freqmaps/optimise/objectives/cross_entropy.py", "\n_SCALE = 2.0\n"),
        FROM_MAPS,
    ),
    "a numeric function of a metric": (
        append("freqmaps/correlation/metrics/cosine.py", "\n_SCALE = 2.0\n"),
        {f"correlation/0/{a}/cosine" for a in ATTACKS} | shown("B25-T1", "atlas"),
    ),
    "a comment": (append("freqmaps/optimise/objectives/cross_entropy.py", "\n# a comment\n"), set()),
    "a reformatting": (reformat("freqmaps/optimise/objectives/cross_entropy.py"), set()),
    "a log line of the job runner": (append("freqmaps/job.py", "\n_NOTE = 'x'\n"), set()),
    "a new function in a module that every stage uses": (
        append("freqmaps/spectra/transforms.py", "\n\ndef unused(x):\n    return x\n"),
        set(),
    ),
    "a new function beside a metric": (
        append("freqmaps/correlation/_pairs.py", "\n\ndef unused(x):\n    return x\n"),
        set(),
    ),
    "how stores are written": (
        text("freqmaps/stores/zarrfile.py", "CHUNK_BYTES = 1 << 20", "CHUNK_BYTES = 1 << 21"),
        set(),
    ),
    "one more contract": (
        append("freqmaps/stores/contracts.py", '\nMORE = Contract(kind="more", variables={})\n'),
        set(),
    ),
    "what a local variable is called": (rename("freqmaps/maps/_engine.py", "pictures", "every_image"), set()),
    "a type hint": (
        text(
            "freqmaps/maps/_slots.py",
            "def select(self, rows: Tensor) -> Slots:",
            "def select(self, rows: Tensor) -> object:",
        ),
        set(),
    ),
    "a published value of this item": (
        text("freqmaps/papers/b25/published.yaml", "Basile et al., Table I\n", "Basile et al., Table 1\n"),
        shown("B25-T1"),
    ),
    "a published value of another item": (
        text("freqmaps/papers/b25/published.yaml", "Basile et al., Table IV", "Basile et al., Table 4"),
        set(),
    ),
    "an attack that this study does not use": (append("freqmaps/attacks/deepfool.py", "\n_X = 1\n"), set()),
}
