"""Docker with hoy as its default runtime, for builds too, by `hoy install docker`."""

import time
from pathlib import Path

import pytest

from engine import IMAGE, MB, RUNTIME, call, calls, converse, left_behind, operation
from runtime import wait_until

SERVICE = """
trap 'echo terminated; exit 3' TERM
echo started; echo to stderr >&2
n=0; while :; do n=$((n + 1)); echo $n >/tmp/count; sleep 0.1; done
"""
RUN = ("run", "--rm", "--network=none")


def docker(*words, **keywords):
    return call("docker", *words, **keywords)


def sh(*words):
    *options, script = words
    return docker(*RUN, *options, IMAGE, "sh", "-c", script).stdout


def inspect(name, what):
    return docker("inspect", "--format", "{{" + what + "}}", name).stdout.strip()


@pytest.fixture(scope="module", autouse=True)
def daemon(installed, archive):
    """The drop-in of `hoy install` counts from the daemon's start on, as it says."""
    call("systemctl", "daemon-reload")
    call("systemctl", "restart", "docker")
    docker("load", "--quiet", "--input", archive)


@pytest.fixture(scope="module")
def service(daemon):
    docker("run", "--detach", "--name=service", "--network=none", "--memory=64m", "--pids-limit=50",
           "--hostname=box", "--env=COLOUR=blue", IMAGE, "sh", "-c", SERVICE)
    yield "service"
    docker("rm", "--force", "service", status=None)


def test_run(service):
    done = docker(*RUN, IMAGE, "sh", "-c", "echo out; echo err >&2; exit 7", status=7)
    assert (done.stdout, done.stderr) == ("out\n", "err\n")
    assert inspect(service, ".HostConfig.Runtime") == "hoy"


def test_it():
    converse("docker", *RUN, "-it", IMAGE, "sh")


def test_exec(service):
    done = docker("exec", "--user=nobody", "--env=SHAPE=round", "--workdir=/tmp", service, "sh", "-c",
                  "id -u; pwd; echo $COLOUR $SHAPE; hostname; exit 9", status=9)
    assert done.stdout == "65534\n/tmp\nblue round\nbox\n"


def test_exec_it(service):
    converse("docker", "exec", "-it", service, "sh")


def test_limits(service):
    files = [f"/sys/fs/cgroup/{name}" for name in ("memory.max", "pids.max")]
    assert docker("exec", service, "cat", *files).stdout == f"{64 * MB}\n50\n"


@pytest.mark.no_call
def test_stats(service):
    """Docker itself reads them, where the runtime has put the container."""
    assert [words[-1] for words in calls() if operation(words) == "create"].count(
        inspect(service, ".Id")) == 1
    stats = docker("stats", "--no-stream", "--format={{.MemUsage}} {{.PIDs}}", service).stdout.split()
    assert stats[2] == "64MiB" and int(stats[3]) >= 1


def test_update(service):
    docker("update", "--memory=80m", "--memory-swap=80m", "--pids-limit=60", "--cpus=0.5", service)
    files = [f"/sys/fs/cgroup/{name}" for name in ("memory.max", "pids.max", "cpu.max")]
    assert docker("exec", service, "cat", *files).stdout == f"{80 * MB}\n60\n50000 100000\n"


def test_pause_and_unpause(service):
    count = Path(f"/proc/{inspect(service, '.State.Pid')}/root/tmp/count")
    docker("pause", service)
    assert inspect(service, ".State.Status") == "paused"
    before = count.read_text()
    time.sleep(1)
    assert count.read_text() == before
    docker("unpause", service)
    wait_until(lambda: count.read_text() not in ("", before), "the count to go on", 30)


@pytest.mark.no_call
def test_logs(service):
    done = docker("logs", service)
    assert (done.stdout, done.stderr) == ("started\n", "to stderr\n")


def test_top(service):
    assert "sleep 0.1" in docker("top", service).stdout


def test_out_of_memory():
    docker("run", "--name=oom", "--network=none", "--memory=16m", "--memory-swap=16m", IMAGE, "tail",
           "/dev/zero", status=137)
    assert inspect("oom", ".State.OOMKilled") == "true"
    docker("rm", "oom")


def test_settings():
    output = sh("--init", "--read-only", "--tmpfs=/scratch:size=1m", "--user=1000:2000",
                "--cap-drop=all", "--ulimit=nofile=123:456", "--sysctl=net.ipv4.ip_default_ttl=42",
                "--shm-size=3m", "--device=/dev/vda:/dev/disk:r",
                "tr '\\0' ' ' </proc/1/cmdline; echo; id -u; ulimit -n; "
                "cat /proc/sys/net/ipv4/ip_default_ttl; touch /no 2>&1; stat -c %F /dev/disk; "
                "df -k /dev/shm /scratch | awk 'NR > 1 {print $2}'; grep CapBnd /proc/self/status")
    assert output.splitlines()[0].startswith("/sbin/docker-init -- sh -c ")
    assert output.splitlines()[1:] == ["1000", "123", "42", "touch: /no: Read-only file system",
                                       "block special file", "3072", "1024", f"CapBnd:\t{0:016x}"]


def test_restart_policy(tmp_path):
    docker("run", "--detach", "--name=again", "--network=none", "--restart=on-failure:2",
           f"--volume={tmp_path}:/log", IMAGE, "sh", "-c", "echo run >>/log/runs; exit 5")
    runs = tmp_path / "runs"
    wait_until(lambda: runs.exists() and runs.read_text() == 3 * "run\n", "three runs", 120)
    wait_until(lambda: inspect("again", ".State.Status") == "exited", "the end", 60)
    docker("rm", "again")


ERRORS = {
    "no such command": ("nonesuch", 127,
                        "process.args[0]: 'nonesuch': executable file not found in $PATH"),
    "no such file": ("/no/such", 127,
                     "process.args[0]: execute '/no/such': no such file or directory"),
    "not executable": ("/etc/passwd", 126,
                       "process.args[0]: execute '/etc/passwd': permission denied"),
}


@pytest.mark.parametrize("command, status, words", ERRORS.values(), ids=ERRORS)
def test_error_of_run(command, status, words):
    done = docker(*RUN, IMAGE, command, status=status)
    assert words in done.stderr or RUNTIME != "hoy", done


@pytest.mark.parametrize("command, _status, words", ERRORS.values(), ids=ERRORS)
def test_error_of_exec(service, command, _status, words):
    """This Docker says 126 for all of them, and to stdout."""
    done = docker("exec", service, command, status=126)
    assert words in done.stdout + done.stderr or RUNTIME != "hoy", done


def test_build(tmp_path):
    """The RUN steps are run by the runtime that the drop-in of `hoy install` names."""
    (tmp_path / "Dockerfile").write_text(
        f"FROM {IMAGE}\nRUN echo built >/made && id -u >>/made\nUSER 1000\nWORKDIR /tmp\n"
        "RUN id -u >mine\nCMD cat /made /tmp/mine\n")
    before = len(calls())
    docker("build", "--quiet", "--network=none", "--tag=built", tmp_path)
    runs = [words for words in calls()[before:] if operation(words) == "run"]
    assert len(runs) == 2
    assert docker(*RUN, "built").stdout == "built\n0\n1000\n"
    docker("rmi", "built")


def test_build_fails(tmp_path):
    (tmp_path / "Dockerfile").write_text(f"FROM {IMAGE}\nRUN exit 5\n")
    done = docker("build", "--network=none", tmp_path, status=1)
    assert "exit code: 5" in done.stderr


def test_network():
    """Two containers on a bridge of their own, the one known to the other by its name."""
    docker("network", "create", "net")
    docker("run", "--detach", "--name=server", "--network=net", IMAGE, "sh", "-c",
           "while :; do echo served | busybox nc -l -p 80; done")
    done = docker("run", "--rm", "--network=net", IMAGE, "sh", "-c",
                  "until busybox nc -w 2 server 80; do sleep 0.2; done </dev/null")
    assert done.stdout == "served\n"
    docker("rm", "--force", "server")
    docker("network", "rm", "net")


def replicas(number):
    def are_running():
        return docker("service", "ls", "--format={{.Replicas}}").stdout.strip() == f"{number}/{number}"
    wait_until(are_running, f"{number} replicas", 150)
    containers = docker("ps", "--quiet", "--no-trunc", "--filter=label=com.docker.swarm.service.name=many")
    assert len(containers.stdout.split()) == number
    return set(containers.stdout.split())


@pytest.mark.timeout(400)
def test_swarm():
    """A service is scaled up and down; a task that is killed gets a successor."""
    docker("swarm", "init", "--advertise-addr=127.0.0.1")
    docker("service", "create", "--detach", "--name=many", "--limit-memory=32M",
           "--restart-delay=1s", "--stop-grace-period=1s", IMAGE, "sleep", "1000")
    first = replicas(1)
    docker("service", "scale", "--detach", "many=3")
    three = replicas(3)
    assert first < three
    killed = three - first
    docker("kill", killed.pop())
    wait_until(lambda: replicas(3) != three, "a successor", 150)
    docker("service", "scale", "--detach", "many=1")
    wait_until(lambda: len(docker("ps", "--quiet", "--filter=name=many").stdout.split()) == 1,
               "one replica", 150)
    replicas(1)
    docker("service", "rm", "many")
    wait_until(lambda: not docker("ps", "--quiet", "--filter=name=many").stdout, "no replica", 150)
    docker("swarm", "leave", "--force")
    created = [words[-1] for words in calls() if operation(words) == "create"]
    assert three <= set(created)


def test_kill_and_stop(service):
    """The last one about this container."""
    docker("stop", "--time=60", service)
    assert inspect(service, ".State.ExitCode") == "3"
    assert docker("logs", service).stdout.endswith("terminated\n")
    docker("start", service)
    docker("kill", service)
    assert docker("wait", service).stdout == "137\n"
    docker("rm", service)


@pytest.mark.no_call
def test_nothing_is_left():
    assert docker("ps", "--all", "--quiet").stdout == ""
    assert {operation(words) for words in calls()} >= {"create", "start", "delete"}
    assert left_behind() == []
    assert list(Path("/sys/fs/cgroup/system.slice").glob("docker-*.scope")) == []
