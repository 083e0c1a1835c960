"""hoy as an ordinary user: in what it can do, and in what it says where it cannot.

The user exists only in a private view of /etc: nothing of the machine is changed.
"""

import json
import os
import shutil
import subprocess

import pytest

from bundle import CGROUP2
from holder import KINDS, holding
from runtime import Seen, wait_until

req = pytest.mark.req
pytestmark = pytest.mark.hoy
UID, GID, RANGE = 12345, 12346, 2000000

# Becomes the user with files of its own in /etc, after a script that may change more of the view.
BECOME = """
for file in "$0"/etc/*; do mount --bind "$file" "/etc/${file##*/}"; done
%s
exec setpriv --reuid %d --regid %d --clear-groups --inh-caps -all %s "$@"
"""


class User:
    """An ordinary user with bundles and a state root, and a runtime that runs as it."""

    def __init__(self, runtime, scratch):
        self.runtime = runtime
        self.directory = scratch / "user"
        for name in ("", "etc", "run", "tmp"):
            path = self.directory / name
            path.mkdir()
            os.chown(path, UID, GID)
        runtime.globals = ["--root", str(self.directory / "run/hoy")]
        self.etc("passwd", f"root:x:0:0:root:/root:/bin/sh\nhoyuser:x:{UID}:{GID}::/:/bin/sh\n")
        self.etc("subuid", f"hoyuser:{RANGE}:65536\n")
        self.etc("subgid", f"{UID}:{RANGE + 100000}:65536\n")
        self.become()

    def etc(self, name, text):
        if not os.path.exists(f"/etc/{name}"):
            pytest.skip(f"no /etc/{name} to cover")
        (self.directory / "etc" / name).write_text(text)

    def become(self, script="", *options):
        """From now on the runtime runs as the user, after the script has changed its view."""
        self.runtime.wrapper = ["unshare", "--mount", "--propagation", "private", "sh", "-euc",
                                BECOME % (script, UID, GID, " ".join(options)),
                                str(self.directory)]

    def call(self, *words):
        return subprocess.run([*self.runtime.wrapper, *map(str, words)], capture_output=True,
                              text=True, timeout=20, check=False)

    def own(self, bundle, uid=UID, gid=GID):
        """Gives a bundle to the user: programs are links that all bundles share, and stay root's."""
        for directory, _names, files in os.walk(bundle.path):
            os.chown(directory, uid, gid)
            for name in files:
                path = os.path.join(directory, name)
                if os.lstat(path).st_nlink == 1:
                    os.lchown(path, uid, gid)
        return bundle


@pytest.fixture
def user(runtime, scratch):
    return User(runtime, scratch)


@pytest.fixture
def mine(user, bundle):
    """A bundle as `hoy spec --rootless` makes it, with the test's own root and program."""
    spec = user.directory / "tmp/spec.json"
    assert user.call(os.environ["HOY"], "spec", "--rootless", "--file", spec).returncode == 0
    bundle.config = json.loads(spec.read_text())
    bundle.process["terminal"] = False
    bundle.process["env"] = ["PATH=/bin"]
    return user.own(bundle)


def unmapped(bundle):
    """Without maps in the configuration: hoy makes those that the user may have."""
    for name in ("uidMappings", "gidMappings"):
        bundle.linux.pop(name)
    bundle.linux["namespaces"] = [entry for entry in bundle.linux["namespaces"]
                                  if entry["type"] != "user"]
    return bundle


def mapped(bundle, uids, gids):
    for name, maps in (("uidMappings", uids), ("gidMappings", gids)):
        bundle.linux[name] = [dict(zip(("containerID", "hostID", "size"), entry)) for entry in maps]
    return bundle


# ---- what works ----

def test_a_life(mine, runtime):
    """spec --rootless, run, exec, kill, delete."""
    seen = runtime.probe(mine)
    assert seen["uids"] == [0] * 4 and seen["maps"]["uid"] == [f"{0:10} {UID:10} {1:10}"]
    with runtime.created(mine.args("/bin/sleep", "100"), name="c2") as container:
        container.start().ok()
        assert container.probe()["uids"] == [0] * 4
        assert container.status == "running"
        assert runtime("list", "--quiet").ok().stdout == "c2\n"
        container.kill("KILL").ok()
        container.wait()
        container.delete().ok()


def test_mounts_of_a_running_container(mine, user, runtime):
    """As an ordinary user, who may not undo what root has mounted read-only."""
    source = user.directory / "tmp/source"
    source.mkdir()
    (source / "file").write_text("mine")
    os.chown(source, UID, GID)
    file = user.directory / "tmp/mounts.json"
    file.write_text(json.dumps([
        {"destination": "/data", "source": str(source), "options": ["bind"]},
        {"destination": "/own", "type": "tmpfs"}]))
    mine.capabilities("CAP_SYS_ADMIN").config["root"]["readonly"] = False
    subprocess.run(["mount", "--bind", "-o", "ro", source, source], check=True)
    try:
        with runtime.sleeping(mine) as container:
            before = container.proc("mountinfo").read_text()
            runtime("mounts", "add", "c1", file).silent()
            assert container.exec("--", "cat", "/data/file").ok().stdout == "mine"
            assert container.exec("--", "touch", "/own/x").ok()
            result = container.exec("--", "mount", "-o", "remount,bind,rw", "/data")
            assert result.status != 0 and "ermission denied" in result.stderr
            runtime("mounts", "remove", "c1", file).silent()
            assert container.proc("mountinfo").read_text() == before
    finally:
        subprocess.run(["umount", source], check=True)


def test_a_user_of_the_range(mine, runtime):
    """Files of several owners in the root look right inside."""
    unmapped(mine)
    (mine.rootfs / "etc/of-one").write_text("")
    os.chown(mine.rootfs / "etc/of-one", RANGE, RANGE + 100000)
    (mine.rootfs / "etc/of-nobody").write_text("")
    os.chown(mine.rootfs / "etc/of-nobody", 4, 4)
    mine.process["user"] = {"uid": 0, "gid": 0}
    result = runtime.sh(mine, "stat -c '%u %g' /etc /etc/of-one /etc/of-nobody")
    assert result.ok().stdout.split("\n")[:3] == ["0 0", "1 1", "65534 65534"]


@pytest.mark.parametrize("uid", [1, 65536])
def test_as_another_user(mine, runtime, uid):
    unmapped(mine).process["user"] = {"uid": uid, "gid": uid, "additionalGids": [3]}
    seen = runtime.probe(mine)
    assert (seen["uids"], seen["gids"], seen["groups"]) == ([uid] * 4, [uid] * 4, [3])
    assert seen["maps"]["uid"] == [f"{0:10} {UID:10} {1:10}", f"{1:10} {RANGE:10} {65536:10}"]


def test_a_map_of_the_configuration(mine, runtime):
    mapped(mine, [(0, RANGE, 1000), (1000, UID, 1)], [(0, RANGE + 100000, 1000), (1000, GID, 1)])
    mine.process["user"] = {"uid": 1000, "gid": 1000}
    os.chmod(mine.path.parent, 0o755)
    assert runtime.probe(mine)["uids"] == [1000] * 4


def test_one_id_without_any_helper(mine, user, runtime):
    user.become("mount --bind /dev/null /usr/bin/newuidmap; mount --bind /dev/null /usr/bin/newgidmap")
    seen = runtime.probe(unmapped(mine))
    assert seen["maps"]["uid"] == [f"{0:10} {UID:10} {1:10}"] and seen["groups"] in ([], [65534])


def test_no_line_in_passwd(mine, user, runtime):
    """newuidmap(1) wants a name, hoy does not."""
    user.etc("passwd", "root:x:0:0:root:/root:/bin/sh\n")
    user.etc("subuid", "")
    assert len(runtime.probe(unmapped(mine))["maps"]["uid"]) == 1
    user.etc("subuid", f"{UID}:{RANGE}:65536\n")
    hints(runtime.refuses(mine, "newuidmap"), "no line in /etc/passwd")


def test_no_subordinate_ids(mine, user, runtime):
    user.etc("subuid", "")
    assert len(runtime.probe(unmapped(mine))["maps"]["uid"]) == 1


@pytest.mark.parametrize("kind", ["pid", "network", "ipc", "uts", "cgroup"])
def test_namespaces_of_the_host(mine, runtime, kind):
    mine.without_namespace(kind)
    if kind == "ipc" and not os.path.isdir("/dev/mqueue"):
        mine.unmount("/dev/mqueue")
    seen = Seen(runtime.run(mine.args("/bin/probe")).ok().json)["namespaces"]
    assert seen[KINDS[kind]] == os.readlink(f"/proc/self/ns/{KINDS[kind]}")


def test_time_offsets(mine, runtime):
    mine.namespace("time").linux["timeOffsets"] = {"boottime": {"secs": 7777}}
    assert runtime.probe(mine)["clocks"]["offsets"][1].split() == ["boottime", "7777", "0"]


def test_namespaces_of_another_container(mine, make_bundle, runtime, user):
    """As the containers of a pod share them: those of a user namespace of the same user."""
    with runtime.sleeping(mine, name="pod") as pod:
        other = user.own(make_bundle())
        other.config = {**mine.config, "process": {**mine.process}, "linux": {**mine.linux}}
        other.linux["namespaces"] = list(mine.linux["namespaces"])
        for kind in ("user", "ipc", "uts", "pid"):
            other.without_namespace(kind).namespace(kind, pod.proc(f"ns/{KINDS[kind]}"))
        seen = Seen(runtime.run(other.args("/bin/probe"), name="c2").ok().json)
        for kind in ("user", "ipc", "uts", "pid"):
            assert seen["namespaces"][KINDS[kind]] == pod.namespace(KINDS[kind])


def test_pause_needs_a_cgroup(mine, runtime):
    with runtime.sleeping(mine) as container:
        runtime("pause", container.id).fails("cgroup")


def test_a_delegated_cgroup(mine, user, runtime, session):
    """As a user manager delegates one: hoy starts in a leaf of it and makes another beside that."""
    tree = CGROUP2 / session.name / "delegated"
    for path in (tree, tree / "shell"):
        path.mkdir()
        for name in ("", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"):
            os.chown(path / name, UID, GID)
    user.become(f"echo $$ >{tree}/shell/cgroup.procs")
    try:
        mine.linux.pop("cgroupsPath", None)
        with runtime.sleeping(mine) as container:
            line, = (line for line in container.proc("cgroup").read_text().splitlines()
                     if line.startswith("0::"))
            assert line == f"0::/{session.name}/delegated/hoy/c1"
            runtime("pause", container.id).ok()
            assert container.status == "paused"
            runtime("resume", container.id).ok()
            assert len(runtime("ps", "--format", "json", container.id).ok().json) == 1
        assert not (tree / "hoy/c1").exists()
    finally:
        subprocess.run(["find", tree, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+"], check=True)


def test_inside_a_user_namespace(mine, user, runtime):
    """root of a user namespace with some ids: as in a rootless engine, or `unshare`."""
    user.become()
    runtime.wrapper = [*runtime.wrapper, "unshare", "--user", "--map-root-user", "--mount"]
    seen = runtime.probe(unmapped(mine))
    assert seen["uids"] == [0] * 4


def test_inside_another_container(bundle, make_bundle, runtime):
    """hoy in a container of hoy's own, with a user namespace and all capabilities in it."""
    outer, inner = bundle, make_bundle("inner")
    outer.user_namespace(RANGE, 65536)
    shutil.copy(os.environ["HOY"], outer.rootfs / "bin/hoy")
    inner_root = outer.rootfs / "inner"
    shutil.copytree(inner.path, inner_root, symlinks=True)
    inner.unmount("/dev/pts")
    inner.args("/bin/probe")
    inner.config["linux"] = {"namespaces": [{"type": kind} for kind in
                                            ("pid", "network", "ipc", "uts", "mount", "user")],
                             "uidMappings": [{"containerID": 0, "hostID": 100, "size": 1000}],
                             "gidMappings": [{"containerID": 0, "hostID": 100, "size": 1000}]}
    (inner_root / "config.json").write_text(inner.write().joinpath("config.json").read_text())
    for library in libraries(os.environ["HOY"]):
        outer.bind(library, library, "ro")
    outer.capabilities(*ALL)
    outer.mount("/run", "tmpfs", "tmpfs")
    result = runtime.sh(outer, "hoy --root /run/hoy run -b /inner in")
    seen = Seen(result.ok().json)
    assert seen["uids"] == [0] * 4
    assert seen["maps"]["uid"] == [f"{0:10} {100:10} {1000:10}"]


ALL = ["CAP_SYS_ADMIN", "CAP_SETUID", "CAP_SETGID", "CAP_SYS_CHROOT", "CAP_CHOWN", "CAP_KILL",
       "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_ADMIN", "CAP_SETPCAP",
       "CAP_AUDIT_WRITE", "CAP_NET_BIND_SERVICE", "CAP_FSETID"]


def libraries(program):
    """What a program needs to be loaded, its loader included."""
    text = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    words = [word for line in text.splitlines() for word in line.split()]
    return [word for word in words if word.startswith("/")]


# ---- what does not, and why ----

def test_a_map_that_is_not_the_users(mine, runtime):
    mapped(mine, [(0, UID, 1), (1, 5000000, 10)], [(0, GID, 1), (1, RANGE + 100000, 10)])
    runtime.refuses(mine, "linux.uidmappings", "newuidmap ended with status 1", "5000000")


def hints(result, *words):
    assert any(line.startswith("hint: ") and all(word in line for word in words)
               for line in result.stderr.splitlines()), str(result)


WANTS_HELPER = ([(0, UID, 1), (1, RANGE, 10)], [(0, GID, 1), (1, RANGE + 100000, 10)])


@pytest.mark.parametrize("file, helper", [("subuid", "newuidmap"), ("subgid", "newgidmap")])
def test_no_range(mine, user, runtime, file, helper):
    user.etc(file, "other:1:1\n")
    result = runtime.refuses(mapped(mine, *WANTS_HELPER), helper)
    hints(result, f"/etc/{file} has no range for this user")


@pytest.mark.parametrize("helper", ["newuidmap", "newgidmap"])
def test_a_helper_that_has_lost_its_setuid_bit(mine, user, runtime, helper):
    copy = user.directory / helper
    shutil.copy(f"/usr/bin/{helper}", copy)
    copy.chmod(0o755)
    user.become(f"mount --bind {copy} /usr/bin/{helper}")
    result = runtime.refuses(mapped(mine, *WANTS_HELPER), helper)
    hints(result, helper, "has lost its setuid bit")


def test_a_helper_on_nosuid(mine, user, runtime):
    user.become("mount --bind /usr/bin/newuidmap /usr/bin/newuidmap; "
                "mount -o remount,bind,nosuid /usr/bin/newuidmap")
    hints(runtime.refuses(mapped(mine, *WANTS_HELPER), "newuidmap"), "mounted nosuid")


def test_no_new_privileges(mine, user, runtime):
    user.become("", "--no-new-privs")
    hints(runtime.refuses(mapped(mine, *WANTS_HELPER), "newuidmap"), "no_new_privs")


def test_no_helper(mine, user, runtime):
    user.become("mount --bind /dev/null /usr/bin/newuidmap")
    result = runtime.refuses(mapped(mine, *WANTS_HELPER), "linux.uidmappings", "newuidmap")
    hints(result, "uidmap")


def test_a_masked_proc(mine, user, runtime):
    """As in a container: the kernel gives no new /proc where a whole one is not seen."""
    user.become("mount --bind /dev/null /proc/timer_list")
    hints(runtime.refuses(mine, "mounts[0]", "/proc", "Operation not permitted"), "/proc")


def test_a_pid_namespace_of_the_host_does_with_a_masked_proc(mine, user, runtime):
    user.become("mount --bind /dev/null /proc/timer_list")
    runtime.run(mine.without_namespace("pid").args("/bin/true")).warns("only process")


def test_no_user_namespaces(mine, user, runtime):
    """In a user namespace of its own the limit can be 0 without a change to the machine."""
    user.become()
    runtime.wrapper = [*runtime.wrapper, "unshare", "--user", "--map-root-user", "--mount", "sh",
                       "-ec", 'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"', "sh"]
    result = runtime.create(mine).fails("No space left on device")
    hints(result, "user.max_user_namespaces is 0")


def test_in_a_chroot(mine, user, runtime):
    user.become()
    index = runtime.wrapper.index("-euc") + 1
    runtime.wrapper[index] = runtime.wrapper[index].replace(
        "exec setpriv", 'for name in /*; do [ -d "$name" ] || continue; mkdir -p "$0/chroot$name"; '
        'mount --rbind "$name" "$0/chroot$name"; done; exec chroot "$0/chroot" setpriv')
    hints(runtime.create(mine).fails("Operation not permitted"), "chroot")


def test_a_group_that_cannot_be_set(mine, runtime):
    mine.process["user"]["additionalGids"] = [0]
    runtime.refuses(mine, "process.user.additionalgids", "denies")


def test_limits_without_a_cgroup(mine, runtime):
    os.makedirs("/sys/fs/cgroup/hoy", exist_ok=True)  # the default place, which stays
    mine.linux["resources"] = {"pids": {"limit": 5}}
    runtime.refuses(mine, "linux.resources.pids.limit")


def test_a_bind_with_mounts_below(mine, user, runtime, scratch):
    tree = scratch / "tree"
    (tree / "below").mkdir(parents=True)
    user.become(f"mount -t tmpfs none {tree}/below")
    mine.bind(tree, "/tree")
    hints(runtime.refuses(mine, str(tree), "Invalid argument"), "use rbind")
    mine.config["mounts"].pop()
    mine.mount("/tree", "bind", str(tree), ["rbind"])
    assert len(runtime.probe(mine, name="c2").mounts("/tree/below")) == 1


def test_a_file_system_that_needs_root(mine, runtime, scratch):
    mine.mount("/o", "ext4", "/dev/vda", [])
    runtime.refuses(mine, "mounts[", "/o")


def test_network_devices_are_not_the_users(mine, runtime):
    mine.namespace("network").linux["netDevices"] = {"lo": {}}
    runtime.refuses(mine, "linux.netdevices", "Operation not permitted")


def test_the_state_root_of_the_environment(mine, user, runtime):
    runtime.globals = []
    environment = {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(user.directory / "run")}
    runtime("run", "--bundle", mine.args("/bin/true").write(), "c1", env=environment).ok()
    assert (user.directory / "run/hoy").is_dir()
    wait_until(lambda: not list((user.directory / "run/hoy").glob("c1")), "the container to go")
