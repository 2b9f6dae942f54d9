#!/usr/bin/env bash
# One call on a machine with a GPU: does it work, is it right, how fast is it. About 8 minutes on an H100; needs torch,
# NumPy, SciPy, h5py, typer, rich, numba and matplotlib of the package's requirements, and pytest with hypothesis for the tests.
#
#     workflows/benchmarks/gpu.sh OUT [WORDS FOR gpu.py]
#
# OUT gets doctor.txt, tests.txt and gpu.tsv. On the CPU only to try it:
#     workflows/benchmarks/gpu.sh out --device cpu --models pombe-256 --shapes 1x8 --lanes 4 --rounds 1 --long 0 --minutes 1
set -euo pipefail

out=${1:?give a folder for the tables}
shift
here=$(cd "$(dirname "$0")/../.." && pwd)
export PYTHONPATH="$here${PYTHONPATH:+:$PYTHONPATH}"
device=cuda
words=("$@")
for ((at = 0; at < ${#words[@]}; at++)); do
    if [[ ${words[at]} == --device ]]; then device=${words[at + 1]}; fi
done
mkdir -p "$out"

python -m genolstm doctor --device "$device" | tee "$out/doctor.txt"
gzip -dc "$here/example_data/genome.fa.gz" > "$out/genome.fa"  # without isal no bgzip is read
python -m genolstm ingest "$out/genome.fa" -o "$out/genome.h5" -f -q
failed=0
python "$here/workflows/benchmarks/gpu.py" -o "$out/gpu.tsv" --scored "$out/genome.h5" "$@" || failed=$?
if [[ $device == cuda ]]; then
    python -m pytest -q -o addopts= -m gpu "$here/tests/cells" "$here/tests/test_model.py" "$here/tests/training/test_steps.py" \
        "$here/tests/stream" "$here/tests/bench" 2>&1 | tee "$out/tests.txt" || failed=1
fi
exit "$failed"
