rule matrices:
    message:
        "matrices {wildcards.maps} {wildcards.attack} for {wildcards.dataset}/{wildcards.model}"
    input:
        inputs_of("matrices"),
    output:
        manifest=beside("matrices", "manifest.json"),
    params:
        spec=spec_of("matrices"),
        options=options_of("matrices"),
    log:
        beside("matrices", "log.txt"),
    benchmark:
        beside("matrices", "benchmark.tsv")
    threads: threads_of("matrices")
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    conda:
        "../envs/cpu.yaml"
    shell:
        command("matrices")
