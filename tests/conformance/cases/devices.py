"""config-linux.md, devices and default devices, allowed device list; runtime-linux.md, links."""

import os
import stat

from suite import Skip, case, same

DEFAULTS = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9),
            "tty": (5, 0)}
LINKS = {"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1",
         "stderr": "/proc/self/fd/2"}


def device(path, kind="c", major=1, minor=3, **more):
    return {"path": path, "type": kind, "major": major, "minor": minor, **more}


def seen(t, *devices):
    t.linux["devices"] = list(devices)
    return t.probe("devices")["devices"]


@case("linux.default-devices.{}", each={name: (name, *numbers) for name, numbers in DEFAULTS.items()})
def default(t, name, major, minor):
    """On a new /dev, with every device denied."""
    t.linux["resources"] = {"devices": [{"allow": False, "access": "rwm"}]}
    found = seen(t)[f"/dev/{name}"]
    same((found["type"], found["rdev"], found["mode"]), ("c", [major, minor], 0o666))
    if name != "tty":  # which nobody has here
        same(t.call(("open", f"/dev/{name}", os.O_RDONLY)), [""])


@case("linux.default-devices.readonly-dev", each={"root": False, "user": True})
def defaults_elsewhere(t, user_namespace):
    if user_namespace:
        t.bundle.user_namespace()
    else:
        t.bundle.unmount("/dev", "/dev/pts")
    found = seen(t)
    for name, numbers in DEFAULTS.items():
        same(found[f"/dev/{name}"]["rdev"], list(numbers), name)
    same(t.call(("open", "/dev/null", os.O_RDWR), ("open", "/dev/zero", os.O_RDONLY)), ["", ""])


@case("linux.default-devices.ptmx")
def ptmx(t):
    t.bundle.args("/bin/probe", "pty")
    same(t.runtime.run(t.bundle).ok().stdout, "/dev/pts/0\n")


@case("linux-runtime.devlinks.{}", "linux-runtime.devlinks.after-mounts", each={
    name: (name, target) for name, target in LINKS.items()})
def links(t, name, target):
    found = seen(t)[f"/dev/{name}"]
    same((found["type"], found["target"]), ("l", target))


@case("linux-runtime.devlinks.after-mounts")
def links_on_what_is_mounted_last(t):
    t.bundle.unmount("/proc", "/dev", "/dev/pts").mount("/proc", "proc", "proc")
    t.bundle.mount("/dev", "tmpfs", "tmpfs")
    found = seen(t)
    same({name: found[f"/dev/{name}"]["target"] for name in LINKS}, LINKS)


@case("linux-runtime.devlinks.no-proc")
def no_proc(t):
    t.bundle.unmount("/proc")
    t.runs()


TYPES = {"c": ("c", "c", [1, 3]), "b": ("b", "b", [7, 3]), "u": ("u", "c", [1, 3]), "p": ("p", "p", None)}


@case("linux.devices.available", "linux.devices.type.{}", each=TYPES)
def kinds(t, kind, letter, numbers):
    entry = device("/dev/test", kind, *(numbers or []))
    if not numbers:
        entry = {"path": "/dev/test", "type": "p"}
    found = seen(t, entry)["/dev/test"]
    same(found["type"], letter)
    if numbers:
        same(found["rdev"], numbers)


@case("linux.devices.majorminor")
def fifo_without_numbers(t):
    same(seen(t, {"path": "/dev/fifo", "type": "p"})["/dev/fifo"]["type"], "p")


@case("linux.devices.path.anywhere", "linux.devices.path.required")
def anywhere(t):
    t.linux["devices"] = [device("/opt/x/null")]
    same(t.sh("stat -c '%F %t %T' /opt/x/null"), "character special file 1 3\n")


@case("linux.devices.path.mismatch", each={"file": (), "device": (1, 5)})
def something_else_in_its_place(t, major=None, minor=None):
    t.bundle.unmount("/dev", "/dev/pts")
    path = t.bundle.rootfs / "dev/test"
    if major:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(major, minor))
    else:
        path.write_text("text")
    before = path.lstat()
    t.linux["devices"] = [device("/dev/test")]
    t.refused()
    after = path.lstat()
    same((after.st_ino, after.st_mode, after.st_rdev), (before.st_ino, before.st_mode, before.st_rdev))


@case("linux.devices.path.match")
def the_same_in_its_place(t):
    t.bundle.unmount("/dev", "/dev/pts")
    os.mknod(t.bundle.rootfs / "dev/test", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    same(seen(t, device("/dev/test"))["/dev/test"]["rdev"], [1, 3])


@case("linux.devices.fileMode", each={"0660": 0o660, "0600": 0o600, "0": 0o0, "0777": 0o777})
def mode(t, value):
    t.runtime.wrapper = ["sh", "-c", 'umask 077; exec "$@"', "sh"]
    same(seen(t, device("/dev/test", fileMode=value))["/dev/test"]["mode"], value)


@case("linux.devices.uid", "linux.devices.gid")
def owner(t):
    found = seen(t, device("/dev/test", uid=5, gid=6))["/dev/test"]
    same((found["uid"], found["gid"]), (5, 6))


@case("linux.devices.duplicates")
def one_device_twice(t):
    found = seen(t, device("/dev/one"), device("/dev/two"))
    same((found["/dev/one"]["rdev"], found["/dev/two"]["rdev"]), ([1, 3], [1, 3]))


@case("linux.devices.mechanism", "linux.devices.available")
def in_a_user_namespace(t):
    """Where nobody can make nodes, so that it has to be the host's."""
    needs_fuse()
    t.bundle.user_namespace()
    same(seen(t, device("/dev/fuse", major=10, minor=229))["/dev/fuse"]["rdev"], [10, 229])


# ---- who may use them ----

# Nothing has it by default, and it can be opened without any privilege.
FUSE = {"type": "c", "major": 10, "minor": 229}


def needs_fuse():
    if not os.path.exists("/dev/fuse"):
        raise Skip("no /dev/fuse here")


def uses(t, *rules):
    """With these rules, after one that denies all: errnos of opening it for reading, and writing."""
    needs_fuse()
    t.linux["resources"] = {"devices": [{"allow": False, "access": "rwm"}, *rules]}
    os.mknod(t.bundle.rootfs / "tmp/node", stat.S_IFCHR | 0o666, os.makedev(10, 229))
    return t.call(("open", "/tmp/node", os.O_RDONLY), ("open", "/tmp/node", os.O_WRONLY))


@case("linux.devices.only-listed", "linux.resources.devices.v2", "linux.resources.devices.type")
def denied(t):
    same(uses(t), ["EPERM", "EPERM"])


@case("linux.resources.devices.access", each={"r": ("r", ["", "EPERM"]), "w": ("w", ["EPERM", ""]),
                                              "m": ("m", ["EPERM", "EPERM"]), "rwm": ("rwm", ["", ""])})
def access(t, letters, expected):
    same(uses(t, {"allow": True, **FUSE, "access": letters}), expected)


@case("linux.resources.devices.order", each={"deny": (False, "EPERM"), "allow": (True, "")})
def the_last_rule_counts(t, last, expected):
    same(uses(t, {"allow": not last, **FUSE, "access": "r"}, {"allow": last, **FUSE, "access": "r"})[0],
         expected)


@case("linux.resources.devices.order")
def one_letter_taken_back(t):
    same(uses(t, {"allow": True, **FUSE, "access": "rwm"}, {"allow": False, **FUSE, "access": "w"}),
         ["", "EPERM"])


@case("linux.resources.devices.majorminor", each={
    "minor": {"type": "c", "major": 10}, "major": {"type": "c", "minor": 229}, "both": {"type": "c"}})
def any_number(t, rule):
    same(uses(t, {"allow": True, **rule, "access": "rw"}), ["", ""])


@case("linux.resources.devices.majorminor", "linux.resources.devices.type", each={
    "type": {"type": "b", "major": 10, "minor": 229}, "major": {"type": "c", "major": 11, "minor": 229},
    "minor": {"type": "c", "major": 10, "minor": 230}})
def another_device(t, rule):
    same(uses(t, {"allow": True, **rule, "access": "rwm"}), ["EPERM", "EPERM"])


@case("linux.resources.devices.defaults-usable")
def defaults_are_usable(t):
    t.linux["resources"] = {"devices": [{"allow": False, "access": "rwm"}]}
    t.sh("echo >/dev/null; head -c 1 /dev/urandom >/dev/null; head -c 1 /dev/zero >/dev/null")
