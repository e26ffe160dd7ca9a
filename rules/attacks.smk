rule attacks:
    input:
        inputs_of("attacks"),
    output:
        **made("attacks"),
    log:
        record("attacks", "log.txt"),
    benchmark:
        record("attacks", "benchmark.tsv")
    conda:
        "../envs/gpu.yaml"
    threads: threads_of("attacks")
    resources:
        mem_mb=growing(8000),
        runtime=growing(120),
        gpu=gpus,
        gpu_model=gpu_model,
    params:
        spec=spec_of("attacks"),
        options=options_of("attacks"),
    message:
        "attack {wildcards.dataset}/{wildcards.model} with {wildcards.attack}, samples {wildcards.range}"
    shell:
        command("attacks")
