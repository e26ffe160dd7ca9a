rule training:
    message:
        "train {wildcards.model} on {wildcards.dataset} ({wildcards.training}, seed {wildcards.seed})"
    input:
        inputs_of("training"),
    output:
        manifest=beside("training", "manifest.json"),
    params:
        spec=spec_of("training"),
        options=options_of("training"),
    log:
        beside("training", "log.txt"),
    benchmark:
        beside("training", "benchmark.tsv")
    threads: threads_of("training")
    resources:
        mem_mb=growing(8000),
        runtime=growing(240),
        gpu=gpus,
    conda:
        "../envs/gpu.yaml"
    shell:
        command("training")
