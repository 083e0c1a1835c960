"""config-linux.md, devices: default ones, configured ones, links, and the rules of the cgroup."""

import contextlib
import os
import stat

import pytest

from runtime import wait_until

req = pytest.mark.req

DEFAULTS = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9),
            "tty": (5, 0)}
LINKS = {"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1",
         "stderr": "/proc/self/fd/2"}


def device(path, kind="c", major=1, minor=3, **more):
    return {"path": path, "type": kind, "major": major, "minor": minor, **more}


def rules(bundle, *entries):
    """Device rules: words such as "allow c 1:3 rwm", "deny a *:* rwm"."""
    bundle.linux["resources"] = {"devices": []}
    for entry in entries:
        verb, kind, numbers, access = entry.split()
        new = {"allow": verb == "allow", "type": kind, "access": access}
        for name, number in zip(("major", "minor"), numbers.split(":")):
            if number != "*":
                new[name] = int(number)
        bundle.linux["resources"]["devices"].append(new)
    return bundle


@req(*(f"linux.default-devices.{name}" for name in DEFAULTS))
@pytest.mark.parametrize("user_namespace", [False, True])
def test_default_devices(bundle, runtime, user_namespace):
    if user_namespace:
        bundle.user_namespace()
    rules(bundle, "deny a *:* rwm")
    devices = runtime.probe(bundle)["devices"]
    for name, number in DEFAULTS.items():
        found = devices[f"/dev/{name}"]
        assert (found["type"], found["mode"], tuple(found["rdev"])) == ("c", 0o666, number)
    known = {*DEFAULTS, *LINKS, "ptmx", "pts", "core"}
    assert {path.split("/")[2] for path in devices} <= known


@req("linux.resources.devices.defaults-usable", *(f"linux.default-devices.{name}" for name in DEFAULTS))
def test_default_devices_work_whatever_the_rules(bundle, runtime):
    rules(bundle, "deny a *:* rwm")
    result = runtime.sh(bundle, "echo x >/dev/null && head -c1 /dev/urandom | wc -c;"
                                "head -c2 /dev/zero | wc -c; head -c1 /dev/random | wc -c;"
                                "echo x >/dev/full; ls /dev/tty")
    assert result.stdout == "1\n2\n1\n/dev/tty\n"
    assert "No space left on device" in result.stderr


@req("linux.default-devices.ptmx")
def test_ptmx(bundle, runtime):
    assert runtime.probe(bundle)["devices"]["/dev/ptmx"]["target"] == "pts/ptmx"
    assert runtime.run(bundle.args("/bin/probe", "pty")).ok().stdout == "/dev/pts/0\n"


@req(*(f"linux-runtime.devlinks.{name}" for name in LINKS), "linux-runtime.devlinks.after-mounts")
def test_links(bundle, runtime):
    devices = runtime.probe(bundle)["devices"]
    assert {name: devices[f"/dev/{name}"]["target"] for name in LINKS} == LINKS


@req("linux-runtime.devlinks.no-proc")
def test_no_proc(bundle, runtime):
    bundle.unmount("/proc")
    assert runtime.run(bundle.args("/bin/echo", "ok")).ok().stdout == "ok\n"


@req("linux.default-devices.readonly-dev")
@pytest.mark.parametrize("user_namespace", [False, True])
@pytest.mark.hoy
def test_default_devices_without_a_mount_on_dev(bundle, runtime, user_namespace):
    bundle.unmount("/dev", "/dev/pts")
    if user_namespace:
        bundle.user_namespace()
    devices = runtime.probe(bundle)["devices"]
    for name, number in DEFAULTS.items():
        assert tuple(devices[f"/dev/{name}"]["rdev"]) == number
    assert runtime.sh(bundle, "echo x >/dev/null && head -c1 /dev/zero | wc -c").ok().stdout == "1\n"


@pytest.mark.hoy
def test_what_was_made_in_the_image_goes_when_create_fails(bundle, runtime):
    bundle.unmount("/dev", "/dev/pts")
    runtime.refuses(bundle.args("/no/such"), "no such file or directory", status=127)
    assert os.listdir(bundle.rootfs / "dev") == []


@pytest.mark.hoy
def test_the_image_has_a_matching_node_already(bundle, runtime):
    bundle.unmount("/dev", "/dev/pts")
    os.mknod(bundle.rootfs / "dev/null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    runtime.sh(bundle, "echo x >/dev/null").ok()


@pytest.mark.hoy
def test_the_image_has_another_file_there(bundle, runtime):
    bundle.unmount("/dev", "/dev/pts")
    (bundle.rootfs / "dev/null").write_text("not it")
    runtime.refuses(bundle, "/dev/null")
    assert (bundle.rootfs / "dev/null").read_text() == "not it"


@pytest.mark.hoy
def test_a_bound_dev_is_left_alone(bundle, runtime, scratch):
    (scratch / "dev").mkdir()
    bundle.unmount("/dev", "/dev/pts")
    bundle.bind(scratch / "dev", "/dev")
    runtime.run(bundle.args("/bin/true")).ok()
    assert os.listdir(scratch / "dev") == []


# ---- configured ----

@req("linux.devices.available", "linux.devices.type.c", "linux.devices.type.b", "linux.devices.type.u",
     "linux.devices.type.p", "linux.devices.majorminor")
def test_types(bundle, runtime):
    bundle.linux["devices"] = [
        device("/dev/fuse", "c", 10, 229), device("/dev/loop0", "b", 7, 0),
        device("/dev/unbuffered", "u", 1, 3), {"path": "/dev/fifo", "type": "p"}]
    devices = runtime.probe(bundle)["devices"]
    assert {name: (devices[f"/dev/{name}"]["type"], devices[f"/dev/{name}"]["rdev"])
            for name in ("fuse", "loop0", "unbuffered", "fifo")} == {
        "fuse": ("c", [10, 229]), "loop0": ("b", [7, 0]), "unbuffered": ("c", [1, 3]),
        "fifo": ("p", [0, 0])}


@req("linux.devices.fileMode", "linux.devices.uid", "linux.devices.gid")
def test_mode_and_owner(bundle, runtime):
    bundle.linux["devices"] = [device("/dev/mine", fileMode=0o660, uid=5, gid=6)]
    found = runtime.probe(bundle, umask=0o77)["devices"]["/dev/mine"]
    assert (found["mode"], found["uid"], found["gid"]) == (0o660, 5, 6)


@req("linux.devices.fileMode")
@pytest.mark.hoy
@pytest.mark.parametrize("mode, seen", [(0o20660, 0o660), (0o60600, 0o600)])
def test_file_type_bits_of_a_mode_are_ignored(bundle, runtime, mode, seen):
    bundle.linux["devices"] = [device("/dev/mine", fileMode=mode)]
    assert runtime.probe(bundle)["devices"]["/dev/mine"]["mode"] == seen


@req("linux.devices.fileMode")
@pytest.mark.hoy
def test_other_bits_of_a_mode_are_refused(bundle, runtime):
    bundle.linux["devices"] = [device("/dev/mine", fileMode=0o4660)]
    runtime.refuses(bundle, "linux.devices[0].fileMode")


@req("linux.devices.path.anywhere", "linux.devices.duplicates", "linux.devices.path.required")
def test_anywhere_and_twice(bundle, runtime):
    bundle.linux["devices"] = [device("/opt/x/null"), device("/dev/sub/null"), device("/dev/null2")]
    result = runtime.sh(bundle, "stat -c '%F %t:%T' /opt/x/null /dev/sub/null /dev/null2")
    assert result.ok().stdout == "character special file 1:3\n" * 3


@pytest.mark.parametrize("path", ["/dev/mine", "/mine"])
def test_the_same_entry_twice(bundle, runtime, path):
    """ctr run --privileged --device writes such configurations. The mode of the first one counts."""
    bundle.linux["devices"] = [device(path, fileMode=0o640), device(path, fileMode=0o666)]
    result = runtime.sh(bundle, f"stat -c '%F %t:%T %a' {path}")
    assert result.silent().stdout == "character special file 1:3 640\n"


@req("linux.devices.mechanism")
def test_in_a_user_namespace_they_are_binds(bundle, runtime):
    bundle.user_namespace()
    bundle.linux["devices"] = [device("/dev/fuse", "c", 10, 229)]
    seen = runtime.probe(bundle)
    assert seen["devices"]["/dev/fuse"]["rdev"] == [10, 229]


@req("linux.devices.path.match")
def test_a_matching_node_in_the_image(bundle, runtime):
    os.mknod(bundle.rootfs / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    bundle.linux["devices"] = [device("/null")]
    runtime.sh(bundle, "echo >/null").ok()


@req("linux.devices.path.mismatch", "op.create.cannot-apply")
@pytest.mark.parametrize("kind", ["file", "other", "link"])
@pytest.mark.hoy
def test_another_file_at_the_place(bundle, runtime, kind):
    path = bundle.rootfs / "null"
    if kind == "file":
        path.write_text("mine")
    elif kind == "link":
        path.symlink_to("/etc/passwd")
    else:
        os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5))
    before = path.lstat()
    bundle.linux["devices"] = [device("/null")]
    runtime.refuses(bundle, "linux.devices[0]", "/null")
    after = path.lstat()
    assert (before.st_ino, before.st_mode, before.st_rdev) == (after.st_ino, after.st_mode,
                                                               after.st_rdev)


@req("linux.devices.type.unknown", "linux.devices.path.required", "linux.devices.majorminor")
@pytest.mark.hoy
@pytest.mark.parametrize("entry, words", [
    ({"path": "/dev/x", "type": "x", "major": 1, "minor": 3}, ["linux.devices[0].type", "x"]),
    ({"path": "/dev/x", "major": 1, "minor": 3}, ["linux.devices[0]", "type"]),
    ({"type": "c", "major": 1, "minor": 3}, ["linux.devices[0]", "path"]),
    ({"path": "/dev/x", "type": "c", "minor": 3}, ["linux.devices[0]", "major"])])
def test_bad_entries(bundle, runtime, entry, words):
    bundle.linux["devices"] = [entry]
    runtime.refuses(bundle, *words)


# ---- rules ----

@req("linux.devices.only-listed", "linux.resources.devices.access", "linux.resources.devices.v2")
def test_a_denied_device_cannot_be_opened(bundle, runtime):
    """Making one is no way round: nodes may be made, as everywhere, but not be opened."""
    rules(bundle, "deny a *:* rwm").capabilities("CAP_MKNOD")
    assert runtime.call(bundle, ("mknod", "/x", 0o20666, 0x0ae5), ("open", "/x", 0)) == ["", "EPERM"]


@req("linux.resources.devices.order", "linux.resources.devices.access")
@pytest.mark.parametrize("entries, expected", [
    (["deny a *:* rwm", "allow c 10:229 rwm", "deny c 10:229 w"], ["", "EPERM"]),
    (["deny a *:* rwm", "deny c 10:229 w", "allow c 10:229 rwm"], ["", ""]),
    (["deny a *:* rwm", "allow c 10:229 r"], ["", "EPERM"]),
    (["deny a *:* rwm", "allow c 10:229 w"], ["EPERM", ""]),
    (["deny a *:* rwm", "allow c 10:* rw"], ["", ""]),
    (["deny a *:* rwm", "allow c *:229 rw"], ["", ""]),
    (["deny a *:* rwm", "allow b 10:229 rw"], ["EPERM", "EPERM"]),
    (["deny a *:* rwm", "allow a *:* rwm"], ["", ""]),
    (["allow a *:* rwm", "deny c 10:229 rwm"], ["EPERM", "EPERM"])])
@pytest.mark.hoy
def test_the_last_match_wins(bundle, runtime, entries, expected):
    os.mknod(bundle.rootfs / "fuse", 0o666 | stat.S_IFCHR, os.makedev(10, 229))
    rules(bundle, *entries)
    read, write = 0, 1
    assert runtime.call(bundle, ("open", "/fuse", read), ("open", "/fuse", write)) == expected


@req("linux.resources.devices.access")
@pytest.mark.hoy
def test_a_rule_without_access_means_all(bundle, runtime):
    os.mknod(bundle.rootfs / "fuse", 0o666 | stat.S_IFCHR, os.makedev(10, 229))
    bundle.linux["resources"] = {"devices": [{"allow": False},
                                             {"allow": True, "type": "c", "major": 10, "minor": 229}]}
    assert runtime.call(bundle, ("open", "/fuse", 2)) == [""]


@req("linux.resources.devices.allow", "linux.resources.devices.type", "linux.resources.devices.access")
@pytest.mark.hoy
@pytest.mark.parametrize("entry, words", [
    ({"access": "rwm"}, ["linux.resources.devices[0]", "allow"]),
    ({"allow": True, "type": "x"}, ["linux.resources.devices[0].type", "x"]),
    ({"allow": True, "type": "c", "access": "rx"}, ["linux.resources.devices[0].access", "rx"])])
def test_bad_rules(bundle, runtime, entry, words):
    bundle.linux["resources"] = {"devices": [entry]}
    runtime.refuses(bundle, *words)


# ---- nodes in a root of several containers ----

@pytest.mark.hoy
@pytest.mark.parametrize("shared", [False, True])
def test_what_a_failed_create_has_made_in_the_root(bundle, make_bundle, runtime, scratch, shared):
    """It goes again, unless another container has come to live on the same root meanwhile."""
    bundle.unmount("/dev", "/dev/pts")
    other = make_bundle("other")
    other.unmount("/dev", "/dev/pts").config["root"]["path"] = str(bundle.rootfs)
    bundle.hook_sh("createContainer", f"touch {scratch}/made; while [ ! -e {scratch}/go ]; do sleep 0.05; done; "
                   "exit 1")
    creating = runtime.popen("create", "--bundle", bundle.write(), "c1")
    wait_until((scratch / "made").exists, "the nodes to be made", 20)
    assert (bundle.rootfs / "dev/zero").is_char_device()
    with contextlib.ExitStack() as stack:
        if shared:
            stack.enter_context(runtime.sleeping(other, name="c2"))
        (scratch / "go").touch()
        runtime.finish(creating).fails("createContainer")
        if shared:
            result = runtime("exec", "c2", "/bin/sh", "-c", "head -c 1 /dev/zero | wc -c; echo x >/dev/null")
            assert result.ok().stdout == "1\n"
    assert (bundle.rootfs / "dev/zero").exists() == shared
