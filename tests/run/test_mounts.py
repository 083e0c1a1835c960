"""config.md, mounts: order, sources, destinations, types, id maps."""

import os
import socket
import subprocess

import pytest

from runtime import Mount

req = pytest.mark.req


@pytest.fixture
def data(scratch):
    """A directory of the host with a file in it."""
    path = scratch / "data"
    path.mkdir()
    (path / "file").write_text("content")
    return path


@req("config.mounts.order", "config.mounts.mount2")
def test_in_order(bundle, runtime, data):
    bundle.mount("/a", "tmpfs", "one").mount("/a/b", "tmpfs", "two").bind(data, "/a/b")
    seen = runtime.probe(bundle)
    one, = (mount for mount in seen.mounts() if mount.source == "one")
    two, = (mount for mount in seen.mounts() if mount.source == "two")
    three, = (mount for mount in seen.mounts() if mount.root.endswith("/data"))
    assert [mount.point for mount in (one, two, three)] == ["/a", "/a/b", "/a/b"]
    assert (two.parent, three.parent) == (one.id, two.id)


@req("config.mounts.order")
def test_a_later_mount_covers_an_earlier_one(bundle, runtime, data):
    bundle.bind(data, "/a/b").mount("/a", "tmpfs", "cover")
    assert runtime.sh(bundle, "ls /a").ok().stdout == ""


@req("config.mounts.destination.created")
def test_missing_destinations_are_made(bundle, runtime, data):
    bundle.mount("/no/such/dir", "tmpfs", "tmpfs").bind(data / "file", "/no/such/file")
    bundle.bind(data, "/no/such/data")
    result = runtime.sh(bundle, "cat /no/such/file /no/such/data/file; ls -d /no/such/dir")
    assert result.ok().stdout == "contentcontent/no/such/dir\n"
    assert (bundle.rootfs / "no/such/file").is_file()
    assert (bundle.rootfs / "no/such/dir").stat().st_mode & 0o7777 == 0o755


@pytest.mark.parametrize("source, what", [
    ("data/file", ("attach a file to /bin, which is a directory", "Not a directory")),
    ("data", ("attach a directory to /bin/busybox, which is a file", "Not a directory")),
])
def test_a_directory_on_a_file_or_the_other_way_round(bundle, runtime, data, source, what):
    bundle.bind(data.parent / source, "/bin" if source.endswith("file") else "/bin/busybox")
    result = runtime.refuses(bundle, "mounts[", *what)
    assert "source and destination must both be directories, or neither" in result.stderr


@req("config.mounts.destination.inside")
@pytest.mark.parametrize("target", ["/etc", "../../../../etc", "/proc/self/cwd/etc"])
def test_destinations_through_links_stay_inside(bundle, runtime, scratch, target):
    (bundle.rootfs / "x").symlink_to(target)
    bundle.unmount("/proc") if target.startswith("/proc") else None
    bundle.mount("/x/made-by-hoy-test", "tmpfs", "tmpfs")
    result = runtime.run(bundle.args("/bin/true"))
    assert not os.path.exists("/etc/made-by-hoy-test")
    if not target.startswith("/proc"):
        assert result.status == 0
        assert (bundle.rootfs / "etc/made-by-hoy-test").is_dir()


@req("config.mounts.destination.relative")
def test_a_relative_destination_starts_at_the_root(bundle, runtime):
    bundle.mount("data", "tmpfs", "tmpfs")
    result = runtime.run(bundle.args("/bin/probe", "mountinfo"))
    assert any(line.split()[4] == "/data" for line in result.ok().json["mountinfo"])
    result.warns("mounts[3].destination", "data")


@req("config.mounts.destination.required")
@pytest.mark.hoy
def test_destination_is_required(bundle, runtime):
    bundle.config["mounts"].append({"type": "tmpfs", "source": "tmpfs"})
    runtime.refuses(bundle, "mounts[3]", "destination")


@req("config.mounts.source.optional", "config.mounts.options.optional")
def test_no_source(bundle, runtime):
    bundle.mount("/t", "tmpfs")
    assert runtime.probe(bundle).mount("/t").fstype == "tmpfs"


@req("config.mounts.source.kinds")
def test_bind_of_every_kind_of_file(bundle, runtime, data):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(data / "socket"))
        os.mkfifo(data / "fifo")
        for name in ("file", "socket", "fifo"):
            bundle.bind(data / name, f"/b/{name}")
        bundle.bind("/dev/null", "/b/null").bind(data, "/b/dir")
        result = runtime.sh(bundle, "cd /b; for f in *; do stat -c '%n %F' $f; done")
    assert result.ok().stdout == ("dir directory\nfifo fifo\nfile regular file\n"
                                  "null character special file\nsocket socket\n")


@req("config.mounts.source.kinds")
def test_the_source_of_a_new_file_system_is_its_name(bundle, runtime):
    bundle.mount("/t", "tmpfs", "whatever")
    assert runtime.probe(bundle).mount("/t").source == "whatever"


@req("config.mounts.source.bind-relative")
def test_a_relative_source_starts_at_the_bundle(bundle, runtime):
    (bundle.path / "vol").mkdir()
    (bundle.path / "vol/file").write_text("here")
    bundle.bind("vol", "/vol")
    assert runtime.sh(bundle, "cat /vol/file").ok().stdout == "here"


@req("config.mounts.failure", "errors.no-residue")
@pytest.mark.parametrize("source", ["/no/such", "no/such"])
def test_a_missing_source(bundle, runtime, source):
    bundle.bind(source, "/x")
    runtime.refuses(bundle, "mounts[3]", source, "No such file or directory")


def test_a_file_over_a_directory(bundle, runtime, data):
    bundle.bind(data / "file", "/home")
    runtime.refuses(bundle, "mounts[3]", "/home")


def test_a_directory_over_a_file(bundle, runtime, data):
    bundle.bind(data, "/etc/passwd")
    runtime.refuses(bundle, "mounts[3]", "/etc/passwd")


@req("config.mounts.bind-by-option", "config.mounts.type.bind-dummy", "config.mounts.type.optional")
@pytest.mark.parametrize("fstype", ["none", "ext4", "xyz", "bind", None])
@pytest.mark.parametrize("option", ["bind", "rbind"])
def test_the_option_makes_a_bind(bundle, runtime, data, fstype, option):
    bundle.mount("/t", fstype, str(data), [option])
    assert runtime.sh(bundle, "cat /t/file").ok().stdout == "content"


@req("config.mounts.bind-by-option")
@pytest.mark.hoy
def test_the_type_alone_makes_no_bind(bundle, runtime, data):
    bundle.mount("/t", "bind", str(data), [])
    runtime.refuses(bundle, "mounts[3]", "bind")


@req("config.mounts.type.kernel")
@pytest.mark.parametrize("fstype, options", [
    ("proc", None), ("sysfs", None), ("tmpfs", None), ("mqueue", None), ("cgroup2", None),
    ("devpts", ["newinstance"]), ("ramfs", None)])
def test_file_systems(bundle, runtime, fstype, options):
    bundle.mount("/t", fstype, fstype, options)
    assert runtime.probe(bundle).mount("/t").fstype == fstype


@req("config.mounts.type.kernel")
def test_overlay(bundle, runtime, scratch):
    for name in ("lower", "upper", "work"):
        (scratch / name).mkdir()
    (scratch / "lower/below").write_text("below")
    bundle.mount("/o", "overlay", "overlay", [
        f"lowerdir={scratch}/lower", f"upperdir={scratch}/upper", f"workdir={scratch}/work"])
    runtime.sh(bundle, "cat /o/below >/o/above").ok()
    assert (scratch / "upper/above").read_text() == "below"


@req("config.mounts.type.kernel")
def test_unknown_file_system(bundle, runtime):
    bundle.mount("/t", "nosuchfs", "x")
    runtime.refuses(bundle, "mounts[3]", "nosuchfs", "No such device")


@pytest.mark.hoy
def test_a_mount_on_the_root_itself(bundle, make_bundle, runtime):
    other = make_bundle()
    other.file("/marker", "other")
    (bundle.rootfs / "bin/busybox").unlink()
    bundle.config["mounts"].insert(0, {"destination": "/", "source": str(other.rootfs),
                                       "options": ["rbind"]})
    assert runtime.sh(bundle, "cat /marker").ok().stdout == "other"


# ---- tmpfs ----

def mode_of(runtime, bundle, path):
    return runtime.run(bundle.args("/bin/stat", "-c", "%a", path)).ok().stdout.strip()


@pytest.mark.parametrize("options, mode", [(None, "711"), (["mode=700"], "700"), (["size=4k"], "711")])
@pytest.mark.hoy
def test_tmpfs_takes_the_mode_of_what_it_covers(bundle, runtime, options, mode):
    (bundle.rootfs / "covered").mkdir()
    (bundle.rootfs / "covered").chmod(0o711)
    bundle.mount("/covered", "tmpfs", "tmpfs", options)
    assert mode_of(runtime, bundle, "/covered") == mode


@pytest.mark.hoy
def test_tmpfs_on_a_new_directory_is_for_all(bundle, runtime):
    bundle.mount("/new", "tmpfs", "tmpfs")
    assert mode_of(runtime, bundle, "/new") == "1777"


@req("config.mounts.option.tmpcopyup")
@pytest.mark.hoy
def test_tmpcopyup(bundle, runtime):
    bundle.file("/etc/deep/er/file", "content", 0o640)
    os.chown(bundle.rootfs / "etc/deep/er/file", 5, 6)
    (bundle.rootfs / "etc/link").symlink_to("passwd")
    bundle.mount("/etc", "tmpfs", "tmpfs", ["tmpcopyup"]).capabilities("CAP_DAC_OVERRIDE")
    result = runtime.sh(bundle, "stat -c '%a %u %g' /etc/deep/er/file; cat /etc/deep/er/file;"
                                "readlink /etc/link; echo new >/etc/new; rm /etc/passwd")
    assert result.ok().stdout == "640 5 6\ncontentpasswd\n"
    assert (bundle.rootfs / "etc/passwd").exists()
    assert not (bundle.rootfs / "etc/new").exists()


# ---- proc, sysfs, cgroup ----

@req("config.mounts.type.cgroup")
@pytest.mark.parametrize("private", [True, False])
def test_cgroup(bundle, runtime, private):
    if not private:
        bundle.without_namespace("cgroup")
    bundle.mount("/sys/fs/cgroup", "cgroup", "cgroup", ["ro", "nosuid"])
    result = runtime.sh(bundle, "cat /sys/fs/cgroup/cgroup.procs; touch /sys/fs/cgroup/x/y")
    assert result.stdout.split()[0] == "1"
    seen = runtime.probe(bundle)
    mount = seen.mount("/sys/fs/cgroup")
    assert mount.fstype == "cgroup2" and "ro" in mount.options and "nosuid" in mount.options
    assert mount.root in ("/", bundle.linux["cgroupsPath"])


def test_a_cgroup_mount_that_may_be_written(bundle, runtime):
    bundle.mount("/sys/fs/cgroup", "cgroup", "cgroup", ["rw"])
    runtime.sh(bundle, "mkdir /sys/fs/cgroup/mine && echo $$ >/sys/fs/cgroup/mine/cgroup.procs").ok()


def test_sysfs_in_a_user_namespace(bundle, runtime):
    """With the host's network namespace the kernel refuses a new sysfs: the host's is bound."""
    bundle.user_namespace().without_namespace("network")
    bundle.mount("/sys", "sysfs", "sysfs", ["nosuid", "noexec", "nodev", "ro"])
    bundle.sh("cat /proc/self/mountinfo; echo 1 >/sys/fs/cgroup/cgroup.max.depth || echo refused")
    *lines, last = runtime.run(bundle).ok().stdout.splitlines()
    mounts = [mount for mount in map(Mount.parse, lines) if f"{mount.point}/".startswith("/sys/")]
    assert mounts[0].fstype == "sysfs" and mounts[0].root == "/" and "/sys/fs/cgroup" in [
        mount.point for mount in mounts]
    assert {"ro", "nosuid", "noexec", "nodev"} <= set(mounts[0].options)
    assert not [mount for mount in mounts if "ro" not in mount.options]
    assert last == "refused"


def test_modes_of_what_is_mounted(bundle, runtime):
    """Nothing that is made before or after changes them, nor those of what they cover."""
    for name, mode in (("proc", 0o700), ("shm", 0o711), ("tmp", 0o1777)):
        (bundle.rootfs / name).mkdir(exist_ok=True)
        (bundle.rootfs / name).chmod(mode)
    bundle.mount("/dev/shm", "tmpfs", "shm", ["nosuid", "noexec", "nodev", "mode=1777"])
    bundle.mount("/shm", "tmpfs", "shm").mount("/new", "tmpfs", "new")
    bundle.linux["maskedPaths"] = ["/proc/version"]
    bundle.linux["readonlyPaths"] = ["/proc/sys"]
    seen = runtime.sh(bundle, "stat -c %a /proc /dev/shm /shm /new").ok().stdout.split()
    assert seen == ["555", "1777", "711", "1777"]
    assert [oct((bundle.rootfs / name).stat().st_mode & 0o7777) for name in ("proc", "shm", "tmp")] == [
        "0o700", "0o711", "0o1777"]


@pytest.mark.hoy
@pytest.mark.parametrize("destination", ["/proc/self/attr", "/proc/sys/kernel", "/proc/1", "/proc/misc"])
def test_nothing_foreign_on_procfs(bundle, runtime, data, destination):
    source = data / "file" if destination == "/proc/misc" else data
    bundle.bind(source, destination)
    runtime.refuses(bundle, "mounts[3]", destination)


@pytest.mark.hoy
def test_a_tmpfs_on_proc_is_refused(bundle, runtime):
    bundle.unmount("/proc").mount("/proc", "tmpfs", "tmpfs")
    runtime.refuses(bundle, "mounts[2]", "/proc")


@pytest.mark.hoy
@pytest.mark.parametrize("name", ["cpuinfo", "meminfo", "stat", "uptime", "loadavg", "swaps",
                                  "diskstats", "slabinfo"])
def test_what_lxcfs_covers(bundle, runtime, data, name):
    bundle.bind(data / "file", f"/proc/{name}")
    if name == "slabinfo" and not os.path.exists("/proc/slabinfo"):
        pytest.skip("this kernel has no /proc/slabinfo")
    assert runtime.sh(bundle, f"cat /proc/{name}").ok().stdout == "content"


@pytest.mark.hoy
def test_the_hosts_proc_bound_for_the_hosts_pid_namespace(bundle, runtime):
    bundle.without_namespace("pid").unmount("/proc")
    bundle.config["mounts"].insert(0, {"destination": "/proc", "source": "/proc",
                                       "options": ["rbind", "nosuid", "nodev", "noexec"]})
    runtime.probe(bundle)


# ---- id maps ----

def owner_inside(runtime, bundle, path="/t/file"):
    return runtime.run(bundle.args("/bin/stat", "-c", "%u %g", path)).ok().stdout.strip()


def maps(uid, gid):
    return {"uidMappings": [{"containerID": 0, "hostID": uid, "size": 10}],
            "gidMappings": [{"containerID": 0, "hostID": gid, "size": 10}]}


@req("config.mounts.option.idmap", "config.mounts.uidMappings.effect",
     "config.mounts.gidMappings.effect")
@pytest.mark.hoy
def test_idmap(bundle, runtime, data):
    os.chown(data / "file", 1, 2)
    bundle.bind(data, "/t", "idmap", **maps(1000, 500))
    assert owner_inside(runtime, bundle) == "1001 502"
    status = (data / "file").stat()
    assert (status.st_uid, status.st_gid) == (1, 2)


@req("config.mounts.mappings.with-idmap-option")
@pytest.mark.hoy
def test_mappings_without_the_option_are_not_ignored(bundle, runtime, data):
    bundle.bind(data, "/t", **maps(1000, 500))
    assert owner_inside(runtime, bundle) == "1000 500"


@req("config.mounts.option.idmap", "config.mounts.option.ridmap")
@pytest.mark.hoy
@pytest.mark.parametrize("option, below", [("idmap", "0 0"), ("ridmap", "1000 500")])
def test_ridmap_reaches_the_mounts_below(bundle, runtime, data, scratch, option, below):
    """A bind: tmpfs has mapped ids only since Linux 6.3."""
    (data / "sub").mkdir()
    (scratch / "other").mkdir()
    subprocess.run(["mount", "--bind", scratch / "other", data / "sub"], check=True)
    try:
        (data / "sub/file").touch()
        bundle.bind(data, "/t", "rbind", option, **maps(1000, 500))
        assert owner_inside(runtime, bundle, "/t/file") == "1000 500"
        assert owner_inside(runtime, bundle, "/t/sub/file") == below
    finally:
        subprocess.run(["umount", data / "sub"], check=True)


@req("config.mounts.option.idmap.own-mappings")
@pytest.mark.hoy
def test_the_mounts_own_mappings_come_before_the_containers(bundle, runtime, data):
    """On disk 0; the mount says that this is the host's 102000, which is the container's 2000."""
    bundle.user_namespace().bind(data, "/t", "idmap", **maps(102000, 102000))
    assert owner_inside(runtime, bundle) == "2000 2000"


@req("config.mounts.option.idmap.default-userns")
@pytest.mark.hoy
def test_idmap_by_the_containers_mappings(bundle, runtime, data):
    bundle.user_namespace().bind(data, "/t", "idmap")
    assert owner_inside(runtime, bundle) == "0 0"


@req("config.mounts.option.idmap.no-userns-error")
@pytest.mark.hoy
def test_idmap_without_any_mappings(bundle, runtime, data):
    bundle.bind(data, "/t", "idmap")
    runtime.refuses(bundle, "mounts[3]", "idmap")


@req("config.mounts.mappings.both")
@pytest.mark.hoy
@pytest.mark.parametrize("missing", ["uidMappings", "gidMappings"])
def test_only_one_of_the_mappings(bundle, runtime, data, missing):
    mappings = maps(1000, 500)
    del mappings[missing]
    bundle.bind(data, "/t", "idmap", **mappings)
    runtime.refuses(bundle, "mounts[3]", missing)


@req("config.mounts.mappings.format")
@pytest.mark.hoy
def test_a_mapping_without_size(bundle, runtime, data):
    mappings = maps(1000, 500)
    del mappings["uidMappings"][0]["size"]
    bundle.bind(data, "/t", "idmap", **mappings)
    runtime.refuses(bundle, "mounts[3].uidMappings[0]", "size")


@req("config.mounts.mappings.unsupported-fs")
@pytest.mark.hoy
def test_idmap_of_a_file_system_that_cannot(bundle, runtime):
    bundle.bind("/proc/sys", "/t", "idmap", **maps(1000, 500))
    runtime.refuses(bundle, "mounts[3]", "Invalid argument")


# ---- defaults ----

@req("linux.default-fs.proc", "linux.default-fs.sys", "linux.default-fs.dev-pts",
     "linux.default-fs.dev-shm")
def test_the_configuration_of_spec(bundle, runtime):
    """`spec` in an empty directory; the bundle runs after no more than another program is named."""
    import json
    (bundle.path / "config.json").unlink(missing_ok=True)
    runtime("spec", cwd=bundle.path).ok()
    runtime("spec", cwd=bundle.path).fails("config.json", "exists")
    cgroups_path = bundle.linux["cgroupsPath"]
    bundle.config = json.loads((bundle.path / "config.json").read_text())
    assert bundle.process["terminal"] is True and bundle.process["args"] == ["sh"]
    bundle.process["terminal"] = False
    bundle.linux["cgroupsPath"] = cgroups_path
    seen = runtime.probe(bundle)
    types = {mount.point: mount.fstype for mount in seen.mounts()}
    assert types["/proc"] == "proc" and types["/sys"] == "sysfs"
    assert types["/dev/pts"] == "devpts" and types["/dev/shm"] == "tmpfs"
    assert "ro" in seen.mount("/").options
    assert seen["no_new_privileges"] == 1
    assert seen["rlimits"]["NOFILE"] == [1024, 1024]
