rule ingest:
    input:
        lambda wildcards: path_of(wildcards.genome, "fasta"),
    output:
        f"{RESULTS}/{{genome}}/genome.h5",
    log:
        f"{RESULTS}/logs/ingest/{{genome}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/ingest/{{genome}}.tsv"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        program=PROGRAM,
    shell:
        "{params.program:q} ingest {input:q} -o {output:q} 2> {log:q}"


rule track:
    input:
        reads=lambda wildcards: TRACKS[wildcards.sample]["file"],
        genome=f"{RESULTS}/{{genome}}/genome.h5",
    output:
        track=f"{RESULTS}/{{genome}}/tracks/{{sample}}.track.h5",
        bigwig=f"{RESULTS}/{{genome}}/tracks/{{sample}}.bw",
    log:
        f"{RESULTS}/logs/track/{{genome}}.{{sample}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/track/{{genome}}.{{sample}}.tsv"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        program=PROGRAM,
        assay=lambda wildcards: TRACKS[wildcards.sample]["assay"],
    shell:
        "{params.program:q} track {input.reads:q} --genome {input.genome:q} --assay {params.assay:q}"
        " -o {output.track:q} --bigwig {output.bigwig:q} 2> {log:q}"
