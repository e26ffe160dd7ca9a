rule maps:
    input:
        inputs_of("maps"),
    output:
        **made("maps"),
    log:
        record("maps", "log.txt"),
    benchmark:
        record("maps", "benchmark.tsv")
    conda:
        "../envs/gpu.yaml"
    threads: threads_of("maps")
    resources:
        mem_mb=growing(8000),
        runtime=growing(240),
        gpu=gpus,
        gpu_model=gpu_model,
    params:
        spec=spec_of("maps"),
        options=options_of("maps"),
    message:
        "maps {wildcards.maps} of {wildcards.images} images ({wildcards.attack}) for {wildcards.dataset}/{wildcards.model}, samples {wildcards.range}"
    shell:
        command("maps")
