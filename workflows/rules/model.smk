# a job that is stopped leaves model.h5.resume, which is no output of the rule: the next attempt goes on from there
rule train:
    input:
        f"{RESULTS}/{{genome}}/genome.h5",
    output:
        f"{RESULTS}/{{genome}}/{{run}}/model.h5",
    log:
        f"{RESULTS}/logs/train/{{genome}}.{{run}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train/{{genome}}.{{run}}.tsv"
    retries: 2
    threads: config["threads"]
    resources:
        **GPU,
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 720 * attempt,
    params:
        program=PROGRAM,
        options=training_options,
    shell:
        "{params.program:q} train {input:q} -o {output:q} {params.options:q} --threads {threads} --resume 2> {log:q}"


rule score:
    input:
        model=f"{RESULTS}/{{genome}}/{{run}}/model.h5",
        genome=f"{RESULTS}/{{genome}}/genome.h5",
        annotation=lambda wildcards: path_of(wildcards.genome, "annotation"),
    output:
        score=f"{RESULTS}/{{genome}}/{{run}}/score.h5",
        bigwig=f"{RESULTS}/{{genome}}/{{run}}/bits.bw",
    log:
        f"{RESULTS}/logs/score/{{genome}}.{{run}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/score/{{genome}}.{{run}}.tsv"
    threads: config["threads"]
    resources:
        **GPU,
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        program=PROGRAM,
        annotation=lambda wildcards, input: option("--annotation", input.annotation),
        device=config["device"],
    shell:
        "{params.program:q} score {input.model:q} {input.genome:q} -o {output.score:q} --bigwig {output.bigwig:q}"
        " {params.annotation:q} --device {params.device:q} --threads {threads} 2> {log:q}"


rule gates:
    input:
        model=f"{RESULTS}/{{genome}}/{{run}}/model.h5",
        genome=f"{RESULTS}/{{genome}}/genome.h5",
        annotation=lambda wildcards: path_of(wildcards.genome, "annotation"),
    output:
        f"{RESULTS}/{{genome}}/{{run}}/gates.h5",
    log:
        f"{RESULTS}/logs/gates/{{genome}}.{{run}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/gates/{{genome}}.{{run}}.tsv"
    threads: config["threads"]
    resources:
        **GPU,
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        program=PROGRAM,
        boundaries=lambda wildcards, input: option("--boundaries", input.annotation),
        device=config["device"],
    shell:
        "{params.program:q} gates {input.model:q} {input.genome:q} -o {output:q} {params.boundaries:q}"
        " --device {params.device:q} --threads {threads} 2> {log:q}"


rule variants:
    input:
        model=f"{RESULTS}/{{genome}}/{{run}}/model.h5",
        genome=f"{RESULTS}/{{genome}}/genome.h5",
        variants=lambda wildcards: path_of(wildcards.genome, "variants"),
    output:
        vcf=f"{RESULTS}/{{genome}}/{{run}}/variants.vcf.gz",
        index=f"{RESULTS}/{{genome}}/{{run}}/variants.vcf.gz.tbi",
    log:
        f"{RESULTS}/logs/variants/{{genome}}.{{run}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/variants/{{genome}}.{{run}}.tsv"
    threads: config["threads"]
    resources:
        **GPU,
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        program=PROGRAM,
        device=config["device"],
    shell:
        "{params.program:q} variants {input.model:q} {input.genome:q} {input.variants:q} -o {output.vcf:q}"
        " --device {params.device:q} --threads {threads} 2> {log:q}"
