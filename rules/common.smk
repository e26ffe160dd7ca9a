"""What all rules share: the study, resolved, and the paths of its results. No numerics."""

import json
import os
import shlex
import sys
import time
from pathlib import Path

from snakemake.exceptions import WorkflowError

sys.path.insert(0, workflow.basedir)

from freqmaps import job
from freqmaps.provenance import shared_root
from freqmaps.core.errors import FreqmapsError
from freqmaps.study.build import study
from freqmaps.study.graph import FILES, PATHS

# Jobs run the Python that runs Snakemake, and this clone's package, wherever they start.
os.environ.update(
    PATH=os.pathsep.join([str(Path(sys.executable).parent), *os.get_exec_path()]),
    PYTHONPATH=os.pathsep.join(
        filter(None, [workflow.basedir, os.getenv("PYTHONPATH")])
    ),
)

try:
    STUDY = study(config)
except FreqmapsError as error:
    raise WorkflowError(str(error)) from None

ROOT = STUDY.config["results"].rstrip("/") if STUDY.remote else str(STUDY.root)
if not STUDY.remote:
    shared_root.open_to_group(STUDY.root)
os.environ.setdefault(job.STARTED, str(time.time()))
SHOWN = "results"  # tables, figures and the report follow the current config, in the working directory


def _names(name):
    found = {
        node.names[name] for node in STUDY.graph.nodes.values() if name in node.names
    }
    return "|".join(sorted(map(re.escape, found))) or "none"


onstart:
    due = list(workflow.dag.needrun_jobs())
    try:
        shared_root.check(
            [f for job in due for f in job.output],
            [f for job in due for f in job.input],
        )
    except FreqmapsError as error:
        raise WorkflowError(str(error)) from None


wildcard_constraints:
    dataset=_names("dataset"),
    model=_names("model"),
    training=_names("training"),
    attack=_names("attack"),
    maps=_names("maps"),
    images="essential|adversarial|transferred|noise",
    against=_names("against"),
    group_maps=_names("group_maps"),
    pairing=_names("pairing"),
    metric=_names("metric"),
    evaluation=_names("evaluation"),
    seed=r"\d+",
    range=r"(test|train|all)-\d+-\d+",
    key=r"[0-9a-f]{12}",


def in_root(path):
    """A file below the results root; on object storage, what Snakemake fetches and stores."""
    return storage(f"{ROOT}/{path}") if STUDY.remote else f"{ROOT}/{path}"


def record(stage, name):
    """A job's log or benchmark: beside the manifest, or in this clone if the root is on object storage."""
    return f"{f'{SHOWN}/logs' if STUDY.remote else ROOT}/{PATHS[stage]}/{name}"


def made(stage):
    """The output of a stage.

    Only the manifest is an output. It is written last, so it says that the files beside it are whole; and Snakemake
    passes over what is missing downstream of a job that it repeats although its (ancient) outputs exist. `update` keeps
    it from removing, before the job, what another user's run has made since this one looked. Object storage needs the
    files themselves as outputs, and has no `update`.
    """
    manifest = in_root(f"{PATHS[stage]}/manifest.json")
    if not STUDY.remote:
        return {"manifest": update(manifest)}
    return {
        "manifest": manifest,
        "files": [in_root(f"{PATHS[stage]}/{f}") for f in FILES[stage]],
    }


def manifests_of(nodes):
    """The manifests of results, as inputs: their age decides nothing, their path says it all."""
    return [ancient(in_root(f"{node.path}/manifest.json")) for node in nodes]


def results_of(nodes):
    """Results as inputs: their manifests, and the files beside them where these have to be fetched."""
    files = [(n, f) for n in nodes for f in (FILES[n.stage] if STUDY.remote else ())]
    return manifests_of(nodes) + [ancient(in_root(f"{n.path}/{f}")) for n, f in files]


def root_of(nodes):
    """Parameter function: where `input.results` lie on this machine: their root, or the copies fetched from it."""
    depth = next(iter(nodes)).path.count("/") + 1
    return lambda wildcards, input: str(Path(input.results[0]).parents[depth])


def _found(stage, wildcards):
    try:
        return STUDY.graph.at(stage, dict(wildcards.items()))
    except FreqmapsError as error:
        raise WorkflowError(str(error)) from None


def inputs_of(stage):
    """Input function: the results that a result is made from."""
    return lambda wildcards: results_of(_found(stage, wildcards).inputs)


def spec_of(stage):
    """Parameter function: the spec, as JSON."""
    return lambda wildcards: json.dumps(
        dict(_found(stage, wildcards).spec), sort_keys=True
    )


def options_of(stage):
    """Parameter function: what decides no number, as JSON."""
    return lambda wildcards: json.dumps(
        dict(_found(stage, wildcards).options), sort_keys=True
    )


def threads_of(stage):
    return STUDY.config["threads"][stage]


def gpus(wildcards):
    return 0 if STUDY.config["device"] == "cpu" else 1


def gpu_model(wildcards):
    """The kind of GPU that a cluster's profile asks for (`default-resources: gpu_type`), None without one."""
    kind = (workflow.resource_settings.default_resources or {}).get("gpu_type")
    return kind.raw if kind is not None and gpus(wildcards) else None


def growing(first):
    """A resource that grows with every attempt."""
    return lambda wildcards, attempt: first * 2 ** (attempt - 1)


STAGE_COMMAND = (
    "--spec {params.spec:q} --options {params.options:q} "
    "--output {output.manifest:q} --log {log:q} --inputs {input:q}"
)


def script(name):
    """A script of this clone, wherever that lies, for a command line."""
    path = shlex.quote(f"{workflow.basedir}/workflow_scripts/{name}.py")
    return path.replace("{", "{{").replace("}", "}}")


def command(stage):
    """The one command line of all keyed stages."""
    return f"python {script(stage)} {STAGE_COMMAND}"
