"""SELinux, with Debian's default policy in permissive mode: labels of processes and mounts."""

import subprocess
from pathlib import Path

import pytest

from limits import needs, pids

PROCESS = "system_u:system_r:initrc_t:s0"
OTHER = "system_u:system_r:init_t:s0"
FILES = "system_u:object_r:tmp_t:s0"


@pytest.fixture(scope="module")
def policy():
    needs(Path("/sys/fs/selinux/enforce").exists(), "SELinux")
    subprocess.run(["load_policy", "-i"], check=True, timeout=120)


def without_end(text):
    return text.rstrip("\0\n")


def label_of(container):
    return without_end(container.proc("attr/current").read_text())


def label_inside(container, *options):
    """That of a program of exec."""
    return without_end(container.exec(*options, "--", "/bin/cat", "/proc/self/attr/current").ok().stdout)


def test_the_labels_of_the_program_of_exec_and_of_mounts(policy, bundle, runtime):
    bundle.process["selinuxLabel"] = PROCESS
    bundle.linux["mountLabel"] = FILES
    bundle.mount("/tmp", "tmpfs", "tmpfs")
    seen = runtime.probe(bundle, fields=["mountinfo"])
    assert any(FILES in option for option in seen.mount("/tmp").super_options), seen
    with runtime.sleeping(bundle) as container:
        assert label_of(container) == PROCESS
        assert label_inside(container) == PROCESS


def test_exec_with_a_label_of_its_own(policy, bundle, runtime):
    """--process-label rules over what the container has, and gives one where it has none."""
    bundle.process["selinuxLabel"] = PROCESS
    with runtime.sleeping(bundle) as container:
        assert label_inside(container, "--process-label", OTHER) == OTHER
        assert label_inside(container) == PROCESS
        assert label_of(container) == PROCESS
    del bundle.process["selinuxLabel"]
    with runtime.sleeping(bundle) as container:
        before = label_inside(container)
        assert before != OTHER
        assert label_inside(container, "--process-label", OTHER) == OTHER
        assert label_inside(container) == before


BOGUS = ["bogus", "system_u:system_r:no_such_type_t:s0", "system_u:system_r:initrc_t:s0:c9999"]


@pytest.mark.parametrize("label", BOGUS)
def test_a_bogus_label_of_exec_fails(policy, bundle, runtime, label):
    with runtime.sleeping(bundle) as container:
        before = label_inside(container)
        container.exec("--process-label", label, "--", "/bin/true").fails(
            "process.selinuxLabel", label, "invalid argument", status=255)
        # Nor does anything of it stay.
        assert label_inside(container) == before
        assert pids(bundle) == [container.pid]


@pytest.mark.parametrize("label", BOGUS)
def test_a_bogus_label_of_the_process_fails(policy, bundle, runtime, label):
    bundle.process["selinuxLabel"] = label
    runtime.refuses(bundle, "process.selinuxLabel", label, "invalid argument")
    assert not bundle.cgroup.exists()


@pytest.mark.parametrize("label", BOGUS)
def test_a_bogus_label_of_mounts_fails(policy, bundle, runtime, label):
    bundle.linux["mountLabel"] = label
    bundle.mount("/tmp", "tmpfs", "tmpfs")
    runtime.refuses(bundle, "mounts[", "invalid argument")
    assert not bundle.cgroup.exists()
