"""`mounts add` and `mounts remove`: what a running container sees, and what is left of a failure."""

import contextlib
import json
import os
import subprocess

import pytest

from runtime import Mount, wait_until

pytestmark = pytest.mark.hoy


@pytest.fixture
def change(scratch):
    """Runs `mounts add` or `mounts remove` with these entries."""

    def run(container, verb, *entries, text=None):
        file = scratch / "mounts.json"
        file.write_text(json.dumps(list(entries)) if text is None else text)
        return container.runtime("mounts", verb, container.id, file)

    return run


def tmpfs(destination, *options):
    return {"destination": destination, "type": "tmpfs", "source": "tmpfs", "options": list(options)}


def bind(source, destination, *options):
    return {"destination": destination, "source": str(source), "options": ["bind", *options]}


def mounts(container, point=None):
    found = [Mount.parse(line) for line in container.proc("mountinfo").read_text().splitlines()]
    return [mount for mount in found if point in (None, mount.point)]


def same(container):
    """All that can be told apart of the container's mounts."""
    return container.proc("mountinfo").read_text()


@pytest.fixture
def source(scratch):
    path = scratch / "source"
    path.mkdir()
    (path / "file").write_text("of the host")
    return path


@contextlib.contextmanager
def mounted(path, fstype="tmpfs", options="rw"):
    path.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", fstype, "-o", options, fstype, path], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "-R", path], check=True)


# ---- adding ----

def test_a_tmpfs(bundle, runtime, change):
    with runtime.sleeping(bundle) as container:
        change(container, "add", tmpfs("/new/deep", "size=64k", "mode=750", "nosuid", "noexec")).silent()
        mount, = mounts(container, "/new/deep")
        assert mount.fstype == "tmpfs" and "size=64k" in mount.super_options
        assert {"nosuid", "noexec"} <= set(mount.options) and mount.peers == []
        result = container.exec("--", "/bin/sh", "-c", "stat -c %a /new/deep; echo x >/new/deep/x").ok()
        assert result.stdout == "750\n"
        assert os.listdir(bundle.rootfs / "new/deep") == []
        change(container, "remove", {"destination": "/new/deep"}).silent()
        assert mounts(container, "/new/deep") == []


@pytest.mark.parametrize("options", [[], ["ro"], ["ro", "nosuid", "noexec", "noatime"]])
def test_a_directory_of_the_host(bundle, runtime, change, source, options):
    with runtime.sleeping(bundle) as container:
        before = same(container)
        change(container, "add", bind(source, "/data", *options)).silent()
        mount, = mounts(container, "/data")
        assert set(options) <= set(mount.options) and mount.peers == []
        script = "cat /data/file; touch /data/made"
        result = container.exec("--", "/bin/sh", "-c", script)
        assert result.stdout == "of the host"
        assert (source / "made").exists() == ("ro" not in options)
        change(container, "remove", bind(source, "/data")).silent()
        assert same(container) == before
        assert (source / "file").read_text() == "of the host"


def test_a_file_of_the_host(bundle, runtime, change, source):
    with runtime.sleeping(bundle) as container:
        change(container, "add", bind(source / "file", "/etc/made", "ro")).silent()
        assert container.exec("--", "cat", "/etc/made").ok().stdout == "of the host"
        change(container, "remove", bind(source / "file", "/etc/made")).silent()
        assert container.exec("--", "cat", "/etc/made").ok().stdout == ""


def test_what_is_mounted_below_a_source(bundle, runtime, change, source):
    with mounted(source / "sub") as sub, runtime.sleeping(bundle) as container:
        (sub / "inner").write_text("inner")
        before = same(container)
        change(container, "add", {**bind(source, "/data"), "options": ["rbind", "rro"]}).silent()
        assert container.exec("--", "cat", "/data/sub/inner").ok().stdout == "inner"
        assert all("ro" in mounts(container, point)[0].options for point in ("/data", "/data/sub"))
        change(container, "remove", bind(source, "/data")).silent()
        assert same(container) == before


def test_several_in_their_order(bundle, runtime, change, source):
    entries = [tmpfs("/data", "ro"), bind(source, "/data/host"), tmpfs("/data/host/../tmp"),
               bind(source, "/twice"), tmpfs("/twice")]
    with runtime.sleeping(bundle) as container:
        before = same(container)
        change(container, "add", *entries).silent()
        points = sorted(mount.point for mount in mounts(container) if mount.point[:3] in ("/da", "/tw"))
        assert points == ["/data", "/data/host", "/data/tmp", "/twice", "/twice"]
        assert "ro" in mounts(container, "/data")[0].options
        change(container, "remove", *entries).silent()
        assert same(container) == before


@pytest.mark.parametrize("status", ["created", "paused"])
def test_in_a_container_that_does_not_run_just_now(bundle, runtime, change, source, status):
    bundle.sh("cat /data/file; sleep 1000")
    with runtime.created(bundle) as container:
        if status == "paused":
            container.start().ok()
            runtime("pause", "c1").ok()
        change(container, "add", bind(source, "/data")).silent()
        assert container.status == status
        assert len(mounts(container, "/data")) == 1
        if status == "created":
            container.start().ok()
            wait_until(lambda: container.output == "of the host", "the program to see it")
        else:
            runtime("resume", "c1").ok()


def test_relative_sources_are_those_of_the_bundle(bundle, runtime, change):
    (bundle.path / "volume").write_text("beside")
    with runtime.sleeping(bundle) as container:
        change(container, "add", bind("volume", "/volume")).silent()
        assert container.exec("--", "cat", "/volume").ok().stdout == "beside"
        change(container, "remove", bind("volume", "/volume")).silent()


def test_contents_are_copied_up(bundle, runtime, change):
    with runtime.sleeping(bundle) as container:
        change(container, "add", tmpfs("/etc", "tmpcopyup")).silent()
        result = container.exec("--", "/bin/sh", "-c", "echo x >>/etc/passwd; cat /etc/group").ok()
        assert "tty" in result.stdout
        assert "\nx\n" not in (bundle.rootfs / "etc/passwd").read_text()


def layers(bundle, length):
    """An overlay of directories of the host; the file `seen` is in one of them."""
    paths = [bundle.path / f"{'l' * length}{number}" for number in range(3)]
    for path in paths:
        path.mkdir()
    (paths[1] / "seen").write_text("seen")
    return {"destination": "/mnt", "type": "overlay", "source": "overlay",
            "options": ["lowerdir=" + ":".join(map(str, paths))]}


@pytest.mark.parametrize("length", [1, 120])
def test_an_overlay_of_what_the_host_has(bundle, runtime, change, length):
    """Paths of options are the host's; the longer ones are more than fsconfig takes at once."""
    entry = layers(bundle, length)
    with runtime.sleeping(bundle) as container:
        result = change(container, "add", entry)
        if length > 1 and os.environ.get("HOY_KERNEL") == "5.14":
            result.fails("mounts[0]", "255 bytes")
            return
        result.silent()
        assert container.exec("--", "cat", "/mnt/seen").ok().stdout == "seen"
        change(container, "remove", {"destination": "/mnt"}).silent()


def test_options_longer_than_the_kernel_takes(bundle, runtime, change):
    with runtime.sleeping(bundle) as container:
        change(container, "add", tmpfs("/x", "nr_inodes=" + "1" * 300)).fails("mounts[0]", "255 bytes")


def test_below_links_of_the_container(bundle, runtime, change, source, scratch):
    """They lead where they lead inside; removal wants the place itself."""
    os.symlink(f"../../../../{scratch}", bundle.rootfs / "link")
    (bundle.rootfs / str(scratch)[1:]).mkdir(parents=True)
    with runtime.sleeping(bundle) as container:
        change(container, "add", bind(source, "/link/data")).silent()
        point = f"{scratch}/data"
        assert len(mounts(container, point)) == 1 and not (scratch / "data").exists()
        change(container, "remove", bind(source, "/link/data")).fails("mounts[0]", "/link/data")
        change(container, "remove", bind(source, point)).silent()


def test_nothing_is_shared_with_the_host(bundle, runtime, change, source):
    with mounted(source), runtime.sleeping(bundle.capabilities("CAP_SYS_ADMIN")) as container:
        subprocess.run(["mount", "--make-shared", source], check=True)
        (source / "sub").mkdir()
        change(container, "add", bind(source, "/data")).silent()
        mount, = mounts(container, "/data")
        assert not any(peer.startswith("shared:") for peer in mount.peers)
        container.exec("--", "mount", "-t", "tmpfs", "x", "/data/sub").ok()
        assert f"{source}/sub" not in open("/proc/self/mountinfo", encoding="ascii").read()


# ---- user namespaces ----

def test_flags_of_the_host_stay_locked_in_a_user_namespace(bundle, runtime, change, source):
    bundle.user_namespace().capabilities("CAP_SYS_ADMIN", "CAP_SETUID", "CAP_DAC_OVERRIDE")
    with mounted(source, options="ro,nosuid,nodev"), runtime.sleeping(bundle) as container:
        change(container, "add", bind(source, "/data", "rw"), tmpfs("/own", "mode=755")).silent()
        mount, = mounts(container, "/data")
        assert {"ro", "nosuid", "nodev"} <= set(mount.options)
        own = "stat -c %u:%g /own; touch /own/x && mount -o remount,bind,ro /own && touch /own/y"
        result = container.exec("--", "/bin/sh", "-c", own)
        assert result.stdout == "0:0\n" and "Read-only file system" in result.stderr
        result = container.exec("--", "mount", "-o", "remount,bind,rw", "/data")
        assert result.status != 0 and "ermission denied" in result.stderr, result
        change(container, "remove", bind(source, "/data"), tmpfs("/own")).silent()
        assert mounts(container, "/data") == mounts(container, "/own") == []


def test_a_mount_that_covers_a_secret_stays_in_a_user_namespace(bundle, runtime, change, source):
    (source / "secret").mkdir()
    (source / "secret/key").write_text("key")
    bundle.user_namespace().capabilities("CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE")
    with mounted(source / "secret"), runtime.sleeping(bundle) as container:
        change(container, "add", {**bind(source, "/data"), "options": ["rbind"]}).silent()
        script = "umount /data/secret; umount -l /data/secret; cat /data/secret/key"
        result = container.exec("--", "/bin/sh", "-c", script)
        assert result.status != 0 and "key" not in result.stdout, result
        # Without what is mounted below the kernel refuses to show what lies there.
        change(container, "add", bind(source, "/bare")).fails("mounts[0]", "Invalid argument")
        assert mounts(container, "/bare") == []


def test_mapped_ids(bundle, runtime, change, source):
    os.chown(source / "file", 1000, 1000)
    entry = bind(source, "/data", "idmap")
    ids = [{"containerID": 1000, "hostID": 0, "size": 1}]
    with runtime.sleeping(bundle) as container:
        mapped = {**entry, "uidMappings": ids, "gidMappings": ids}
        change(container, "add", mapped).silent()
        assert container.exec("--", "stat", "-c", "%u:%g", "/data/file").ok().stdout == "0:0\n"


def test_mapped_ids_in_a_user_namespace(bundle, runtime, change, source):
    os.chown(source / "file", 7, 7)
    bundle.user_namespace()
    with runtime.sleeping(bundle) as container:
        change(container, "add", bind(source, "/data", "idmap")).silent()
        assert container.exec("--", "stat", "-c", "%u:%g", "/data/file").ok().stdout == "7:7\n"
        change(container, "remove", {"destination": "/data"}).silent()


# ---- what is refused, and leaves nothing ----

@pytest.mark.parametrize("entry, words", [
    ({"destination": "/", "type": "tmpfs"}, ["mounts[0]", "root"]),
    ({"destination": "/x/../..", "type": "tmpfs"}, ["mounts[0]", "root"]),
    ({"destination": "/x", "type": "proc"}, ["mounts[0]", "proc"]),
    ({"destination": "/proc", "type": "tmpfs"}, ["mounts[0]", "/proc"]),
    ({"destination": "/proc/sys", "type": "tmpfs"}, ["mounts[0]", "/proc"]),
    ({"destination": "/tmp", "options": ["remount", "ro"]}, ["mounts[0]", "remount"]),
    ({"destination": "/x", "type": "nosuchfs"}, ["mounts[0]", "nosuchfs"]),
    ({"destination": "/x", "type": "tmpfs", "options": ["size=x"]}, ["mounts[0]", "size"]),
    ({"destination": "/x"}, ["mounts[0].type", "missing"]),
    ({"destination": "/x", "options": ["bind"]}, ["mounts[0].source", "missing"]),
    ({"destination": "/x", "options": ["bind"], "source": "/no/such"}, ["mounts[0]", "/no/such"]),
    ({"destination": "/x", "type": "tmpfs", "options": 1}, ["mounts[0].options", "list"]),
    ({"type": "tmpfs"}, ["mounts[0].destination", "missing"]),
    ({"destination": "/etc/passwd/x", "type": "tmpfs"}, ["mounts[0]", "/etc/passwd/x"]),
], ids=str)
def test_entries_that_are_refused(bundle, runtime, change, entry, words):
    with runtime.sleeping(bundle) as container:
        before = same(container)
        change(container, "add", entry).fails(*words)
        change(container, "add", tmpfs("/good"), entry).fails(*[w.replace("[0]", "[1]") for w in words])
        assert same(container) == before
        assert container.status == "running"


@pytest.mark.parametrize("text, words", [
    ("{}", ["mounts", "list"]), ('{"mounts": []}', ["mounts", "list"]), ("[1]", ["mounts[0]", "object"]),
    ("[", ["mounts.json:1:", "end of file"]), ("", ["mounts.json:1:1", "end of file"])])
def test_files_that_are_no_list_of_mounts(bundle, runtime, change, text, words):
    with runtime.sleeping(bundle) as container:
        for verb in ("add", "remove"):
            change(container, verb, text=text).fails(*words)


def test_an_empty_list(bundle, runtime, change):
    with runtime.sleeping(bundle) as container:
        before = same(container)
        change(container, "add").silent()
        change(container, "remove").silent()
        assert same(container) == before


def test_a_failure_takes_out_what_was_put_in(bundle, runtime, change, source):
    os.symlink("/nowhere/at/all", bundle.rootfs / "dangling")
    entries = [bind(source, "/data"), tmpfs("/data2", "ro"), tmpfs("/data2/inner"),
               bind(source / "file", "/tmp/file"), tmpfs("/dangling")]
    with runtime.sleeping(bundle) as container:
        before = same(container)
        change(container, "add", *entries).fails("mounts[4]", "/dangling")
        assert same(container) == before


def test_mounts_of_the_host_itself_are_refused(bundle, runtime, change, source):
    bundle.without_namespace("mount")
    with runtime.sleeping(bundle) as container:
        before = open("/proc/self/mountinfo", encoding="ascii").read()
        for verb in ("add", "remove"):
            change(container, verb, tmpfs("/x")).fails("c1", "mount namespace")
        assert open("/proc/self/mountinfo", encoding="ascii").read() == before


def test_only_of_a_container_that_lives(bundle, runtime, change, scratch):
    with runtime.running(bundle.sh("exit 0")) as container:
        container.wait()
        for verb in ("add", "remove"):
            change(container, verb, tmpfs("/x")).fails("container not running")
    for verb in ("add", "remove"):
        runtime("mounts", verb, "c1", scratch / "mounts.json").fails("c1", "does not exist")


def test_wrong_usage(bundle, runtime, scratch):
    runtime("mounts", "change", "c1", "/dev/null").fails("usage: ")
    runtime("mounts", "add", "c1").fails("usage: ")
    with runtime.sleeping(bundle):
        runtime("mounts", "add", "c1", scratch / "none").fails(str(scratch / "none"), "no such file")


# ---- removing ----

def test_only_what_is_mounted_can_be_removed(bundle, runtime, change, source):
    other = source / "other"
    other.mkdir()
    with runtime.sleeping(bundle) as container:
        change(container, "add", bind(source, "/data"), tmpfs("/more")).silent()
        before = same(container)
        for entry, words in (({"destination": "/tmp"}, ["/tmp", "nothing is mounted"]),
                             ({"destination": "/no/such"}, ["/no/such", "no such file"]),
                             (bind(other, "/data"), ["/data", str(other)]),
                             ({"destination": "/"}, ["root"]),
                             ({"destination": "/data/other"}, ["nothing is mounted"])):
            change(container, "remove", tmpfs("/more"), entry).fails("mounts[1]", *words)
            assert same(container) == before
        change(container, "remove", {"destination": "/data"}, {"destination": "/more"}).silent()


def test_a_mount_of_the_configuration_can_be_removed(bundle, runtime, change, source):
    bundle.bind(source, "/volume")
    with runtime.sleeping(bundle) as container:
        change(container, "remove", bind(source, "/volume")).silent()
        assert mounts(container, "/volume") == []
        container.kill("KILL").ok()
        container.wait()
        container.delete().ok()


def test_a_mount_in_use_can_be_removed(bundle, runtime, change, source):
    bundle.sh("while [ ! -e /data/file ]; do sleep 0.05; done; cd /data; echo in; exec sleep 1000")
    with runtime.running(bundle) as container:
        change(container, "add", bind(source, "/data")).silent()
        wait_until(lambda: container.output == "in\n", "the program to be in it")
        change(container, "remove", bind(source, "/data")).silent()
        assert mounts(container, "/data") == []
        assert container.status == "running"


# ---- other callers ----

def test_without_pivot(bundle, runtime, change, source):
    with runtime.sleeping(bundle, "--no-pivot") as container:
        change(container, "add", bind(source, "/data")).silent()
        assert container.exec("--", "cat", "/data/file").ok().stdout == "of the host"
        change(container, "remove", bind(source, "/data")).silent()


def test_without_other_namespaces(bundle, runtime, change, source):
    bundle.without_namespace("pid", "network", "ipc", "uts", "cgroup")
    with runtime.sleeping(bundle) as container:
        change(container, "add", bind(source, "/data"), tmpfs("/new")).silent()
        assert container.exec("--", "cat", "/data/file").ok().stdout == "of the host"


def test_file_systems_show_the_namespaces_of_the_container(bundle, runtime, change):
    with runtime.sleeping(bundle) as container:
        change(container, "add", {"destination": "/new", "type": "sysfs"},
               {"destination": "/queues", "type": "mqueue"},
               {"destination": "/cg", "type": "cgroup"}).silent()
        assert container.exec("--", "ls", "/new/class/net").ok().stdout == "lo\n"
        mount, = mounts(container, "/cg")
        assert mount.fstype == "cgroup2"
        inside = container.exec("--", "cat", "/cg/cgroup.procs").ok().stdout.split()
        assert "1" in inside


def test_namespaces_of_several_owners(bundle, runtime, change, source):
    """A network namespace of the host's is joined while the process still has the rights to."""
    bundle.user_namespace().namespace("network", f"/proc/{os.getpid()}/ns/net")
    with runtime.sleeping(bundle) as container:
        change(container, "add", bind(source, "/data"), tmpfs("/new")).silent()
        assert container.exec("--", "cat", "/data/file").ok().stdout == "of the host"
        change(container, "remove", bind(source, "/data"), tmpfs("/new")).silent()


def test_volumes_of_both_directions(bundle, runtime, change, source):
    """rshared under a shared root: what is mounted inside appears on the host, as from create."""
    bundle.linux["rootfsPropagation"] = "rshared"
    bundle.capabilities("CAP_SYS_ADMIN")
    with mounted(source):
        subprocess.run(["mount", "--make-shared", source], check=True)
        (source / "sub").mkdir()
        with runtime.sleeping(bundle) as container:
            change(container, "add", bind(source, "/data", "rshared")).silent()
            assert any(peer.startswith("shared:") for peer in mounts(container, "/data")[0].peers)
            container.exec("--", "mount", "-t", "tmpfs", "x", "/data/sub").ok()
            with open("/proc/self/mountinfo", encoding="ascii") as file:
                assert f" {source}/sub " in file.read()
            container.exec("--", "umount", "/data/sub").ok()


def test_two_at_once(bundle, runtime, change, scratch):
    """One after the other, under the container's lock."""
    with runtime.sleeping(bundle) as container:
        before = same(container)
        for verb in ("add", "remove"):
            processes = []
            for number in range(4):
                file = scratch / f"{number}.json"
                file.write_text(json.dumps([tmpfs(f"/new/{number}")]))
                processes.append(runtime.popen("mounts", verb, "c1", file))
            for process in processes:
                runtime.finish(process).silent()
        assert same(container) == before
