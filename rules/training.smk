rule training:
    input:
        inputs_of("training"),
    output:
        **made("training"),
    log:
        record("training", "log.txt"),
    benchmark:
        record("training", "benchmark.tsv")
    conda:
        "../envs/gpu.yaml"
    threads: threads_of("training")
    resources:
        mem_mb=growing(8000),
        runtime=growing(240),
        gpu=gpus,
        gpu_model=gpu_model,
    params:
        spec=spec_of("training"),
        options=options_of("training"),
    message:
        "train {wildcards.model} on {wildcards.dataset} ({wildcards.training}, seed {wildcards.seed})"
    shell:
        command("training")
