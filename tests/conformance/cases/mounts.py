"""config.md, mounts: order, sources, destinations, types."""

import os
import socket

from suite import case, has, same


def data(t):
    path = t.scratch / "data"
    path.mkdir()
    (path / "file").write_text("content")
    return path


@case("config.mounts.order", "config.mounts.mount2")
def in_order(t):
    """What the kernel's list says about order is who is whose parent."""
    t.bundle.mount("/a", "tmpfs", "one").mount("/a/b", "tmpfs", "two").mount("/a/b", "tmpfs", "three")
    seen = {mount.source: mount for mount in t.probe("mountinfo").mounts()}
    same([seen[name].point for name in ("one", "two", "three")], ["/a", "/a/b", "/a/b"])
    same(seen["two"].parent, seen["one"].id, "parent of the second")
    same(seen["three"].parent, seen["two"].id, "parent of the third")


@case("config.mounts.order")
def a_later_one_covers_an_earlier_one(t):
    t.bundle.bind(data(t), "/a/b").mount("/a", "tmpfs", "cover")
    same(t.sh("ls /a"), "")


@case("config.mounts.optional")
def no_mounts(t):
    del t.config["mounts"]
    t.bundle.args("/bin/echo", "ok")
    same(t.runtime.run(t.bundle).ok().stdout, "ok\n")


@case("config.mounts.destination.created")
def missing_destinations(t):
    source = data(t)
    t.bundle.mount("/no/such/dir", "tmpfs", "tmpfs").bind(source / "file", "/no/such/file")
    t.bundle.bind(source, "/no/such/data")
    same(t.sh("cat /no/such/file /no/such/data/file; ls -d /no/such/dir"),
         "contentcontent/no/such/dir\n")


@case("config.mounts.destination.inside", each={"absolute": "/tmp", "up": "../../../../tmp"})
def destination_through_a_link(t, target):
    name = f"made-{os.getpid()}-{t.scratch.name}"
    (t.bundle.rootfs / "x").symlink_to(target)
    t.bundle.mount(f"/x/{name}", "tmpfs", "tmpfs")
    t.runs()
    assert not os.path.exists(f"/tmp/{name}"), "it has been made on the host"
    assert (t.bundle.rootfs / "tmp" / name).is_dir(), "it has not been made inside"


@case("config.mounts.destination.relative")
def relative_destination(t):
    t.bundle.mount("data", "tmpfs", "tmpfs")
    same(t.probe("mountinfo").mount("/data").fstype, "tmpfs")


@case("config.mounts.source.optional", "config.mounts.options.optional")
def no_source(t):
    t.bundle.mount("/t", "tmpfs")
    same(t.probe("mountinfo").mount("/t").fstype, "tmpfs")


@case("config.mounts.source.kinds")
def sources(t):
    source = data(t)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(source / "socket"))
        for name in ("file", "socket"):
            t.bundle.bind(source / name, f"/b/{name}")
        t.bundle.bind("/dev/null", "/b/null").bind(source, "/b/dir").mount("/b/t", "tmpfs", "whatever")
        words = t.sh("cd /b; for f in *; do stat -c %F $f; done; mount | grep -c ^whatever")
    same(words.splitlines(), ["directory", "regular file", "character special file", "socket",
                              "directory", "1"])


@case("config.mounts.source.bind-relative")
def relative_source(t):
    (t.bundle.path / "vol").mkdir()
    (t.bundle.path / "vol/file").write_text("content")
    t.bundle.mount("/v", "bind", "vol", ["bind"])
    same(t.sh("cat /v/file"), "content")


@case("config.mounts.bind-by-option", "config.mounts.type.bind-dummy", "config.mounts.type.optional",
      each={"none": ("none", "rbind"), "other": ("xyz", "bind"), "absent": (None, "rbind")})
def a_bind_by_its_options(t, fstype, option):
    t.bundle.mount("/v", fstype, str(data(t)), [option])
    same(t.sh("cat /v/file"), "content")


@case("config.mounts.bind-by-option")
def no_bind_by_its_type(t):
    t.bundle.mount("/v", "bind", str(data(t)), [])
    t.refused()


TYPES = {"proc": [], "sysfs": ["ro"], "tmpfs": [], "mqueue": [], "devpts": ["newinstance"]}


@case("config.mounts.type.kernel", each={name: (name, options) for name, options in TYPES.items()})
def types(t, name, options):
    t.bundle.mount("/t" if name != "proc" else "/proc", name, name, options)
    seen = t.probe("mountinfo").mounts("/t" if name != "proc" else "/proc")
    same(seen[-1].fstype, name)


@case("config.mounts.type.kernel")
def overlay(t):
    for name in ("lower", "upper", "work"):
        (t.scratch / name).mkdir()
    (t.scratch / "lower/file").write_text("content")
    t.bundle.mount("/o", "tmpfs", "tmpfs")
    t.config["mounts"][-1] = {"destination": "/o", "type": "overlay", "source": "overlay", "options": [
        f"{name}dir={t.scratch / name}" for name in ("lower", "upper", "work")]}
    same(t.sh("cat /o/file"), "content")


@case("config.mounts.type.cgroup", each={"namespace": True, "none": False})
def cgroup(t, has_namespace):
    if not has_namespace:
        t.bundle.without_namespace("cgroup")
    t.bundle.mount("/sys/fs/cgroup", "cgroup", "cgroup", ["ro"])
    same(t.probe("mountinfo").mount("/sys/fs/cgroup").fstype, "cgroup2")
    t.sh("cat /sys/fs/cgroup/cgroup.controllers")
    if has_namespace:
        t.sh("grep -qx $$ /sys/fs/cgroup/cgroup.procs")


@case("linux.default-fs.proc", "linux.default-fs.sys", "linux.default-fs.dev-pts",
      "linux.default-fs.dev-shm")
def default_file_systems(t):
    t.bundle.mount("/sys", "sysfs", "sysfs", ["nosuid", "noexec", "nodev", "ro"])
    t.bundle.mount("/dev/shm", "tmpfs", "shm", ["nosuid", "noexec", "nodev", "mode=1777", "size=64m"])
    seen = t.probe("mountinfo")
    for point, fstype in (("/proc", "proc"), ("/sys", "sysfs"), ("/dev/pts", "devpts"),
                          ("/dev/shm", "tmpfs")):
        same(seen.mount(point).fstype, fstype, point)
    same(t.sh("stat -c %a /dev/shm"), "1777\n")


@case("config.mounts.options.unknown-data", "config.mounts.mount2")
def data_for_the_file_system(t):
    t.bundle.mount("/t", "tmpfs", "name", ["size=64k", "mode=1711", "uid=5", "nr_inodes=100"])
    mount = t.probe("mountinfo").mount("/t")
    same(mount.source, "name")
    for word in ("size=64k", "mode=1711", "uid=5", "nr_inodes=100"):
        has(word, mount.super_options)
