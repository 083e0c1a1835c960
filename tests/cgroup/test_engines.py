"""Smoke: podman and containerd run a container with hoy, which has the limit they were given."""

import pwd
import subprocess
from pathlib import Path

import pytest

from bundle import make_rootfs
from limits import MB, needs
from runtime import program, wait_until

IMAGE = "localhost/hoy-test:latest"
SCRIPT = "id -u; cat /sys/fs/cgroup/memory.max"
EXPECTED = f"0\n{64 * MB}\n"
MANAGERS = ["cgroupfs", "systemd"]


def call(command, **keywords):
    done = subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, check=False, timeout=150, cwd="/", **keywords)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """A busybox root as a tar file that everybody may read."""
    needs(Path("/usr/bin/podman").exists() and Path("/run/systemd/system").is_dir(),
          "podman and systemd")
    directory = tmp_path_factory.mktemp("image")
    root = make_rootfs(directory / "root")
    path = Path("/var/tmp/hoy-test-image.tar")
    call(["tar", "-C", root, "--owner=0", "--group=0", "-cf", path, "."])
    path.chmod(0o644)
    yield path
    path.unlink()


@pytest.fixture(scope="module")
def root_image(image):
    call(["podman", "import", image, IMAGE])


@pytest.fixture(scope="module")
def as_user(image):
    user = pwd.getpwnam("user")
    call(["loginctl", "enable-linger", "user"])
    wait_until(lambda: Path(f"/run/user/{user.pw_uid}/bus").exists(), "the user's manager", 60)
    words = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--init-groups", "env",
             f"XDG_RUNTIME_DIR=/run/user/{user.pw_uid}", "HOME=/home/user",
             "systemd-run", "--user", "--quiet", "--wait", "--pipe", "--collect",
             "--property=Delegate=yes", "--"]
    call([*words, "podman", "import", image, IMAGE])
    return words


def podman(manager, *words):
    return ["podman", "--cgroup-manager", manager, "--runtime", program(), "run", "--rm",
            "--network=none", *words, IMAGE, "sh", "-c", SCRIPT]


@pytest.mark.timeout(200)
@pytest.mark.parametrize("manager", MANAGERS)
def test_podman_of_root(root_image, manager):
    assert call(podman(manager, "--memory=64m")) == EXPECTED


@pytest.mark.timeout(300)
@pytest.mark.parametrize("manager", MANAGERS)
def test_podman_of_an_ordinary_user(as_user, manager):
    assert call([*as_user, *podman(manager, "--memory=64m")]) == EXPECTED


@pytest.mark.timeout(300)
def test_containerd(root_image):
    archive = Path("/var/tmp/hoy-test-archive.tar")
    archive.unlink(missing_ok=True)
    call(["podman", "save", "--format=docker-archive", "-o", archive, IMAGE])
    call(["systemctl", "start", "containerd"])
    call(["ctr", "image", "import", "--local", archive])
    archive.unlink()
    output = call(["ctr", "run", "--rm", "--runc-binary", program(), f"--memory-limit={64 * MB}",
                   "--mount=type=cgroup,src=cgroup,dst=/sys/fs/cgroup,options=ro", IMAGE, "hoytest", "/bin/sh", "-c", SCRIPT])
    assert output == EXPECTED
