"""What all rules share: the study, resolved, and the paths of its results. No numerics."""

import json
import os
import shlex
import sys
import time
from pathlib import Path

from snakemake.exceptions import WorkflowError

from freqmaps import job, starter
from freqmaps.provenance import manifest, shared_root
from freqmaps.core import logs
from freqmaps.study.build import study
from freqmaps.study import cluster, jobs, shown, targets

# Jobs run the Python that runs Snakemake, and this clone's package, wherever they start.
os.environ.update(
    PATH=os.pathsep.join([str(Path(sys.executable).parent), *os.get_exec_path()]),
    PYTHONPATH=os.pathsep.join(
        filter(None, [workflow.basedir, os.getenv("PYTHONPATH")])
    ),
)

# A job of a cluster has the rule that it runs, and need not define the hundreds of the study.
ALLOWED = None if workflow.is_main_process else targets.allowed(sys.argv)
ASKED = targets.command(sys.argv if workflow.is_main_process else ())
try:
    if ASKED.executor == "slurm" and not ASKED.dry:
        cluster.check()
    STUDY = study(config)
    for sentence in STUDY.warnings if workflow.is_main_process else ():
        logger.warning(f"Warning: {sentence}")
except FreqmapsError as error:
    refuse(error)

ROOT = STUDY.config["results"].rstrip("/") if STUDY.remote else str(STUDY.root)
if not STUDY.remote:
    shared_root.open_to_group(STUDY.root)
os.environ.setdefault(job.STARTED, str(time.time()))
SHOWN = "results"  # tables, figures and the report follow the current config, in the working directory


onstart:
    forced = workflow.dag_settings
    if forced.forceall or forced.forcetargets or forced.forcerun:
        os.environ[job.FORCED] = "1"
    due = list(workflow.dag.needrun_jobs())
    # For the limit of 100 jobs per second that nobody has set, Snakemake 9.27 looks at all waiting jobs every second,
    # and once more for each time that a job has ended: late in a study a fifth of a core. A limit that is set stays.
    limit = workflow.scheduling_settings.max_jobs_per_timespan
    if limit and (limit.max_jobs, limit.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None
    try:
        shared_root.check(
            [f for job in due for f in job.output],
            [f for job in due for f in job.input],
        )
    except FreqmapsError as error:
        refuse(error)
    if (
        STUDY.config["job_start"] == "forked"
        and workflow.local_exec
        and len(due) >= starter.FEWEST_JOBS
    ):
        started = starter.start()
        if started is not None:
            os.environ.update(
                PATH=os.pathsep.join([str(started), *os.get_exec_path()])
            )


def in_root(path):
    """A file below the results root; on object storage, what Snakemake fetches and stores."""
    return storage(f"{ROOT}/{path}") if STUDY.remote else f"{ROOT}/{path}"


def log_of(node):
    """A result's log: beside the manifest, or in this clone if the root is on object storage."""
    return f"{f'{SHOWN}/logs' if STUDY.remote else ROOT}/{node.path}/log.txt"


def made(nodes):
    """The outputs of a job.

    Only manifests are outputs. A manifest is written last, so it says that the files beside it are whole; and Snakemake
    passes over what is missing downstream of a job that it repeats although its (ancient) outputs exist. `update` keeps
    it from removing, before the job, what another user's run has made since this one looked, or what the job will find
    made. Object storage needs the files themselves as outputs, and has no `update`.
    """
    if not STUDY.remote:
        return [update(f"{ROOT}/{node.path}/manifest.json") for node in nodes]
    files = [(node, f) for node in nodes for f in ("manifest.json", *node.files)]
    return [in_root(f"{node.path}/{file}") for node, file in files]


def results_of(nodes):
    """Results as inputs: their age decides nothing, their path says it all; their files too where they are fetched."""
    files = [
        (node, f)
        for node in nodes
        for f in ("manifest.json", *(node.files if STUDY.remote else ()))
    ]
    return [ancient(in_root(f"{node.path}/{file}")) for node, file in files]


def root_above(files, node):
    """Where a result lies on this machine: below the root, or below the copies fetched from it."""
    return str(Path(files[0]).parents[node.path.count("/") + 1])


def gpus(wildcards):
    return 0 if STUDY.config["device"] == "cpu" else 1


def gpu_model(wildcards):
    """The kind of GPU that a cluster's profile asks for (`default-resources: gpu_type`), None without one."""
    kind = (workflow.resource_settings.default_resources or {}).get("gpu_type")
    return kind.raw if kind is not None and gpus(wildcards) else None


def growing(first):
    """A resource that grows with every attempt."""
    return lambda wildcards, attempt: first * 2 ** (attempt - 1)


def script(name):
    """A script of this clone, wherever that lies."""
    return f"{workflow.basedir}/workflow_scripts/{name}.py"


def wanted(names):
    """What to lay: for each item or page its name, the path of its result, and where its files go."""
    return [
        {"name": n, "path": STUDY.published[n].path, "files": STUDY.laid(n)}
        for n in names
    ]
