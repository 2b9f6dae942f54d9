rule probe_splice:
    input:
        model=f"{RESULTS}/{{genome}}/{{run}}/model.h5",
        genome=f"{RESULTS}/{{genome}}/genome.h5",
        annotation=lambda wildcards: path_of(wildcards.genome, "annotation"),
    output:
        f"{RESULTS}/{{genome}}/{{run}}/splice.h5",
    log:
        f"{RESULTS}/logs/splice/{{genome}}.{{run}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/splice/{{genome}}.{{run}}.tsv"
    threads: config["threads"]
    resources:
        **GPU,
        mem_mb=lambda wildcards, attempt: 6000 * attempt,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        program=PROGRAM,
        options=typed("probes", "splice"),
        device=config["device"],
    shell:
        "{params.program:q} probe splice {input.model:q} --genome {input.genome:q} --annotation {input.annotation:q}"
        " -o {output:q} {params.options:q} --device {params.device:q} --threads {threads} 2> {log:q}"


rule probe_protein:
    input:
        model=f"{RESULTS}/{{genome}}/{{run}}/model.h5",
        genome=f"{RESULTS}/{{genome}}/genome.h5",
        annotation=lambda wildcards: path_of(wildcards.genome, "annotation"),
    output:
        f"{RESULTS}/{{genome}}/{{run}}/protein.h5",
    log:
        f"{RESULTS}/logs/protein/{{genome}}.{{run}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/protein/{{genome}}.{{run}}.tsv"
    threads: config["threads"]
    resources:
        **GPU,
        mem_mb=lambda wildcards, attempt: 6000 * attempt,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        program=PROGRAM,
        options=typed("probes", "protein"),
        device=config["device"],
    shell:
        "{params.program:q} probe protein {input.model:q} --genome {input.genome:q} --annotation {input.annotation:q}"
        " -o {output:q} {params.options:q} --device {params.device:q} --threads {threads} 2> {log:q}"


rule probe_accessibility:
    input:
        model=f"{RESULTS}/{{genome}}/{{run}}/model.h5",
        genome=f"{RESULTS}/{{genome}}/genome.h5",
        track=f"{RESULTS}/{{genome}}/tracks/{{sample}}.track.h5",
        peaks=lambda wildcards: TRACKS[wildcards.sample].get("peaks", []),
    output:
        f"{RESULTS}/{{genome}}/{{run}}/access.{{sample}}.h5",
    log:
        f"{RESULTS}/logs/accessibility/{{genome}}.{{run}}.{{sample}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/accessibility/{{genome}}.{{run}}.{{sample}}.tsv"
    threads: config["threads"]
    resources:
        **GPU,
        mem_mb=lambda wildcards, attempt: 6000 * attempt,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        program=PROGRAM,
        peaks=lambda wildcards, input: option("--peaks", input.peaks),
        options=typed("probes", "accessibility"),
        device=config["device"],
    shell:
        "{params.program:q} probe accessibility {input.model:q} --genome {input.genome:q} --track {input.track:q}"
        " -o {output:q} {params.peaks:q} {params.options:q} --device {params.device:q} --threads {threads} 2> {log:q}"
