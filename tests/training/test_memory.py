"""Freed memory stays while training runs, and goes back afterwards."""

import json
import platform
import subprocess
import sys

import pytest

# In a process of its own, since the allocator's thresholds stay as they are set. A "step" takes and frees 40 blocks of
# 4 MiB, which are 40,960 pages of 4 KiB.
PROGRAM = """
import json, resource
import torch
from recbole_llmdistill.training.memory import keep_freed_memory

def step():
    blocks = [torch.ones(2**20) for _ in range(40)]

def faults_of_a_step():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    step()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident_pages():
    return int(open("/proc/self/statm").read().split()[1])

step()
usual = faults_of_a_step()
with keep_freed_memory():
    step()
    kept = faults_of_a_step()
    while_open = resident_pages()
print(json.dumps({"usual": usual, "kept": kept, "given_back": while_open - resident_pages()}))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no such settings")
def test_a_step_maps_no_memory_anew_and_all_of_it_is_given_back_at_the_end() -> None:
    child = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    pages = json.loads(child.stdout)
    assert pages["usual"] > 1000  # huge pages may make it fewer than 40,960
    assert pages["kept"] < 100
    assert pages["given_back"] > 30_000
