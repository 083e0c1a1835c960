"""What other suites skip where there are no controllers: here they are."""

import os
import subprocess
import sys

import pytest

from runtime import TOP, program

# boots.py puts it there, with the libraries that it needs.
UNIT = TOP / "unit"


def output(command, env):
    done = subprocess.run(list(map(str, command)), env={**os.environ, **env}, check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.timeout(120)
def test_unit_tests_of_controllers():
    said = output([UNIT / "test_cgroup_controllers"], {"LD_LIBRARY_PATH": str(UNIT)})
    assert "PASSED" in said and "SKIPPED" not in said and "skipped" not in said, said


@pytest.mark.timeout(120)
def test_conformance_of_limits():
    said = output([sys.executable, "-B", TOP / "contrib/conformance", "--runtime", program(),
                   "--filter", "^cgroups/"], {})
    lines = [line for line in said.splitlines() if line.startswith(("pass ", "skip ", "fail "))]
    assert "fail" not in {line.split()[0] for line in lines}
    assert not [line for line in lines if "no cgroup controller" in line], said
