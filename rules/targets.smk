"""Targets: `all`, a paper (`b25`), an item (`B25-T1`), `report`, `atlas`; and `stores`, every keyed result.

Tables, figures and pages are keyed results. A target lays those of the current config at their plain names, in one
step at its end. Where they lie there already the target has nothing to do, whatever Snakemake remembers.
"""

INDEX = shown.read_index(Path(SHOWN))


for TARGET, NAMES in STUDY.targets().items():
    NODES = [STUDY.published[name] for name in NAMES]
    if all(
        shown.is_current(Path(SHOWN), n, STUDY.published[n].path, INDEX) for n in NAMES
    ):

        rule:
            name:
                TARGET
            input:
                results_of(NODES),
            localrule: True
            message:
                f"{TARGET}: tables, figures and pages are laid in {SHOWN}/"

    else:

        rule:
            name:
                TARGET
            input:
                results_of(NODES),
            log:
                f"{SHOWN}/logs/{TARGET}.txt",
            localrule: True
            conda:
                "../envs/cpu.yaml"
            params:
                script=script("lay"),
                results=json.dumps(wanted(NAMES), sort_keys=True),
                root=lambda wildcards, input, first=NODES[0]: root_above(input, first),
            message:
                f"{TARGET}: lay tables, figures and pages in {SHOWN}/"
            shell:
                f"python {{params.script:q}} --root {{params.root:q}} --shown {SHOWN} --results {{params.results:q}}"
                " 2> {log:q}"


rule stores:
    input:
        results_of(STUDY.graph.nodes.values()),
    localrule: True
    message:
        "stores: every result of the study"


# Told before anything is planned, by a dry run too.
try:
    targets.check(STUDY, Path(SHOWN), ASKED.words, workflow.is_rule)
except FreqmapsError as error:
    refuse(error)


# A root on object storage is not listed: that would fetch every manifest in it at the end of each run.
CATALOG_COMMAND = (
    "true"
    if STUDY.remote
    else f"python -m freqmaps.cli catalog --root {shlex.quote(ROOT)} --to {SHOWN} --if-any"
)


onsuccess:
    shell(CATALOG_COMMAND)


onerror:
    shell(CATALOG_COMMAND)
    failed = [
        part
        for job in workflow.scheduler.failed
        for part in getattr(job, "jobs", [job])
    ]
    if not STUDY.remote:
        for output in manifest.withdraw_unfit(
            Path(file) for part in failed for file in part.output
        ):
            logger.warning(
                f"{output}: withdrawn, since it was put back beside files that the failed job had made anew"
            )
    # Last on the screen, below the logs that Snakemake shows whole.
    sentences = logs.failures([file for part in failed for file in part.log])
    if sentences and workflow.is_main_process:
        raise WorkflowError(
            "\n".join(
                [
                    f"At least one job failed (all of it in {', '.join(log)}):",
                    *sentences,
                ]
            )
        )
