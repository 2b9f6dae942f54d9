"""What a command takes of a machine, and what it keeps for its next step."""

import platform
import subprocess
import sys

import pytest

# pages that the system has to hand out (and zero) while 64 MiB are taken, written and freed thirty times over
TAKING = """
import resource, sys
import torch
from genolstm.devices import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
for step in range(32):
    if step == 2:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(16 << 20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told what to keep")
@pytest.mark.slow
def test_memory_that_was_freed_is_taken_again_without_asking_the_system():
    given, kept = (
        int(subprocess.run([sys.executable, "-c", TAKING, how], capture_output=True, text=True, check=True).stdout)
        for how in ("give", "keep")
    )
    assert kept < given / 4
