"""config-linux.md, namespaces: each kind, new, joined by path, or the runtime's own."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from holder import KINDS, holding

req = pytest.mark.req


def own(kind):
    return os.readlink(f"/proc/self/ns/{KINDS[kind]}")


def prepare(bundle, kind):
    """A new namespace of this kind, with all that makes a container in it possible."""
    return bundle.user_namespace() if kind == "user" else bundle.namespace(kind)


@req("linux.namespaces.path.absent-new", *(f"linux.namespaces.type.{kind}" for kind in KINDS))
@pytest.mark.parametrize("kind", KINDS)
def test_new(bundle, runtime, kind):
    seen = runtime.probe(prepare(bundle, kind))["namespaces"]
    assert seen[KINDS[kind]] != own(kind)


@req("linux.namespaces.inherit")
@pytest.mark.parametrize("kind", ["pid", "network", "ipc", "uts", "cgroup", "user", "time"])
def test_the_runtimes_own(bundle, runtime, kind):
    seen = runtime.probe(bundle.without_namespace(kind))["namespaces"]
    assert seen[KINDS[kind]] == own(kind)


@req("linux.namespaces.inherit")
@pytest.mark.hoy
def test_no_namespace_at_all(bundle, runtime):
    """The root is entered by chroot then, and the runtime's mounts are left alone."""
    before = Path("/proc/self/mountinfo").read_text()
    bundle.linux["namespaces"] = []
    del bundle.config["hostname"]
    bundle.unmount("/dev", "/dev/pts")
    with runtime.running(bundle.args("/bin/probe")) as container:
        container.wait()
        seen = container.created.json
    assert {kind: seen["namespaces"][name] for kind, name in KINDS.items()} == {
        kind: own(kind) for kind in KINDS}
    assert seen["cwd"] == "/"
    assert "/proc" in [line.split()[4] for line in seen["mountinfo"]]
    assert Path("/proc/self/mountinfo").read_text() == before


@req("config.linux.optional")
@pytest.mark.hoy
def test_no_linux_object_at_all(bundle, runtime):
    runtime.globals.append("--cgroup-manager=disabled")  # the default place is not ours
    bundle.config = {"ociVersion": "1.3.0", "root": {"path": "rootfs"},
                     "process": {"args": ["/bin/echo", "ok"], "cwd": "/",
                                 "user": {"uid": 0, "gid": 0}}}
    result = runtime.run(bundle).warns("neither a cgroup nor a pid namespace")
    assert result.stdout == "ok\n"


@req("linux.namespaces.type.pid")
def test_pid(bundle, runtime):
    result = runtime.sh(bundle, "echo $$; ls -d /proc/[0-9]* | wc -l").ok()
    assert result.stdout.split()[0] == "1"
    assert int(result.stdout.split()[1]) <= 3


@req("linux.namespaces.type.network")
def test_network(bundle, runtime):
    interfaces = runtime.probe(bundle)["interfaces"]
    assert interfaces["lo"] == "up"
    assert not [name for name in interfaces if name.startswith(("eth", "en", "veth"))]


@req("linux.namespaces.type.mount")
def test_mounts_made_inside_stay_inside(bundle, runtime):
    bundle.capabilities("CAP_SYS_ADMIN")
    with runtime.running(bundle.sh("mount -t tmpfs inside /tmp && echo done; sleep 1000")) as container:
        while container.output != "done\n":
            pass
        assert " - tmpfs inside " in container.proc("mountinfo").read_text()
        assert " - tmpfs inside " not in Path("/proc/self/mountinfo").read_text()


@req("linux.namespaces.type.ipc")
def test_ipc(bundle, runtime):
    """A queue of the runtime's is not seen inside, one made inside not outside."""
    made = subprocess.run(["ipcmk", "--queue"], capture_output=True, text=True, check=True)
    queue = made.stdout.split()[-1]
    try:
        # msgget(0x..., 0) would find it; all queues are in /proc/sysvipc/msg.
        assert runtime.sh(bundle, "wc -l </proc/sysvipc/msg").ok().stdout == "1\n"
        bundle.without_namespace("ipc")
        assert int(runtime.sh(bundle, "wc -l </proc/sysvipc/msg").ok().stdout) >= 2
    finally:
        subprocess.run(["ipcrm", "--queue-id", queue], check=True)


@req("linux.namespaces.type.cgroup")
def test_cgroup(bundle, runtime):
    seen = runtime.probe(bundle)
    assert [line for line in seen["cgroup"] if line.startswith("0:")] == ["0::/"]


@req("linux.namespaces.type.cgroup", "linux.cgroupsPath.absolute")
def test_cgroup_of_the_runtimes_namespace(bundle, runtime):
    seen = runtime.probe(bundle.without_namespace("cgroup"))
    assert f"0::{bundle.linux['cgroupsPath']}" in seen["cgroup"]


# ---- joined ----

@req("linux.namespaces.path.join", "op.delete.foreign-resources")
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "user"])
def test_joined(bundle, runtime, kind):
    with holding(kind) as holder:
        bundle.namespace(kind, holder.path(kind))
        if kind == "uts":
            bundle.config["hostname"] = "joined"
        with runtime.running(bundle.args("/bin/probe")) as container:
            container.wait()
            seen = container.created.ok().json
        assert seen["namespaces"][KINDS[kind]] == holder.link(kind)
        assert os.path.exists(holder.path(kind))


@req("linux.namespaces.path.join")
@pytest.mark.hoy
def test_joined_user_namespace(bundle, runtime):
    with holding("user", options=["--map-root-user"]) as holder:
        bundle.namespace("user", holder.path("user"))
        bundle.unmount("/dev/pts")  # its gid=5 is not mapped there
        seen = runtime.probe(bundle)
        assert seen["namespaces"]["user"] == holder.link("user")
        assert seen["uids"] == [0] * 4


@req("linux.namespaces.order-free")
@pytest.mark.hoy
def test_user_namespace_that_owns_the_others_listed_last(bundle, runtime):
    kinds = ["ipc", "uts", "network", "user"]
    with holding(*kinds, options=["--map-root-user"]) as holder:
        bundle.without_namespace(*kinds)
        for kind in kinds:
            bundle.namespace(kind, holder.path(kind))
        bundle.unmount("/dev/pts")
        seen = runtime.probe(bundle)
        for kind in kinds:
            assert seen["namespaces"][KINDS[kind]] == holder.link(kind)


@req("linux.namespaces.pid.join-fork", "state.pid.created-running")
def test_joined_pid_namespace_shows_both_pids(bundle, runtime):
    with holding("pid") as holder:
        bundle.namespace("pid", holder.path("pid"))
        with runtime.sleeping(bundle) as container:
            assert container.namespace("pid") == holder.link("pid")
            line, = (line for line in container.proc("status").read_text().splitlines()
                     if line.startswith("NSpid:"))
            outer, inner = map(int, line.split()[-2:])
            assert (outer, inner > 1) == (container.pid, True)


@pytest.mark.hoy
def test_joined_network_in_a_new_user_namespace(bundle, runtime):
    """Only a process of the namespace's owner may join it, so it is joined before the new one."""
    with holding("network") as holder:
        bundle.user_namespace().namespace("network", holder.path("network"))
        seen = runtime.probe(bundle)
        assert seen["namespaces"]["net"] == holder.link("network")
        assert seen["namespaces"]["user"] != own("user")


@req("linux.namespaces.path.join")
def test_the_namespaces_of_another_container(bundle, make_bundle, runtime):
    """As the containers of a pod share them."""
    with runtime.sleeping(bundle, name="pod") as pod:
        other = make_bundle()
        for kind in ("network", "ipc", "uts", "pid"):
            other.without_namespace(kind).namespace(kind, pod.proc(f"ns/{KINDS[kind]}"))
        other.config.pop("hostname", None)
        seen = runtime.probe(other, name="c2")
        assert seen["uname"]["hostname"] == "hoy-test"
        assert seen["namespaces"]["net"] == pod.namespace("net")
        assert seen["ids"]["pid"] > 1
        assert pod.status == "running"


@req("linux.namespaces.path.wrong-type")
@pytest.mark.parametrize("kind, other", [("ipc", "mnt"), ("network", "uts"), ("pid", "net"),
                                         ("mount", "ipc"), ("uts", "pid"), ("user", "cgroup"),
                                         ("cgroup", "user"), ("time", "mnt")])
def test_path_of_another_kind(bundle, runtime, kind, other):
    bundle.namespace(kind, f"/proc/self/ns/{other}")
    runtime.refuses(bundle, "linux.namespaces[", f"/proc/self/ns/{other}")


@req("linux.namespaces.path.wrong-type")
@pytest.mark.parametrize("path, words", [("/etc/passwd", ""), ("/no/such", "No such file or directory")])
def test_path_of_no_namespace(bundle, runtime, path, words):
    bundle.namespace("network", path)
    runtime.refuses(bundle, "linux.namespaces[", path, words)


@req("linux.namespaces.path.absolute")
@pytest.mark.hoy
def test_relative_path(bundle, runtime):
    bundle.namespace("network", "ns/net")
    runtime.refuses(bundle, "linux.namespaces[5].path", "ns/net", "absolute")


@req("linux.namespaces.duplicate")
@pytest.mark.parametrize("entry", [{"type": "ipc"}, {"type": "ipc", "path": "/proc/self/ns/ipc"}])
def test_duplicate(bundle, runtime, entry):
    bundle.linux["namespaces"].append(entry)
    runtime.refuses(bundle, "linux.namespaces[6]", "ipc")


@req("linux.namespaces.type.unknown")
@pytest.mark.parametrize("name", ["foo", "net", "mnt", "PID", ""])
def test_unknown_type(bundle, runtime, name):
    bundle.linux["namespaces"].append({"type": name})
    runtime.refuses(bundle, "linux.namespaces[6].type", name)


@req("linux.namespaces.type.required")
def test_no_type(bundle, runtime):
    bundle.linux["namespaces"].append({})
    runtime.refuses(bundle, "linux.namespaces[6]", "type")


# ---- host name ----

@req("config.hostname")
def test_hostname(bundle, runtime):
    before = os.uname().nodename
    bundle.config["hostname"] = "mrsdalloway"
    assert runtime.probe(bundle)["uname"]["hostname"] == "mrsdalloway"
    assert os.uname().nodename == before


@req("config.hostname.unset")
def test_hostname_unset(bundle, runtime):
    del bundle.config["hostname"]
    assert runtime.probe(bundle)["uname"]["hostname"] == os.uname().nodename


@req("config.domainname")
def test_domainname(bundle, runtime):
    bundle.config["domainname"] = "foobarbaz.test"
    assert runtime.probe(bundle)["uname"]["domainname"] == "foobarbaz.test"
    assert Path("/proc/sys/kernel/domainname").read_text() != "foobarbaz.test\n"


@req("config.hostname.no-uts", "config.domainname.no-uts")
@pytest.mark.parametrize("member", ["hostname", "domainname"])
@pytest.mark.hoy
def test_names_without_a_uts_namespace(bundle, runtime, member):
    before = os.uname().nodename
    bundle.without_namespace("uts").config[member] = "wrong"
    runtime.refuses(bundle, member, "uts")
    assert os.uname().nodename == before


@pytest.mark.hoy
def test_hostname_that_is_too_long(bundle, runtime):
    bundle.config["hostname"] = "x" * 65
    runtime.refuses(bundle, "hostname")


# ---- time ----

@req("linux.timeOffsets.clocks", "linux.timeOffsets.secs", "linux.timeOffsets.nanosecs")
@pytest.mark.hoy
def test_time_offsets(bundle, runtime):
    bundle.namespace("time").linux["timeOffsets"] = {
        "monotonic": {"secs": 86400, "nanosecs": 500000000}, "boottime": {"secs": 172800}}
    clocks = runtime.probe(bundle)["clocks"]
    assert [line.split() for line in clocks["offsets"]] == [["monotonic", "86400", "500000000"],
                                                            ["boottime", "172800", "0"]]
    assert abs(clocks["monotonic"] - time.clock_gettime(time.CLOCK_MONOTONIC) - 86400) < 10
    assert abs(clocks["boottime"] - time.clock_gettime(time.CLOCK_BOOTTIME) - 172800) < 10


@req("linux.timeOffsets.secs")
@pytest.mark.hoy
def test_negative_time_offset(bundle, runtime):
    bundle.namespace("time").linux["timeOffsets"] = {"monotonic": {"secs": -10}}
    offsets = runtime.probe(bundle)["clocks"]["offsets"]
    assert offsets[0].split() == ["monotonic", "-10", "0"]


@req("linux.timeOffsets.clocks", "linux.timeOffsets.nanosecs")
@pytest.mark.hoy
@pytest.mark.parametrize("offsets, words", [
    ({"realtime": {"secs": 1}}, ["linux.timeOffsets", "realtime"]),
    ({"monotonic": {"nanosecs": 1000000000}}, ["linux.timeOffsets.monotonic.nanosecs", "1000000000"])])
def test_bad_time_offsets(bundle, runtime, offsets, words):
    bundle.namespace("time").linux["timeOffsets"] = offsets
    runtime.refuses(bundle, *words)


@req("linux.timeOffsets.without-timens")
@pytest.mark.hoy
def test_time_offsets_without_a_new_time_namespace(bundle, runtime):
    bundle.linux["timeOffsets"] = {"monotonic": {"secs": 1}}
    runtime.refuses(bundle, "linux.timeOffsets", "time")


@req("linux.timeOffsets.without-timens")
@pytest.mark.hoy
def test_time_offsets_with_a_joined_time_namespace(bundle, runtime):
    with holding("time") as holder:
        bundle.namespace("time", holder.path("time"))
        bundle.linux["timeOffsets"] = {"monotonic": {"secs": 1}}
        runtime.refuses(bundle, "linux.timeOffsets", "time")


# ---- user ----

@req("linux.uidMappings.applied", "linux.gidMappings.applied", "linux.idMappings.containerID",
     "linux.idMappings.hostID", "linux.idMappings.size")
def test_id_maps(bundle, runtime):
    bundle.user_namespace()
    bundle.linux["uidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 2000}]
    bundle.linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 3000}]
    maps = runtime.probe(bundle)["maps"]
    assert [line.split() for line in maps["uid"]] == [["0", "100000", "2000"]]
    assert [line.split() for line in maps["gid"]] == [["0", "100000", "3000"]]
    assert maps["setgroups"] == "allow"


@req("linux.idMappings.multiple")
def test_several_ranges(bundle, runtime):
    bundle.user_namespace()
    ranges = [(0, 100000, 10), (10, 200000, 20), (1000, 300000, 5)]
    for kind in ("uidMappings", "gidMappings"):
        bundle.linux[kind] = [dict(zip(("containerID", "hostID", "size"), entry)) for entry in ranges]
    maps = runtime.probe(bundle)["maps"]
    assert [tuple(map(int, line.split())) for line in maps["uid"]] == ranges


@req("config.user.uid", "config.user.gid")
def test_user_in_a_user_namespace(bundle, runtime):
    bundle.user_namespace()
    bundle.process["user"] = {"uid": 10, "gid": 20, "additionalGids": [5, 6]}
    with runtime.running(bundle.args("/bin/sleep", "1000")) as container:
        status = dict(line.split(":", 1) for line in container.proc("status").read_text().splitlines())
        assert status["Uid"].split() == ["100010"] * 4
        assert status["Gid"].split() == ["100020"] * 4
        assert set(status["Groups"].split()) - {"100020"} == {"100005", "100006"}


@req("config.user.unmapped")
@pytest.mark.parametrize("user", [{"uid": 5000, "gid": 0}, {"uid": 0, "gid": 5000},
                                  {"uid": 0, "gid": 0, "additionalGids": [5000]}])
def test_unmapped_ids(bundle, runtime, user):
    bundle.user_namespace(size=1000)
    bundle.process["user"] = user
    runtime.refuses(bundle, "process.user.", "5000")


@req("linux.idMappings.containerID", "linux.idMappings.hostID", "linux.idMappings.size")
@pytest.mark.hoy
@pytest.mark.parametrize("member", ["containerID", "hostID", "size"])
def test_maps_need_all_members(bundle, runtime, member):
    bundle.user_namespace()
    del bundle.linux["uidMappings"][0][member]
    runtime.refuses(bundle, "linux.uidMappings[0]", member)


@req("linux.idMappings.without-userns")
@pytest.mark.hoy
def test_maps_without_a_user_namespace(bundle, runtime):
    bundle.user_namespace().without_namespace("user")
    runtime.refuses(bundle, "linux.uidMappings", "user")


@req("linux.idMappings.overlap")
def test_maps_that_overlap(bundle, runtime):
    bundle.user_namespace()
    bundle.linux["uidMappings"].append({"containerID": 5, "hostID": 900000, "size": 1})
    runtime.refuses(bundle, "linux.uidMappings")


@req("linux.idMappings.limit")
@pytest.mark.hoy
def test_maps_of_too_many_ranges(bundle, runtime):
    bundle.user_namespace()
    bundle.linux["uidMappings"] = [{"containerID": 2 * i, "hostID": 100000 + 2 * i, "size": 1}
                                   for i in range(400)]
    runtime.refuses(bundle, "linux.uidMappings")


@req("linux.idMappings.no-chown")
def test_nothing_is_chowned(bundle, runtime):
    def owners():
        return {str(path): (path.lstat().st_uid, path.lstat().st_gid)
                for path in bundle.rootfs.rglob("*")}
    bundle.user_namespace()
    before = owners()
    runtime.probe(bundle)
    assert owners() == before


@pytest.mark.hoy
def test_capabilities_in_a_user_namespace(bundle, runtime):
    seen = runtime.probe(bundle.user_namespace())
    assert seen["uids"] == [0] * 4
    assert seen["capabilities"]["effective"] == 1 << 29 | 1 << 5 | 1 << 10


@pytest.mark.hoy
def test_the_runtimes_surroundings_are_those_it_runs_in(bundle, runtime):
    """The runtime itself in new namespaces: paths and inherited namespaces are those, not pid 1's."""
    bundle.without_namespace("network")
    runtime.wrapper = ["unshare", "--mount", "--net", "--"]
    seen = runtime.probe(bundle)
    assert seen["namespaces"]["net"] != own("network")
