"""The keyed results: a rule per job, which makes one result or several that belong together.

What a job makes, reads and asks for follows from the stages' records (freqmaps/stages) and from the study.
"""

for BATCH in STUDY.batches:
    if ALLOWED is not None and BATCH.name not in ALLOWED:
        continue
    MEMORY, MINUTES = jobs.resources(BATCH, STUDY.config)

    rule:
        name:
            BATCH.name
        input:
            results_of(BATCH.inputs),
        output:
            made(BATCH.nodes),
        log:
            [log_of(node) for node in BATCH.nodes],
        localrule: jobs.is_light(BATCH)
        conda:
            "../envs/gpu.yaml" if jobs.on_device(BATCH) else "../envs/cpu.yaml"
        threads: max(node.options.get("threads", 1) for node in BATCH.nodes)
        resources:
            mem_mb=growing(MEMORY),
            runtime=growing(MINUTES),
            gpu=gpus if jobs.on_device(BATCH) else 0,
            gpu_model=gpu_model if jobs.on_device(BATCH) else None,
        params:
            # Snakemake evaluates a shell command when the job runs, and then BATCH is the last one: so no {BATCH} there.
            script=script(BATCH.stage),
            results=json.dumps(BATCH.results, sort_keys=True),
            root=lambda wildcards, output, first=BATCH.nodes[0]: root_above(
                output, first
            ),
            inputs=BATCH.named_inputs,
        message:
            BATCH.message
        shell:
            "python {params.script:q} --root {params.root:q} --results {params.results:q}"
            " --inputs {params.inputs:q} --logs {log:q}"
