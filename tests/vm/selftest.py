"""Tests of the harness itself: pytest tests/vm/selftest.py. Its VMs need about half a minute."""

import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import pytest

sys.dont_write_bytecode = True

import cache
from console import Console
from problem import Problem, need

VM = Path(__file__).parent / "vm"
CONTROLLERS = {"cpu", "memory", "pids", "io", "cpuset", "hugetlb"}
JOB = """
cat greeting; pwd; echo $HOME $HOY_VM; echo to stderr >&2
echo kernel $(uname -r); echo controllers $(cat /sys/fs/cgroup/cgroup.subtree_control)
test -b "$HOY_VM_DISK" && echo has a disk
test -d /sys/devices/system/node/node1 && echo has two nodes
ip link add d0 type dummy && echo has dummy
grep -q hoy_argument /proc/cmdline && echo has the argument
echo result > /out/result
printf unfinished
exit 3
"""
JOB_OPTIONS = "--modules dummy,veth --disk 8M --numa --append hoy_argument".split()
# What has been printed takes its time to get out; several machines share the processors here.
RUNS = {  # name: options, command
    "job-6.12": (JOB_OPTIONS, JOB),
    "job-6.1": (["--kernel", "6.1", *JOB_OPTIONS], JOB),
    "panic": ([], "echo before; sleep 3; echo c > /proc/sysrq-trigger; sleep 60"),
    "vanished": ([], "echo before; sleep 3; busybox poweroff -ff; sleep 60"),
    "no-module": (["--modules", "nonsense"], "true"),
    "time-out": (["--timeout", "2"], "true"),
}


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """What became of each of RUNS: exit status, output, errors, and the file with the results."""
    directory = tmp_path_factory.mktemp("vm")
    (directory / "work").mkdir()
    (directory / "work/greeting").write_text("hello\n")
    for kernel in ("6.1", "6.12"):
        subprocess.run([VM, "prepare", "--kernel", kernel], check=True)
    processes = {}
    for name, (options, script) in RUNS.items():
        out = directory / f"{name}.tar"
        command = [VM, "run", "--timeout", "120", "--work", directory / "work", "--out", out]
        command += [*options, "--", "sh", "-c", script]
        pipe = subprocess.PIPE
        processes[name] = (subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True), out)
    return {name: (run, *run.communicate(), out) for name, (run, out) in processes.items()}


@pytest.mark.parametrize("kernel", ["6.1", "6.12"])
def test_job(ended, kernel):
    process, output, errors, out = ended[f"job-{kernel}"]
    assert process.returncode == 3, errors
    lines = output.splitlines()
    assert lines[:4] == ["hello", "/work", "/root small", "to stderr"]
    assert lines[4].startswith(f"kernel {kernel}.")
    assert CONTROLLERS <= set(lines[5].split())
    has = ["has a disk", "has two nodes", "has dummy", "has the argument"]
    assert lines[6:] == [*has, "unfinished"]
    assert f"small {kernel}: exit status 3" in errors
    with tarfile.open(out) as archive:
        assert archive.extractfile("./result").read() == b"result\n"


@pytest.mark.parametrize(
    "name, status, output, error",
    [
        ("panic", 125, "before\n", "Kernel panic - not syncing: sysrq triggered crash; logs are"),
        ("vanished", 125, "before\n", "the VM ended without an exit status; logs are in "),
        ("no-module", 125, "", "the VM failed to load module nonsense: modprobe: FATAL: "),
        ("time-out", 124, "", "timed out after 2 s; logs are in "),
    ],
)
def test_failure(ended, name, status, output, error):
    process, stdout, errors, out = ended[name]
    assert (process.returncode, stdout) == (status, output)
    assert errors.splitlines()[-1].startswith(f"vm: {error}")
    assert not out.exists()


def test_nothing_is_left(ended):
    """Neither a QEMU of a run that has ended nor its disks, only its logs."""
    lines = [line for _, _, errors, _ in ended.values() for line in errors.splitlines()]
    logs = [line.rpartition(" ")[2] for line in lines if "logs are in" in line]
    assert len(logs) == 4
    commands = b"".join(path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline"))
    for directory in logs:
        assert directory.encode() not in commands
        assert {path.name for path in Path(directory).iterdir()} <= {
            "console.log", "kernel.log", "qemu.command", "qemu.log"}


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
def test_console_in_pieces(size):
    stream = b"early MAR MARKER start\nline\nMARKMARKE\nlast MARKER exit 7\nignored"
    console = Console(b"MARKER")
    for at in range(0, len(stream), size):
        console.feed(stream[at : at + size])
    assert console.verdict == ["exit", "7"]
    assert bytes(console.boot_output) == b"early MAR "
    assert bytes(console.output) == b"line\nMARKMARKE\nlast "


def test_entry_is_whole_or_absent(tmp_path, monkeypatch):
    monkeypatch.setenv("HOY_VM_CACHE", str(tmp_path))

    def fail(target, recipe):
        (target / "half").touch()
        raise Problem("no network")

    def succeed(target, recipe):
        (target / recipe["name"]).touch()

    with pytest.raises(Problem, match="no network"):
        cache.entry("kind", {"name": "file"}, fail)
    assert list(cache.entries()) == [] and not list(tmp_path.glob("*/half"))
    path = cache.entry("kind", {"name": "file"}, succeed)
    assert cache.entry("kind", {"name": "file"}, fail) == path
    assert list(cache.entries()) == [(path, {"name": "file"})] and (path / "file").exists()


def test_two_slots(tmp_path, monkeypatch):
    monkeypatch.setenv("HOY_VM_CACHE", str(tmp_path))
    third = threading.Event()

    def wait_for_slot():
        with cache.slot():
            third.set()

    with cache.slot():
        with cache.slot():
            thread = threading.Thread(target=wait_for_slot)
            thread.start()
            assert not third.wait(0.5)
        assert third.wait(10)
    thread.join()


@pytest.mark.parametrize(
    "option, path, error",
    [
        ("--work", "/nowhere", "no such directory or tar file"),
        ("--out", "/nowhere/x", "cannot be written"),
    ],
)
def test_wrong_path_fails_before_the_boot(option, path, error):
    run = subprocess.run([VM, "run", option, path, "--", "true"], stderr=subprocess.PIPE, text=True)
    assert (run.returncode, run.stderr) == (125, f"vm: {path}: {error}\n")


def test_missing_tool_names_its_package(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("shutil.which", lambda tool: None)
    with pytest.raises(Problem) as raised:
        need("mke2fs", "qemu-system-x86_64")
    assert str(raised.value) == (
        "mke2fs, qemu-system-x86_64 not found: apt-get install e2fsprogs qemu-system-x86")
