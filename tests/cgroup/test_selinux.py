"""SELinux, with Debian's default policy in permissive mode: labels of processes and mounts."""

import subprocess
from pathlib import Path

import pytest

from limits import needs

PROCESS = "system_u:system_r:initrc_t:s0"
FILES = "system_u:object_r:tmp_t:s0"


@pytest.fixture(scope="module")
def policy():
    needs(Path("/sys/fs/selinux/enforce").exists(), "SELinux")
    subprocess.run(["load_policy", "-i"], check=True, timeout=120)


def test_the_labels_of_the_program_of_exec_and_of_mounts(policy, bundle, runtime):
    bundle.process["selinuxLabel"] = PROCESS
    bundle.linux["mountLabel"] = FILES
    bundle.mount("/tmp", "tmpfs", "tmpfs")
    seen = runtime.probe(bundle, fields=["mountinfo"])
    assert any(FILES in option for option in seen.mount("/tmp").super_options), seen
    with runtime.sleeping(bundle) as container:
        assert container.proc("attr/current").read_text().rstrip("\0\n") == PROCESS
        inside = container.exec("--", "/bin/cat", "/proc/self/attr/current").ok().stdout
        assert inside.rstrip("\0\n") == PROCESS


@pytest.mark.parametrize("where", ["process", "mount"])
def test_a_bogus_label_fails(policy, bundle, runtime, where):
    if where == "process":
        bundle.process["selinuxLabel"] = "bogus"
        runtime.refuses(bundle, "process.selinuxLabel", "bogus")
    else:
        bundle.linux["mountLabel"] = "bogus"
        bundle.mount("/tmp", "tmpfs", "tmpfs")
        runtime.refuses(bundle, "mounts[")
