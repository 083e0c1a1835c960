"""An ordinary user runs containers: with one id of their own, without a cgroup, without root anywhere."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from canary import Canary
from fixtures import is_long
from holder import KINDS
from runtime import ENVIRONMENT
from test_hostile_root import CREATURES, PLACES, everything, put
from test_terminal import Console

req = pytest.mark.req
pytestmark = pytest.mark.hoy

USER = 64321  # nobody's
AS_USER = [shutil.which("setpriv"), f"--reuid={USER}", f"--regid={USER}", "--clear-groups",
           "--inh-caps=-all", "--"]


def give(path):
    """Makes a tree the user's own."""
    subprocess.run(["chown", "-hR", f"{USER}:{USER}", path], check=True)


@pytest.fixture
def user(runtime):
    """The runtime as the user runs it, with a state root of their own."""
    runtime.state_root.mkdir(mode=0o700)
    os.chown(runtime.state_root, USER, USER)
    runtime.wrapper = AS_USER
    return runtime


@pytest.fixture
def mine(bundle):
    """A bundle of the user's, in which nothing is asked for that only root can give."""
    del bundle.linux["cgroupsPath"]
    bundle.unmount("/dev/pts").mount("/dev/pts", "devpts", "devpts", ["newinstance", "ptmxmode=0666"])
    give(bundle.path)
    return bundle


def mapped(bundle, *ranges):
    bundle.namespace("user")
    for kind in ("uidMappings", "gidMappings"):
        bundle.linux[kind] = [dict(zip(("containerID", "hostID", "size"), entry)) for entry in ranges]
    return bundle


@pytest.mark.parametrize("configured", [True, False])
def test_root_inside_is_the_user_outside(mine, user, configured):
    """With a user namespace in the configuration, or with the one that hoy makes where there is none."""
    if configured:
        mapped(mine, (0, USER, 1))
    seen = user.probe(mine)
    assert seen["uids"] == seen["gids"] == [0] * 4
    assert [line.split() for line in seen["maps"]["uid"]] == [["0", str(USER), "1"]]
    assert seen["maps"]["setgroups"] == "deny"
    assert seen["capabilities"]["effective"] == 1 << 29 | 1 << 5 | 1 << 10
    for kind in ("pid", "network", "ipc", "uts", "mount", "user"):
        assert seen["namespaces"][KINDS[kind]] != os.readlink(f"/proc/self/ns/{KINDS[kind]}")


def test_the_whole_life(mine, user):
    with user.created(mine.args("/bin/sleep", "1000")) as container:
        assert container.status == "created"
        container.start().silent()
        assert container.status == "running"
        assert os.stat(f"/proc/{container.pid}").st_uid in (0, USER)  # 0: it is not dumpable
        assert container.exec("--", "/bin/echo", "ok").ok().stdout == "ok\n"
        container.kill("KILL").silent()
        container.wait()
        container.delete().silent()
    assert os.listdir(user.state_root) in ([], [".seccomp"])


def test_rights_of_exec_are_those_of_init(mine, user):
    with user.sleeping(mine) as container:
        second = container.probe()
        assert second["uids"] == [0] * 4
        assert second["capabilities"]["effective"] == 1 << 29 | 1 << 5 | 1 << 10
        assert second["maps"]["uid"] == container.proc("uid_map").read_text().splitlines()


def test_files_made_inside_are_the_users(mine, user):
    user.sh(mine, "echo x >/made; mkdir /dir").ok()
    for name in ("made", "dir"):
        assert (mine.rootfs / name).stat().st_uid == USER


def test_the_state_root_is_in_the_runtime_directory(mine, user, scratch):
    (scratch / "xdg").mkdir(mode=0o700)
    os.chown(scratch / "xdg", USER, USER)
    user.globals = []
    user.run(mine.args("/bin/true"), env=ENVIRONMENT | {"XDG_RUNTIME_DIR": str(scratch / "xdg")}).silent()
    assert os.listdir(scratch / "xdg") == ["hoy"]


@pytest.mark.parametrize("environment", [{}, {"XDG_RUNTIME_DIR": ""}])
def test_no_runtime_directory(mine, user, environment):
    user.globals = []
    user.run(mine, env=ENVIRONMENT | environment).fails("state root", "/run/hoy", "Permission denied")


def test_more_ids_than_the_user_has(mine, user):
    """newuidmap refuses what /etc/subuid does not give; the error names it."""
    mapped(mine, (0, USER, 1), (1, 700000, 1000))
    user.refuses(mine, "newuidmap")


def test_no_newuidmap(mine, user, scratch):
    mapped(mine, (0, USER, 1), (1, 700000, 1000))
    user.refuses(mine, "newuidmap", env={"PATH": str(scratch)})


def test_other_ids_of_the_host(mine, user):
    mapped(mine, (0, 0, 1))
    user.refuses(mine, "Mappings")


def test_a_user_that_is_not_mapped(mine, user):
    mine.process["user"] = {"uid": 1000, "gid": 0}
    user.refuses(mine, "process.user.uid", "1000")


@req("linux.cgroupsPath.invalid")
def test_nothing_of_the_cgroup_tree_can_be_written(mine, user):
    """2023-25809: the host's cgroup namespace, and a cgroup mount that may be written to."""
    mine.without_namespace("cgroup").mount("/sys/fs/cgroup", "cgroup", "cgroup", ["rw"])
    result = user.sh(mine, "find /sys/fs/cgroup -maxdepth 2 -type f 2>/dev/null | while read f; do "
                           "(: >>$f) 2>/dev/null && echo $f; done; mkdir /sys/fs/cgroup/x; :")
    assert result.status in (0, 1)
    assert result.stdout == ""


def test_limits_without_delegation_are_refused(mine, user):
    mine.linux["resources"] = {"pids": {"limit": 100}}
    user.refuses(mine, "linux.resources")


def test_locked_flags_stay(mine, user, scratch):
    """A mount of the host that is read-only stays so, whatever is asked for."""
    source = scratch / "source"
    source.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,nosuid,nodev,noexec", "tmpfs", source], check=True)
    try:
        mine.bind(source, "/t", "ro").capabilities("CAP_SYS_ADMIN")
        options = user.probe(mine).mount("/t").options
        assert {"ro", "nosuid", "nodev", "noexec"} <= set(options)
        assert user.call(mine, ("mount", "none", "/t", "", 0x1000 | 0x20, 0)) == ["EPERM"]
    finally:
        subprocess.run(["umount", source], check=True)


def test_a_terminal(mine, user, scratch):
    console = Console(scratch / "console")
    os.chmod(console.path, 0o777)
    try:
        mine.process["terminal"] = True
        mine.sh("tty; id -u; sleep 1000")
        with user.created(mine, "--console-socket", console.path) as container:
            console.accept()
            container.start().ok()
            assert console.read(b"0\r\n0\r\n").split() == [b"/dev/pts/0", b"0"]
    finally:
        console.close()


def test_hooks_run_as_the_user(mine, user, scratch):
    give(scratch)
    for kind in ("createRuntime", "createContainer", "poststop"):
        mine.hook_sh(kind, f"id -u >{scratch}/{kind}")
    user.run(mine.args("/bin/true")).ok()
    assert (scratch / "createRuntime").read_text() == (scratch / "poststop").read_text() == f"{USER}\n"
    assert (scratch / "createContainer").stat().st_uid == USER


def test_another_users_container_is_out_of_reach(mine, user):
    """Root may look at it, a third user may not."""
    with user.sleeping(mine) as container:
        user.wrapper = ["setpriv", "--reuid=64322", "--clear-groups", "--"]
        user("state", "c1").fails("Permission denied")
        user("kill", "c1", "KILL").fails("Permission denied")
        user.wrapper = AS_USER
        assert container.status == "running"


@pytest.mark.parametrize("creature", CREATURES)
@pytest.mark.timeout(60)
def test_zoo(make_bundle, user, scratch, creature):
    """Hostile images of an ordinary user: nothing outside of them changes either."""
    canary = Canary(scratch / "canary")
    for number, place in enumerate(PLACES):
        if not is_long() and (number + list(CREATURES).index(creature)) % 4:
            continue
        bundle = everything(make_bundle(f"b{number}", applets=()), scratch)
        del bundle.linux["cgroupsPath"]
        bundle.unmount("/dev/pts")
        put(bundle, place, creature, canary)
        give(bundle.path)
        give(scratch / "volume")
        result = user.run(bundle, limit=10)
        assert result.status in (0, 1, 126, 127), f"{place}: {result}"
        if result.status:
            assert "hoy: " in result.stderr, f"{place}: {result}"
        canary.check()
        shutil.rmtree(bundle.path)
        shutil.rmtree(scratch / "volume")


def test_nothing_of_the_host_changes_hands(mine, user):
    """Not even what stands on the standard descriptors."""
    user.run(mine.args("/bin/true")).ok()
    assert Path("/dev/null").stat().st_uid == 0
