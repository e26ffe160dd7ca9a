rule group_maps:
    input:
        inputs_of("group_maps"),
    output:
        **made("group_maps"),
    log:
        record("group_maps", "log.txt"),
    benchmark:
        record("group_maps", "benchmark.tsv")
    conda:
        "../envs/gpu.yaml"
    threads: threads_of("group_maps")
    resources:
        mem_mb=growing(16000),
        runtime=growing(240),
        gpu=gpus,
        gpu_model=gpu_model,
    params:
        spec=spec_of("group_maps"),
        options=options_of("group_maps"),
    message:
        "group maps {wildcards.group_maps} of {wildcards.images} images ({wildcards.attack}) for {wildcards.dataset}/{wildcards.model}"
    shell:
        command("group_maps")
