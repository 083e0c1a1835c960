"""podman's other set-ups: without privilege, and with cgroups made by the runtime itself."""

import pwd
from pathlib import Path

import pytest

from engine import IMAGE, MB, call, converse
from runtime import wait_until

CALLERS = {"root, cgroupfs": ("root", "cgroupfs"), "user, systemd": ("user", "systemd"),
           "user, cgroupfs": ("user", "cgroupfs")}
# One shell for all of it: the service that systemd-run makes ends its processes with its command.
LIFE = """
set -e
manager=$1 image=$2
podman() { command podman --cgroup-manager=$manager "$@"; }
podman run --detach --name=life --network=none --memory=64m $image \\
	sh -c 'trap "exit 3" TERM; while :; do sleep 0.1; done' >/dev/null
podman exec life cat /sys/fs/cgroup/memory.max
podman exec life sh -c 'id -u; exit 9' || echo $?
podman stop --time=60 life
podman inspect --format '{{.State.ExitCode}} {{.OCIRuntime}}' life
podman rm life
"""


def systemd_run(user, *words):
    """The command of a service of this user's own manager, with a cgroup that is the user's."""
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--init-groups", "env",
            f"XDG_RUNTIME_DIR=/run/user/{user.pw_uid}", f"HOME={user.pw_dir}", "systemd-run",
            "--user", "--quiet", "--wait", "--collect", "--property=Delegate=yes", *words, "--"]


@pytest.fixture(scope="module")
def callers(archive):
    """How each of the two runs a command, without and with a terminal; both have the image."""
    user = pwd.getpwnam("user")
    call("loginctl", "enable-linger", "user")
    wait_until(lambda: Path(f"/run/user/{user.pw_uid}/bus").exists(), "the user's manager", 60)
    found = {"root": ([], []), "user": (systemd_run(user, "--pipe"), systemd_run(user, "--pty"))}
    for words, _ in found.values():
        call(*words, "podman", "load", "--quiet", "--input", archive)
    return found


@pytest.mark.parametrize("name, manager", CALLERS.values(), ids=CALLERS)
def test_run_exec_memory_stop(callers, name, manager):
    words, _ = callers[name]
    output = call(*words, "sh", "-c", LIFE, "sh", manager, IMAGE).stdout
    assert output.splitlines() == [f"{64 * MB}", "0", "9", "life", "3 hoy", "life"]


@pytest.mark.parametrize("name, manager", CALLERS.values(), ids=CALLERS)
def test_it(callers, name, manager):
    _, words = callers[name]
    converse(*words, "podman", f"--cgroup-manager={manager}", "run", "--rm", "--network=none", "-it",
             IMAGE, "sh")
