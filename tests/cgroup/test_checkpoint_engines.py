"""Engines that checkpoint and restore with hoy: podman, and containerd by its ctr."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from criu import criu  # noqa: F401  a fixture
from limits import MB
from runtime import program, wait_until
from test_engines import IMAGE, call, image, root_image  # noqa: F401  fixtures

pytestmark = pytest.mark.timeout(400)
COUNT = "i=0; while :; do echo $i; i=$((i + 1)); sleep 0.2; done"
NAME = "hoycriu"


def podman(*words):
    return call(["podman", "--runtime", program(), *words])


@pytest.fixture
def counting(root_image):  # noqa: F811
    podman("run", "--detach", "--name", NAME, "--network=none", "--memory=64m", IMAGE, "sh", "-c",
           COUNT)
    yield
    podman("rm", "--force", "--time=0", "--ignore", NAME, f"{NAME}2")


def inspect(name, what):
    return podman("inspect", "--format", f"{{{{{what}}}}}", name).strip()


def numbers(name):
    return [int(number) for number in podman("logs", name).split()]


def memory_max(name):
    pid = inspect(name, ".State.Pid")
    place = Path(f"/proc/{pid}/cgroup").read_text().strip().removeprefix("0::")
    # The container's own cgroup may be one above that of its process.
    path = Path("/sys/fs/cgroup") / place.lstrip("/")
    return {(path / "memory.max").read_text(), (path.parent / "memory.max").read_text()}


def test_podman_stops_and_goes_on(counting):
    wait_until(lambda: len(numbers(NAME)) > 2, "the counter", 60)
    podman("container", "checkpoint", NAME)
    assert inspect(NAME, ".State.Status") == "exited"
    assert inspect(NAME, ".OCIRuntime") == program()
    before = numbers(NAME)
    podman("container", "restore", NAME)
    assert inspect(NAME, ".State.Status") == "running"
    wait_until(lambda: len(numbers(NAME)) > len(before) + 2, "the counter again", 60)
    assert numbers(NAME)[:len(before) + 1] == list(range(len(before) + 1))
    assert f"{64 * MB}\n" in memory_max(NAME)
    assert podman("exec", NAME, "cat", "/proc/1/comm") == "sh\n"


def test_podman_exports_and_imports(counting, tmp_path):
    archive = tmp_path / "checkpoint.tar.gz"
    wait_until(lambda: len(numbers(NAME)) > 2, "the counter", 60)
    podman("container", "checkpoint", "--leave-running", "--export", archive, NAME)
    assert inspect(NAME, ".State.Status") == "running"
    podman("container", "restore", "--import", archive, "--name", f"{NAME}2")
    # A log in a file comes along, one in the journal does not.
    wait_until(lambda: len(numbers(f"{NAME}2")) > 2, "the copy's counter", 60)
    copied, counted = numbers(f"{NAME}2"), numbers(NAME)
    assert copied == list(range(copied[0], copied[0] + len(copied)))
    assert copied[0] <= counted[-1] and copied[-1] > 2
    assert inspect(f"{NAME}2", ".OCIRuntime") == program()


def test_containerd(root_image):  # noqa: F811
    archive = Path("/var/tmp/hoy-test-archive.tar")
    log = Path("/var/tmp/hoy-test-ctr.log")
    archive.unlink(missing_ok=True)
    call(["podman", "save", "--format=docker-archive", "-o", archive, IMAGE])
    call(["systemctl", "start", "containerd"])
    call(["ctr", "image", "import", "--local", archive])
    archive.unlink()
    call(["ctr", "run", "--detach", "--runc-binary", program(), f"--log-uri=file://{log}", IMAGE,
          NAME, "/bin/sh", "-c", COUNT])
    count = wait_until(lambda: log.exists() and len(log.read_text().split()), "the counter", 60)
    try:
        call(["ctr", "containers", "checkpoint", "--task", "--image", "--rw", NAME,
              "localhost/hoycriu:1"])
        assert re.search(rf"{NAME} .* RUNNING", call(["ctr", "tasks", "list"]))
        wait_until(lambda: len(log.read_text().split()) > count + 2, "the counter to go on", 60)
        call(["ctr", "tasks", "kill", "--signal=KILL", NAME])
        wait_until(lambda: "STOPPED" in call(["ctr", "tasks", "list"]), "the end", 60)
        call(["ctr", "tasks", "delete", NAME])
        call(["ctr", "containers", "delete", NAME])
        call(["ctr", "containers", "restore", "--rw", "--live", NAME, "localhost/hoycriu:1"])
        assert re.search(rf"{NAME} .* RUNNING", call(["ctr", "tasks", "list"]))
        info = json.loads(call(["ctr", "containers", "info", NAME]))
        assert info["ID"] == NAME
        pid = call(["ctr", "tasks", "list"]).split(NAME)[1].split()[0]
        assert Path(f"/proc/{pid}/comm").read_text() == "sh\n"
    finally:
        subprocess.run(["ctr", "tasks", "delete", "--force", NAME], check=False, timeout=60)
        subprocess.run(["ctr", "containers", "delete", NAME], check=False, timeout=60)
