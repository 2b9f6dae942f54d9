#!/usr/bin/env bash
# Make the budding yeast model that comes with genolstm: chrIV and chrXV are never seen, all other contigs are trained on.
# usage: yeast.sh genome.fa.gz atac.bam peaks.narrowPeak FOLDER [HIDDEN [BASES]]     one thread: 16 min training, 15 min probing
set -euo pipefail

if (($# < 4)); then
  sed -n '2,3s/^# //p' "$0" >&2
  exit 2
fi
fasta=$(realpath "$1") reads=$(realpath "$2") peaks=$(realpath "$3") folder=$4 hidden=${5:-256} bases=${6:-60M}
mkdir -p "$folder"
cd "$folder"

genolstm ingest "$fasta" -o yeast.h5
genolstm train yeast.h5 -o model.h5 --hidden "$hidden" --bases "$bases" --precision bf16 \
  --test-contigs chrIV,chrXV --threads 1 --resume
genolstm track "$reads" --genome yeast.h5 -o atac.h5
genolstm probe accessibility model.h5 --genome yeast.h5 --track atac.h5 --peaks "$peaks" -o access.h5 \
  --exclude-contigs chrXII --threads 1
genolstm models pack model.h5 yeast.h5 --probe access.h5 -o "yeast-$hidden.h5" --threads 1 \
  --data "Saccharomyces cerevisiae S288C, assembly R64 (Engel et al. 2014, G3 4:389), from SGD; ATAC-seq SRR1822137 for the probe" \
  --licence "CC BY 4.0 (yeastgenome.org)"
