"""podman as Debian sets it up: root, systemd manager, and hoy by `hoy install podman`."""

import json
import time
from pathlib import Path

import pytest

from engine import IMAGE, MB, RUNTIME, call, calls, converse, left_behind, operation
from runtime import wait_until

# Ends in 3 when asked to, and counts meanwhile.
SERVICE = """
trap 'echo terminated; exit 3' TERM
echo started; echo to stderr >&2
n=0; while :; do n=$((n + 1)); echo $n >/tmp/count; sleep 0.1; done
"""
# A network costs twice as much as all else, so only the tests about networks have one.
RUN = ("run", "--rm", "--network=none")


def podman(*words, **keywords):
    return call("podman", *words, **keywords)


def sh(*words, **keywords):
    """What a script prints in a container of its own: options of run, then the script."""
    *options, script = words
    return podman(*RUN, *options, IMAGE, "sh", "-c", script, **keywords).stdout


def inspect(name, what):
    return podman("inspect", "--format", "{{" + what + "}}", name).stdout.strip()


@pytest.fixture(scope="module", autouse=True)
def image(installed, archive):
    podman("load", "--quiet", "--input", archive)


@pytest.fixture(scope="module")
def service(image):
    """A container that runs as long as the tests that look at it."""
    podman("run", "--detach", "--name=service", "--network=none", "--memory=64m", "--pids-limit=50",
           "--hostname=box", "--env=COLOUR=blue", IMAGE, "sh", "-c", SERVICE)
    yield "service"
    podman("rm", "--force", "--time=0", "service", status=None)


def test_run(service):
    """Output, status, and from where both come: podman's own record names the runtime."""
    done = podman(*RUN, IMAGE, "sh", "-c", "echo out; echo err >&2; exit 7", status=7)
    assert (done.stdout, done.stderr) == ("out\n", "err\n")
    assert inspect(service, ".OCIRuntime") == "hoy"


def test_it():
    converse("podman", *RUN, "-it", IMAGE, "sh")


def test_exec(service):
    done = podman("exec", "--user=nobody", "--env=SHAPE=round", "--workdir=/tmp", service, "sh", "-c",
                  "id -u; pwd; echo $COLOUR $SHAPE; hostname; exit 9", status=9)
    assert done.stdout == "65534\n/tmp\nblue round\nbox\n"


def test_exec_it(service):
    converse("podman", "exec", "-it", service, "sh")


def test_memory_and_pids_limit(service):
    done = podman("exec", service, "cat", "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/pids.max")
    assert done.stdout == f"{64 * MB}\n50\n"
    scope = Path("/sys/fs/cgroup/machine.slice") / f"libpod-{inspect(service, '.Id')}.scope"
    assert scope.is_dir()


def test_out_of_memory():
    """conmon asks the cgroup why, which systemd removes meanwhile: on a busy machine it may be late."""
    def is_told():
        podman("run", "--replace", "--name=oom", "--network=none", "--memory=16m", IMAGE, "tail",
               "/dev/zero", status=137)
        return inspect("oom", ".State.OOMKilled") == "true"
    wait_until(is_told, "podman to see a lack of memory", 120)
    podman("rm", "oom")


def assert_created(name):
    """For a test in which podman needs no runtime: the container is there by a call of it."""
    assert [words[-1] for words in calls() if operation(words) == "create"].count(name) == 1


@pytest.mark.no_call
def test_stats(service):
    assert_created(inspect(service, ".Id"))
    stats, = podman("stats", "--no-stream", "--format=json", service).json
    assert stats["name"] == service and int(stats["pids"]) >= 1
    assert "67.11MB" in stats["mem_usage"]


def test_pause_and_unpause(service):
    count = ("exec", service, "cat", "/tmp/count")
    podman("pause", service)
    assert inspect(service, ".State.Status") == "paused"
    file = Path(podman("mount", service).stdout.strip()) / "tmp/count"
    before = file.read_text()
    time.sleep(1)
    assert file.read_text() == before
    podman(*count, status=255)
    podman("unpause", service)
    wait_until(lambda: file.read_text() not in ("", before), "the count to go on", 30)
    podman("unmount", service)


def test_update(service):
    podman("update", "--memory=80m", "--pids-limit=60", "--cpus=0.5", service)
    files = [f"/sys/fs/cgroup/{name}" for name in ("memory.max", "pids.max", "cpu.max")]
    assert podman("exec", service, "cat", *files).stdout == f"{80 * MB}\n60\n50000 100000\n"


@pytest.mark.no_call
def test_logs(service):
    assert_created(inspect(service, ".Id"))
    done = podman("logs", service)
    assert (done.stdout, done.stderr) == ("started\n", "to stderr\n")


def test_kill():
    podman("run", "--detach", "--name=killed", "--network=none", IMAGE, "sh", "-c",
           "trap 'echo one' USR1; trap 'echo two; exit 4' USR2; echo ready; "
           "while :; do sleep 0.1; done")
    wait_until(lambda: "ready" in podman("logs", "killed").stdout, "the traps", 60)
    podman("kill", "--signal=USR1", "killed")
    wait_until(lambda: "one" in podman("logs", "killed").stdout, "a signal to arrive", 60)
    podman("kill", "--signal=SIGUSR2", "killed")
    assert podman("wait", "killed").stdout == "4\n"
    podman("start", "killed")
    podman("kill", "killed")
    assert podman("wait", "killed").stdout == "137\n"
    podman("rm", "killed")


def test_restart_policy(tmp_path):
    podman("run", "--detach", "--name=again", "--network=none", "--restart=on-failure:2",
           f"--volume={tmp_path}:/log", IMAGE, "sh", "-c", "echo run >>/log/runs; exit 5")
    runs = tmp_path / "runs"
    wait_until(lambda: runs.exists() and runs.read_text() == 3 * "run\n", "three runs", 120)
    wait_until(lambda: inspect("again", ".State.Status") == "exited", "the end", 60)
    assert inspect("again", "printf `%d %d` .State.ExitCode .RestartCount") == "5 2"
    podman("rm", "again")


def test_healthcheck():
    podman("run", "--detach", "--name=sick", "--network=none", "--health-cmd=test -e /tmp/well",
           "--health-interval=disable", "--health-retries=1", IMAGE, "sleep", "1000")
    podman("healthcheck", "run", "sick", status=1)
    assert inspect("sick", ".State.Health.Status") == "unhealthy"
    podman("exec", "sick", "touch", "/tmp/well")
    podman("healthcheck", "run", "sick")
    assert inspect("sick", ".State.Health.Status") == "healthy"
    podman("rm", "--force", "--time=0", "sick")


def test_init():
    """catatonit reaps what others leave behind."""
    assert sh("--init", "tr '\\0' ' ' </proc/1/cmdline").startswith("/run/podman-init -- sh -c ")


def test_read_only():
    assert sh("--read-only", "touch /no 2>&1; touch /tmp/yes && echo yes").splitlines() == [
        "touch: /no: Read-only file system", "yes"]


def test_userns_auto():
    """Ids of the range that is given to containers; the image's files stay root's inside."""
    for name in ("subuid", "subgid"):
        path = Path("/etc") / name
        path.write_text(path.read_text() + "containers:2147483647:2147483648\n")
    try:
        output = sh("--userns=auto", "cat /proc/self/uid_map; stat -c %u /bin; touch /new && echo new")
    finally:
        for name in ("subuid", "subgid"):
            path = Path("/etc") / name
            path.write_text(path.read_text().replace("containers:2147483647:2147483648\n", ""))
    inside, outside, length = output.split()[:3]
    assert inside == "0" and int(outside) >= 2147483647 and int(length) >= 1024
    assert output.split()[3:] == ["0", "new"]


def test_capabilities():
    output = sh("--cap-drop=all", "--cap-add=net_raw,chown", "grep Cap /proc/self/status")
    expected = f"{1 << 13 | 1:016x}"
    assert {line.split()[0]: line.split()[1] for line in output.splitlines()} == {
        "CapInh:": f"{0:016x}", "CapPrm:": expected, "CapEff:": expected, "CapBnd:": expected,
        "CapAmb:": f"{0:016x}"}


def test_seccomp(tmp_path):
    profile = tmp_path / "profile.json"
    profile.write_text(json.dumps({
        "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]}))
    output = sh(f"--security-opt=seccomp={profile}",
                "mkdir /new 2>&1; touch /new && grep Seccomp: /proc/self/status")
    assert output.splitlines() == ["mkdir: can't create directory '/new': Operation not supported",
                                   "Seccomp:\t2"]


def test_device():
    output = sh("--device=/dev/vda:/dev/disk:r", "stat -c %F /dev/disk; : </dev/disk && echo read; "
                "(: >/dev/disk) 2>/dev/null || echo refused")
    assert output.splitlines() == ["block special file", "read", "refused"]


def test_privileged():
    output = sh("--privileged", "grep -E 'CapEff|Seccomp:' /proc/self/status; test -e /dev/kmsg && "
                "echo devices; mount -t tmpfs none /tmp && echo mounted")
    assert output.splitlines()[1:] == ["Seccomp:\t0", "devices", "mounted"]


def test_process_settings():
    output = sh("--user=1000:2000", "--group-add=77", "--workdir=/tmp", "--ulimit=nofile=123:456",
                "--sysctl=net.ipv4.ip_default_ttl=42", "--umask=027", "--shm-size=3m",
                "--oom-score-adj=300",
                "id -u; id -G; pwd; ulimit -n; cat /proc/sys/net/ipv4/ip_default_ttl; umask; "
                "df -k /dev/shm | tail -1 | awk '{print $2}'; cat /proc/self/oom_score_adj")
    assert output.splitlines() == ["1000", "2000 77", "/tmp", "123", "42", "0027", "3072", "300"]


def test_tmpfs():
    output = sh("--tmpfs=/scratch:size=1m,mode=1777,noexec", "stat -c %a /scratch; df -k /scratch | tail -1 "
                "| awk '{print $2}'; cp /bin/busybox /scratch/b 2>/dev/null || echo full")
    assert output == "1777\n1024\nfull\n"


def test_volumes(tmp_path):
    (tmp_path / "file").write_text("from outside\n")
    podman("volume", "create", "data")
    sh("--volume=data:/data", f"--volume={tmp_path}:/out:ro", "cp /out/file /data/kept; ! touch /out/x")
    assert sh("--volume=data:/data", f"--mount=type=bind,src={tmp_path},dst=/out",
              "cat /data/kept; echo from inside >/out/new") == "from outside\n"
    assert (tmp_path / "new").read_text() == "from inside\n"
    podman("volume", "rm", "data")


def test_without_cgroup():
    """The setting of `hoy install`: without it podman refuses this option."""
    assert sh("--cgroups=disabled", "echo free") == "free\n"


NAMESPACES = "for n in net ipc uts pid mnt; do readlink /proc/self/ns/$n; done"


def test_pod():
    podman("pod", "create", "--name=pod", "--network=none", "--hostname=pod", "--share=net,ipc,uts,pid")
    podman("run", "--detach", "--pod=pod", "--name=first", IMAGE, "sleep", "1000")
    first = podman("exec", "first", "sh", "-c", NAMESPACES).stdout.splitlines()
    second = podman("run", "--rm", "--pod=pod", IMAGE, "sh", "-c",
                    f"{NAMESPACES}; hostname; busybox pidof sleep | wc -w").stdout.splitlines()
    assert first[:4] == second[:4] and first[4] != second[4]
    assert second[5:] == ["pod", "1"]
    podman("pod", "pause", "pod")
    podman("pod", "unpause", "pod")
    podman("pod", "stop", "--time=0", "pod")
    podman("pod", "rm", "pod")


KUBE = """
apiVersion: v1
kind: Pod
metadata: {name: play}
spec:
  restartPolicy: Never
  containers:
  - name: main
    image: %s
    command: [sh, -c, "echo $GREETING; cat /config/key; echo; exec sleep 1000"]
    env: [{name: GREETING, value: hello}]
    volumeMounts: [{name: config, mountPath: /config}]
    securityContext: {runAsUser: 1000, capabilities: {drop: [all]}, readOnlyRootFilesystem: true}
    resources: {limits: {memory: 32Mi}}
  volumes: [{name: config, configMap: {name: settings}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {key: value}
""" % IMAGE


def test_kube_play(tmp_path):
    manifest = tmp_path / "pod.yaml"
    manifest.write_text(KUBE)
    podman("kube", "play", "--network=none", manifest)
    wait_until(lambda: podman("logs", "play-main").stdout.split() == ["hello", "value"], "the pod's output", 60)
    output = podman("exec", "play-main", "cat", "/sys/fs/cgroup/memory.max", "/proc/self/status").stdout
    assert output.startswith(f"{32 * MB}\n") and "Uid:\t1000" in output
    podman("kube", "down", manifest)
    assert podman("ps", "--all", "--quiet", "--filter=pod=play").stdout == ""


QUADLET = """
[Container]
Image=%s
Exec=sh -c 'trap "exit 0" TERM; echo up; while :; do sleep 0.1; done'
ContainerName=quad
Network=none
ReadOnly=true
PodmanArgs=--memory=48m
[Service]
TimeoutStartSec=120
""" % IMAGE


def test_quadlet():
    """systemd starts and stops the container, in the cgroup of the unit."""
    unit = Path("/etc/containers/systemd/quad.container")
    unit.write_text(QUADLET)
    try:
        call("systemctl", "daemon-reload")
        call("systemctl", "start", "quad.service")
        assert call("systemctl", "is-active", "quad.service").stdout == "active\n"
        pid = inspect("quad", ".State.Pid")
        cgroup = Path(f"/proc/{pid}/cgroup").read_text().strip().removeprefix("0::")
        assert cgroup.startswith("/system.slice/quad.service/libpod-payload-")
        limit = Path(f"/sys/fs/cgroup{cgroup}/memory.max")
        assert limit.read_text() == f"{48 * MB}\n"
        call("systemctl", "stop", "quad.service")
        assert call("systemctl", "show", "--property=Result", "quad.service").stdout == "Result=success\n"
        podman("container", "exists", "quad", status=1)
    finally:
        unit.unlink()
        call("systemctl", "daemon-reload")


def test_network():
    """Two containers on a bridge of their own, the one known to the other by its name."""
    podman("network", "create", "net")
    podman("run", "--detach", "--name=server", "--network=net", IMAGE, "sh", "-c",
           "while :; do echo served | busybox nc -l -p 80; done")
    done = podman("run", "--rm", "--network=net", IMAGE, "sh", "-c",
                  "until busybox nc -w 2 server 80; do sleep 0.2; done </dev/null")
    assert done.stdout == "served\n"
    podman("rm", "--force", "--time=0", "server")
    podman("network", "rm", "net")


# What is wrong, podman's status (that of crun and runc too), and hoy's words.
REFUSED = {
    "no such command": (["nonesuch"], 127,
                        "process.args[0]: 'nonesuch': executable file not found in $PATH"),
    "no such file": (["/no/such"], 127,
                     "process.args[0]: execute '/no/such': no such file or directory"),
    "not executable": (["/etc/passwd"], 126,
                       "process.args[0]: execute '/etc/passwd': permission denied"),
    "a directory": (["/tmp"], 126, "process.args[0]: execute '/tmp': permission denied"),
}
REFUSED_OPTIONS = {
    "sysctl": ("--sysctl=net.no.such=1", 127, 'linux.sysctl["net.no.such"]: '),
    "cpuset": ("--cpuset-cpus=99", 126,
               'linux.resources.cpu.cpus: write cpuset.cpus "99": Numerical result out of range'),
    "ulimit": ("--ulimit=nofile=9999999999", 126, "process.rlimits[0]: set RLIMIT_NOFILE to "),
}


def says(output, words):
    """Other runtimes have their own words for it."""
    assert words in output.stderr or RUNTIME != "hoy", output


@pytest.mark.parametrize("command, status, words", REFUSED.values(), ids=REFUSED)
def test_error_of_run(command, status, words):
    says(podman(*RUN, IMAGE, *command, status=status), words)


@pytest.mark.parametrize("command, status, words", REFUSED.values(), ids=REFUSED)
def test_error_of_exec(service, command, status, words):
    says(podman("exec", service, *command, status=status), words)


@pytest.mark.parametrize("option, status, words", REFUSED_OPTIONS.values(), ids=REFUSED_OPTIONS)
def test_error_of_an_option(option, status, words):
    says(podman(*RUN, option, IMAGE, "true", status=status), words)


def test_stop(service):
    """The last one about this container."""
    podman("stop", "--time=60", service)
    assert inspect(service, ".State.ExitCode") == "3"
    assert podman("logs", service).stdout.endswith("terminated\n")
    podman("start", service)
    podman("stop", "--time=0", service)
    assert inspect(service, ".State.ExitCode") in ("3", "137")
    podman("rm", service)


@pytest.mark.no_call
def test_nothing_is_left():
    assert podman("ps", "--all", "--quiet").stdout == ""
    assert {operation(words) for words in calls()} >= {"create", "start", "delete"}
    assert left_behind() == []
    assert list(Path("/sys/fs/cgroup").glob("*.slice/libpod-*")) == []
