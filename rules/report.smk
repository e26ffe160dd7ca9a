"""The report: one self-contained page about the current config, stamped like an item; and the catalog.

The catalog lists everything under the results root, others' results too, so no rule can know when it is out of date.
The report writes it, so that it is there; every run that had work, ended well or not, lists the root again. Nothing
asks for it, so it never makes anything due.
"""

from freqmaps.study import pages

REPORT = f"{SHOWN}/report.html"
SUMMARY = f"{SHOWN}/.current/summary.txt"
REPORT_PAGE = pages.report(STUDY, Path(workflow.basedir) / "report")
REPORT_STAMP = f"{SHOWN}/{REPORT_PAGE.stamp}"


rule stamp_report:
    input:
        [
            ancient(file)
            for item in STUDY.items.values()
            for file in files_of(item).values()
        ],
        manifests_of(STUDY.graph.nodes.values()),
    output:
        REPORT_STAMP,
    log:
        f"{SHOWN}/logs/stamp_report.txt",
    localrule: True
    conda:
        "../envs/cpu.yaml"
    params:
        removes=[REPORT, SUMMARY],
        content=json.dumps(REPORT_PAGE.records),
    shell:
        f"python {script('stamp')} --stamp {{output:q}} --content {{params.content:q}}"
        " --removes {params.removes:q} --log {log:q}"


rule report:
    input:
        ancient(REPORT_STAMP),
        [
            ancient(file)
            for item in STUDY.items.values()
            for file in files_of(item).values()
        ],
        results=results_of(STUDY.graph.nodes.values()),
    output:
        html=REPORT,
        summary=SUMMARY,
        catalog=multiext(f"{SHOWN}/catalog", ".html", ".csv"),
    log:
        f"{SHOWN}/logs/report.txt",
    benchmark:
        f"{SHOWN}/logs/report.tsv"
    localrule: True
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        config=json.dumps(pages.shown_config(STUDY), sort_keys=True),
        templates=f"{workflow.basedir}/report",
        files=[
            ",".join(list(item.files.values())[:-1]) for item in STUDY.items.values()
        ],
        # Paths below the root: a shell takes 128 kB, which is some 1500 results.
        results=list(STUDY.graph.nodes),
        root=root_of(STUDY.graph.nodes.values()),
    message:
        "report"
    shell:
        f"python {script('report')} --config {{params.config:q}} --root {{params.root:q}}"
        " --templates {params.templates:q} --log {log:q} --html {output.html:q} --summary {output.summary:q}"
        f" --items {{params.files:q}} --results {{params.results:q}}{' --atlas' if STUDY.atlas else ''}"


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
