rule evaluation:
    input:
        inputs_of("evaluation"),
    output:
        **made("evaluation"),
    log:
        record("evaluation", "log.txt"),
    benchmark:
        record("evaluation", "benchmark.tsv")
    conda:
        "../envs/gpu.yaml"
    threads: threads_of("evaluation")
    resources:
        mem_mb=growing(8000),
        runtime=growing(120),
        gpu=gpus,
        gpu_model=gpu_model,
    params:
        spec=spec_of("evaluation"),
        options=options_of("evaluation"),
    message:
        "evaluation {wildcards.evaluation} of {wildcards.dataset}/{wildcards.model}/{wildcards.training}"
    shell:
        command("evaluation")
