#!/usr/bin/env bash
# Make the fission yeast model that comes with genolstm: chromosomes I and II are trained on, III is never seen.
# usage: pombe.sh genome.fa.gz genes.gff3.gz FOLDER [HIDDEN [BASES]]     one thread: 11 min training, 15 min probing
set -euo pipefail

if (($# < 3)); then
  sed -n '2,3s/^# //p' "$0" >&2
  exit 2
fi
fasta=$(realpath "$1") genes=$(realpath "$2") folder=$3 hidden=${4:-256} bases=${5:-40M}
mkdir -p "$folder"
cd "$folder"

genolstm ingest "$fasta" -o pombe.h5
genolstm train pombe.h5 -o model.h5 --hidden "$hidden" --bases "$bases" --precision bf16 \
  --train-contigs I,II --test-contigs III --threads 1 --resume
genolstm probe splice model.h5 --genome pombe.h5 --annotation "$genes" -o splice.h5 \
  --decoys 20 --decoys-from contig --train-contigs II --test-contigs III --threads 1
genolstm models pack model.h5 pombe.h5 --probe splice.h5 -o "pombe-$hidden.h5" --threads 1 \
  --data "Schizosaccharomyces pombe 972h-, assembly ASM294v2 and annotation, from PomBase (Wood et al. 2002, Nature 415:871; Rutherford et al. 2024, Genetics 227:iyae007)" \
  --licence "CC BY 4.0 (pombase.org)"
