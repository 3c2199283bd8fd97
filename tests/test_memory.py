"""Freed memory is used again: what the system would have to give, page by page, is kept."""

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource
import numpy as np
from hepcuts._core.memory import reuse_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        left, right = np.ones(400_000), np.ones(400_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

first = faults()
reuse_memory()
faults()
print(first, faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is another one")
def test_arrays_that_come_and_go_cost_no_page_faults():
    """Two arrays of 3.2 MB are 1600 pages, each time without it."""

    def run(call: str) -> list[int]:
        done = subprocess.run(
            [sys.executable, "-c", FAULTS.format(call=call)], capture_output=True, check=True, text=True
        )
        return [int(word) for word in done.stdout.split()]

    before, after = run("reuse_memory()")
    if before < 20 * 500:
        pytest.skip("The system gives memory in larger pages.")
    assert after < 500
