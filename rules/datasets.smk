rule datasets:
    message:
        "dataset store {wildcards.dataset}"
    input:
        inputs_of("datasets"),
    output:
        manifest=beside("datasets", "manifest.json"),
    params:
        spec=spec_of("datasets"),
        options=options_of("datasets"),
    log:
        beside("datasets", "log.txt"),
    benchmark:
        beside("datasets", "benchmark.tsv")
    threads: threads_of("datasets")
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    conda:
        "../envs/cpu.yaml"
    shell:
        command("datasets")
