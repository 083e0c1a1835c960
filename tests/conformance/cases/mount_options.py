"""config.md, Linux mount options: every one, as the kernel shows it and as it works."""

import contextlib
import subprocess

from suite import case, has, lacks, same

# Words: options of the mount. Then what mountinfo must show of the mount, or must not (minus).
FLAGS = {
    "atime": ("noatime atime", "-noatime"), "dev": ("nodev dev", "-nodev"),
    "diratime": ("nodiratime diratime", "-nodiratime"), "exec": ("noexec exec", "-noexec"),
    "noatime": ("noatime", "noatime -relatime"), "nodev": ("nodev", "nodev"),
    "nodiratime": ("nodiratime", "nodiratime"), "noexec": ("noexec", "noexec"),
    "norelatime": ("norelatime", "-noatime"),
    "nostrictatime": ("strictatime nostrictatime", "relatime"), "nosuid": ("nosuid", "nosuid"),
    "relatime": ("relatime", "relatime -noatime"), "ro": ("ro", "ro -rw"), "rw": ("ro rw", "rw -ro"),
    "strictatime": ("strictatime", "-relatime -noatime"), "suid": ("nosuid suid", "-nosuid"),
    "nosymfollow": ("nosymfollow", "nosymfollow"),
    "symfollow": ("nosymfollow symfollow", "-nosymfollow"), "silent": ("silent", "rw"),
    "loud": ("loud", "rw"), "iversion": ("iversion", "rw"), "noiversion": ("noiversion", "rw"),
    "defaults": ("defaults", "rw"), "nomand": ("nomand", "rw"),
}
SUPER = {"sync": ("sync", "sync"), "async": ("sync async", "-sync"), "dirsync": ("dirsync", "dirsync"),
         "lazytime": ("lazytime", "lazytime"), "nolazytime": ("lazytime nolazytime", "-lazytime")}
# What the mounts of the tree have before; what both must have, or not, afterwards.
RECURSIVE = {
    "rro": ("", "ro -rw"), "rrw": ("ro", "rw -ro"), "rnosuid": ("", "nosuid"),
    "rsuid": ("nosuid", "-nosuid"), "rnodev": ("", "nodev"), "rdev": ("nodev", "-nodev"),
    "rnoexec": ("", "noexec"), "rexec": ("noexec", "-noexec"), "rnoatime": ("", "noatime"),
    "ratime": ("noatime", "-noatime"), "rnodiratime": ("", "nodiratime"),
    "rdiratime": ("nodiratime", "-nodiratime"), "rrelatime": ("noatime", "relatime -noatime"),
    "rnorelatime": ("", "-noatime"), "rstrictatime": ("noatime", "-relatime -noatime"),
    "rnostrictatime": ("", "-noatime"), "rnosymfollow": ("", "nosymfollow"),
    "rsymfollow": ("nosymfollow", "-nosymfollow"),
}
KINDS = {"private": set(), "slave": {"master"}, "shared": {"shared"}, "unbindable": {"unbindable"}}


def check(words, expected):
    for word in expected.split():
        if word.startswith("-"):
            lacks(word[1:], words)
        else:
            has(word, words)


@contextlib.contextmanager
def tree(t, flags="", propagation="private"):
    """A tmpfs of the host with another one below."""
    top = t.scratch / "tree"
    top.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "top", top], check=True)
    (top / "sub").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "sub", top / "sub"], check=True)
    try:
        for path in (top, top / "sub"):
            if flags:
                subprocess.run(["mount", "-o", f"remount,bind,{flags}", path], check=True)
        subprocess.run(["mount", f"--make-r{propagation}", top], check=True)
        yield top
    finally:
        subprocess.run(["umount", "--recursive", top], check=True)


@case("config.mounts.option.{}", "config.mounts.options.all-must", each=FLAGS)
def on_a_new_file_system(t, options, expected):
    t.bundle.mount("/t", "tmpfs", "tmpfs", options.split())
    check(t.probe("mountinfo").mount("/t").options, expected)


@case("config.mounts.option.{}", "config.mounts.options.all-must", each=FLAGS)
def on_a_bind(t, options, expected):
    (t.scratch / "data").mkdir()
    t.bundle.bind(t.scratch / "data", "/t", *options.split())
    check(t.probe("mountinfo").mount("/t").options, expected)


@case("config.mounts.option.{}", "config.mounts.options.all-must", each=SUPER)
def of_the_file_system(t, options, expected):
    t.bundle.mount("/t", "tmpfs", "tmpfs", options.split())
    check(t.probe("mountinfo").mount("/t").super_options, expected)


@case("config.mounts.option.{}", each={key: (key, *value) for key, value in RECURSIVE.items()})
def on_a_tree(t, option, before, expected):
    with tree(t, before) as top:
        t.bundle.bind(top, "/t", "rbind", option)
        seen = t.probe("mountinfo")
    for point in ("/t", "/t/sub"):
        check(seen.mount(point).options, expected)


@case("config.mounts.option.ro")
def ro_is_of_one_mount(t):
    with tree(t) as top:
        t.bundle.bind(top, "/t", "rbind", "ro")
        same(t.call(("mkdir", "/t/x", 0o755), ("mkdir", "/t/sub/x", 0o755)), ["EROFS", ""])


@case("config.mounts.option.ro")
def ro_keeps_what_is_locked(t):
    """In a user namespace the flags of the host's mount cannot be cleared, nor may they get lost."""
    with tree(t, "nosuid,nodev,noexec") as top:
        t.bundle.user_namespace().bind(top, "/t", "rbind", "ro")
        check(t.probe("mountinfo").mount("/t").options, "ro nosuid nodev noexec")


@case("config.mounts.option.{}", each={"bind": ("bind", ["/t"]), "rbind": ("rbind", ["/t", "/t/sub"])})
def bind_and_rbind(t, option, points):
    with tree(t) as top:
        t.bundle.mount("/t", "none", str(top), [option])
        same([mount.point for mount in t.probe("mountinfo").mounts() if mount.point.startswith("/t")],
             points)


def kinds(mount):
    """What is shared inside may well receive from the host, too."""
    found = {word.split(":")[0] for word in mount.peers} - {"propagate_from"}
    return found - {"master"} if "shared" in found else found


@case("config.mounts.option.{}", each={key: (key, value) for key, value in KINDS.items()})
def propagation_of_one(t, word, expected):
    with tree(t, propagation="shared") as top:
        t.bundle.mount("/t", "bind", str(top), ["rbind", word])
        same(kinds(t.probe("mountinfo").mount("/t")), expected)


@case("config.mounts.option.r{}", each={key: (key, value) for key, value in KINDS.items()})
def propagation_of_all(t, word, expected):
    with tree(t, propagation="shared") as top:
        t.bundle.mount("/t", "bind", str(top), ["rbind", f"r{word}"])
        seen = t.probe("mountinfo")
    for point in ("/t", "/t/sub"):
        same(kinds(seen.mount(point)), expected, point)


@case("config.mounts.options.propagation-separate")
def propagation_beside_others(t):
    t.bundle.mount("/t", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=4k", "shared"])
    mount = t.probe("mountinfo").mount("/t")
    check(mount.options, "nosuid -relatime")
    same(kinds(mount), {"shared"})
    check(mount.super_options, "size=4k mode=755")


@case("config.mounts.options.last-wins", each={
    "ro-rw": "ro rw", "rw-ro": "rw ro", "bind-ro-rw": "bind ro rw", "bind-rw-ro": "bind rw ro"})
def the_last_one_counts(t, options):
    (t.scratch / "data").mkdir()
    is_bind = options.startswith("bind")
    t.bundle.mount("/t", "none" if is_bind else "tmpfs", str(t.scratch / "data"), options.split())
    has(options.split()[-1], t.probe("mountinfo").mount("/t").options)


@case("config.mounts.option.remount")
def remount(t):
    t.bundle.mount("/t", "tmpfs", "tmpfs").mount("/t", "tmpfs", "tmpfs", ["remount", "ro"])
    has("ro", t.probe("mountinfo").mount("/t").options)


@case("config.mounts.option.nodev", "config.mounts.option.dev")
def nodev_works(t):
    t.bundle.mount("/t", "tmpfs", "tmpfs", ["nodev"]).mount("/u", "tmpfs", "tmpfs", ["nodev", "dev"])
    t.bundle.capabilities("CAP_MKNOD")
    same(t.call(("mknod", "/t/n", 0o20666, 0x103), ("open", "/t/n", 0),
                ("mknod", "/u/n", 0o20666, 0x103), ("open", "/u/n", 0)), ["", "EACCES", "", ""])


@case("config.mounts.option.noexec", "config.mounts.option.exec")
def noexec_works(t):
    t.bundle.mount("/t", "tmpfs", "tmpfs", ["noexec"]).mount("/u", "tmpfs", "tmpfs", ["noexec", "exec"])
    same(t.sh("for d in /t /u; do cp /bin/probe $d/p; $d/p ids >/dev/null 2>&1; echo $?; done"),
         "126\n0\n")


@case("config.mounts.option.nosuid", "config.mounts.option.suid")
def nosuid_works(t):
    program = t.scratch / "data/probe"
    program.parent.mkdir()
    program.write_bytes((t.bundle.rootfs / "bin/probe").read_bytes())
    program.chmod(0o4755)
    t.bundle.bind(program.parent, "/t", "nosuid").bind(program.parent, "/u", "nosuid", "suid")
    t.process["user"] = {"uid": 1000, "gid": 1000}
    for where, uid in (("/t", 1000), ("/u", 0)):
        seen = t.runtime.run(t.bundle.args(f"{where}/probe", "uids")).ok().json
        same(seen["uids"], [1000, uid, uid, uid], where)


@case("config.mounts.option.nosymfollow")
def nosymfollow_works(t):
    t.bundle.mount("/t", "tmpfs", "tmpfs", ["nosymfollow"])
    same(t.call(("symlink", "/etc/passwd", "/t/l"), ("open", "/t/l", 0)), ["", "ELOOP"])


@case("config.mounts.option.mand")
def mand(t):
    t.bundle.mount("/t", "tmpfs", "tmpfs", ["mand"]).args("/bin/true")
    if t.runtime.run(t.bundle).status != 0:
        t.is_unknown()


@case("config.mounts.option.tmpcopyup")
def tmpcopyup(t):
    t.bundle.file("/etc/secret", "text", 0o600)
    t.bundle.mount("/etc", "tmpfs", "tmpfs", ["tmpcopyup"])
    same(t.sh("stat -c %a /etc/secret; cat /etc/secret; echo new >/etc/secret"), "600\ntext")
    same((t.bundle.rootfs / "etc/secret").read_text(), "text")
