"""containerd by ctr: its shim for runc, with hoy as the binary."""

import itertools
import json
import os
import time
from pathlib import Path

import pytest

from engine import IMAGE, MB, PLACE, RUNTIME, Terminal, call, calls, converse, left_behind, operation
from runtime import wait_until

numbers = itertools.count(1)
CGROUPS = "--mount=type=cgroup,src=cgroup,dst=/sys/fs/cgroup,options=ro"
SERVICE = """
trap 'echo one >>/tmp/signals' USR1
trap 'exit 3' TERM
n=0; while :; do n=$((n + 1)); echo $n >/tmp/count; sleep 0.1; done
"""


def ctr(*words, **keywords):
    return call("ctr", *words, **keywords)


def run(*words, status=0):
    """A container that is gone at the end. Options, then the command after `--`."""
    name = f"c{next(numbers)}"
    options, command = words[:words.index("--")], words[words.index("--") + 1:]
    return ctr("run", "--rm", f"--runc-binary={PLACE}", *options, IMAGE, name, *command,
               status=status)


def sh(*words):
    *options, script = words
    return run(*options, "--", "sh", "-c", script).stdout


def execute(name, *words, status=0):
    return ctr("task", "exec", f"--exec-id=e{next(numbers)}", name, *words, status=status)


@pytest.fixture(scope="module", autouse=True)
def daemon(installed, archive):
    call("systemctl", "start", "containerd")
    ctr("image", "import", "--local", archive)


@pytest.fixture(scope="module")
def service(daemon):
    ctr("run", "--detach", f"--runc-binary={PLACE}", f"--memory-limit={64 * MB}", CGROUPS, IMAGE,
        "service", "sh", "-c", SERVICE)
    yield "service"
    ctr("task", "delete", "--force", "service", status=None)
    ctr("container", "delete", "service", status=None)


def inside(name, path):
    """A file of a container's root, seen from outside."""
    pid = next(line.split()[1] for line in ctr("task", "ls").stdout.splitlines()[1:]
               if line.split()[0] == name)
    return Path(f"/proc/{pid}/root/{path}")


@pytest.mark.no_call
def test_configuration():
    """What `hoy install containerd` wrote for Kubernetes, as containerd has understood it."""
    dump = call("containerd", "config", "dump").stdout
    assert 'default_runtime_name = "hoy"' in dump and f'BinaryName = "{PLACE}"' in dump
    plugins = ctr("plugins", "ls").stdout.splitlines()
    assert ["ok"] == [line.split()[-1] for line in plugins if line.split()[:2] == [
        "io.containerd.grpc.v1", "cri"]]


def test_run():
    done = run("--", "sh", "-c", "echo out; echo err >&2; exit 7", status=7)
    assert done.stdout == "out\n" and done.stderr.startswith("err\n")


def test_run_t():
    converse("ctr", "run", "--rm", "--tty", f"--runc-binary={PLACE}", IMAGE, "tty", "sh")


def test_exec(service):
    done = execute(service, "sh", "-c", "id -u; exit 9", status=9)
    assert done.stdout == "0\n"
    assert execute(service, "cat", "/sys/fs/cgroup/memory.max").stdout == f"{64 * MB}\n"


def test_exec_t(service):
    converse("ctr", "task", "exec", "--tty", "--exec-id=tty", service, "sh")


def test_pause_and_resume(service):
    count = inside(service, "tmp/count")
    ctr("task", "pause", service)
    assert "PAUSED" in ctr("task", "ls").stdout
    before = count.read_text()
    time.sleep(1)
    assert count.read_text() == before
    ctr("task", "resume", service)
    assert "RUNNING" in ctr("task", "ls").stdout
    wait_until(lambda: count.read_text() not in ("", before), "the count to go on", 30)


def test_ps(service):
    assert len(ctr("task", "ps", service).stdout.splitlines()) >= 2


@pytest.mark.no_call
def test_metrics(service):
    """containerd itself reads them, where the runtime has put the container."""
    assert [words[-1] for words in calls() if operation(words) == "create"].count(service) == 1
    metrics = dict(line.split(maxsplit=1) for line in ctr("task", "metrics", service)
                   .stdout.splitlines() if len(line.split()) == 2)
    assert int(metrics["memory.usage_limit"]) == 64 * MB and int(metrics["pids.current"]) >= 1


def test_limits():
    output = sh(f"--memory-limit={32 * MB}", "--cpus=0.5", CGROUPS,
                "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max")
    assert output == f"{32 * MB}\n50000 100000\n"


def test_systemd_cgroup():
    output = sh("--runc-systemd-cgroup", "--cgroup=system.slice:ctr:c",
                f"--memory-limit={32 * MB}", CGROUPS, "--with-ns=cgroup:/proc/1/ns/cgroup",
                "cat /proc/self/cgroup")
    assert output == "0::/system.slice/ctr-c.scope\n"


def test_read_only_user_and_capabilities():
    output = sh("--read-only", "--user=1000:2000", "--cwd=/tmp", "--env=COLOUR=blue",
                "id -u; id -g; pwd; echo $COLOUR; touch /tmp/x 2>&1; grep CapEff /proc/self/status")
    assert output.splitlines() == ["1000", "2000", "/tmp", "blue",
                                   "touch: /tmp/x: Read-only file system",
                                   f"CapEff:\t{0:016x}"]


def test_seccomp(tmp_path):
    profile = tmp_path / "profile.json"
    profile.write_text(json.dumps({
        "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]}))
    output = sh("--seccomp", f"--seccomp-profile={profile}", "mkdir /new 2>&1; echo end")
    assert output.splitlines() == ["mkdir: can't create directory '/new': Operation not supported",
                                   "end"]


def test_privileged_and_devices():
    output = sh("--privileged", "--device=/dev/vda", "test -b /dev/vda && echo device; "
                "mount -t tmpfs none /tmp && echo mounted")
    assert output == "device\nmounted\n"


def test_mounts_and_joined_namespaces(service, tmp_path):
    (tmp_path / "file").write_text("from outside\n")
    pid = inside(service, "").parent.name
    output = sh(f"--mount=type=bind,src={tmp_path},dst=/mnt,options=rbind:ro",
                f"--with-ns=network:/proc/{pid}/ns/net", f"--with-ns=ipc:/proc/{pid}/ns/ipc",
                "cat /mnt/file; readlink /proc/self/ns/net; readlink /proc/self/ns/ipc")
    assert output.splitlines() == ["from outside", os.readlink(f"/proc/{pid}/ns/net"),
                                   os.readlink(f"/proc/{pid}/ns/ipc")]


@pytest.mark.parametrize("command, words", [
    ("nonesuch", "process.args[0]: 'nonesuch': executable file not found in $PATH"),
    ("/etc/passwd", "process.args[0]: execute '/etc/passwd': permission denied"),
])
def test_errors(service, command, words):
    for done in (run("--", command, status=1), execute(service, command, status=1)):
        assert words in done.stderr or RUNTIME != "hoy", done


def test_kill(service):
    """The last one about this container."""
    ctr("task", "kill", "--signal=SIGUSR1", service)
    signals = inside(service, "tmp/signals")
    wait_until(signals.exists, "the signal to arrive", 60)
    ctr("task", "kill", "--signal=SIGTERM", service)
    wait_until(lambda: "STOPPED" in ctr("task", "ls").stdout, "the end", 60)
    assert "exit code 3" in ctr("task", "delete", service).stderr
    ctr("container", "delete", service)


def test_kill_all():
    """Without a pid namespace of its own, all of its processes."""
    ctr("run", "--detach", f"--runc-binary={PLACE}", "--with-ns=pid:/proc/1/ns/pid", IMAGE, "many",
        "sh", "-c", "sleep 1001 & sleep 1001 & wait")
    pids = [line.split()[0] for line in ctr("task", "ps", "many").stdout.splitlines()[1:]]
    assert len(pids) == 3
    ctr("task", "kill", "--all", "--signal=SIGKILL", "many")
    wait_until(lambda: "STOPPED" in ctr("task", "ls").stdout, "the end", 60)
    assert "exit code 137" in ctr("task", "delete", "many").stderr
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    ctr("container", "delete", "many")


@pytest.mark.no_call
def test_nothing_is_left():
    assert ctr("container", "ls", "--quiet").stdout == ""
    assert left_behind() == []
    assert list(Path("/sys/fs/cgroup/default").glob("*/")) == []
