"""config.md, mounts, options: every option of the specification, as the kernel then shows it."""

import subprocess

import pytest

req = pytest.mark.req

# options: words that the mount's flags in mountinfo must have (with a minus: must not have).
FLAGS = {
    "atime": (["noatime", "atime"], "-noatime"),
    "dev": (["nodev", "dev"], "-nodev"),
    "diratime": (["nodiratime", "diratime"], "-nodiratime"),
    "exec": (["noexec", "exec"], "-noexec"),
    "noatime": (["noatime"], "noatime -relatime"),
    "nodev": (["nodev"], "nodev"),
    "nodiratime": (["nodiratime"], "nodiratime"),
    "noexec": (["noexec"], "noexec"),
    "norelatime": (["norelatime"], "-noatime"),
    "nostrictatime": (["strictatime", "nostrictatime"], "relatime"),
    "nosuid": (["nosuid"], "nosuid"),
    "relatime": (["noatime", "relatime"], "relatime -noatime"),
    "ro": (["ro"], "ro -rw"),
    "rw": (["ro", "rw"], "rw -ro"),
    "strictatime": (["strictatime"], "-relatime -noatime"),
    "suid": (["nosuid", "suid"], "-nosuid"),
    "nosymfollow": (["nosymfollow"], "nosymfollow"),
    "symfollow": (["nosymfollow", "symfollow"], "-nosymfollow"),
    "silent": (["silent"], "rw"),
    "loud": (["loud"], "rw"),
    "iversion": (["iversion"], "rw"),
    "noiversion": (["noiversion"], "rw"),
    "defaults": (["defaults"], "rw"),
    "nomand": (["nomand"], "rw"),
}
# The same for the options of the file system.
SUPER = {
    "sync": (["sync"], "sync"),
    "async": (["sync", "async"], "-sync"),
    "dirsync": (["dirsync"], "dirsync"),
    "lazytime": (["lazytime"], "lazytime"),
    "nolazytime": (["lazytime", "nolazytime"], "-lazytime"),
}
# On a recursive bind: what both the mount and the one below it must have.
RECURSIVE = {
    "rro": (["rro"], "ro -rw"), "rrw": (["rrw"], "rw -ro"),
    "rnosuid": (["rnosuid"], "nosuid"), "rsuid": (["rsuid"], "-nosuid"),
    "rnodev": (["rnodev"], "nodev"), "rdev": (["rdev"], "-nodev"),
    "rnoexec": (["rnoexec"], "noexec"), "rexec": (["rexec"], "-noexec"),
    "rnoatime": (["rnoatime"], "noatime"), "ratime": (["ratime"], "-noatime"),
    "rnodiratime": (["rnodiratime"], "nodiratime"), "rdiratime": (["rdiratime"], "-nodiratime"),
    "rrelatime": (["rrelatime"], "relatime"), "rnorelatime": (["rnorelatime"], ""),
    "rstrictatime": (["rstrictatime"], "-relatime -noatime"),
    "rnostrictatime": (["rnostrictatime"], ""),
    "rnosymfollow": (["rnosymfollow"], "nosymfollow"), "rsymfollow": (["rsymfollow"], "-nosymfollow"),
}
CLEARING = {"rrw": "ro", "rsuid": "nosuid", "rdev": "nodev", "rexec": "noexec", "ratime": "noatime",
            "rdiratime": "nodiratime", "rsymfollow": "nosymfollow", "rrelatime": "noatime",
            "rstrictatime": "noatime"}
PROPAGATION = ["private", "slave", "shared", "unbindable"]


def check(words, expected):
    for word in expected.split():
        if word.startswith("-"):
            assert word[1:] not in words
        else:
            assert word in words


def ids(*tables):
    return [pytest.param(*row, id=name, marks=req(f"config.mounts.option.{name}"))
            for table in tables for name, row in table.items()]


@req("config.mounts.options.all-must")
@pytest.mark.parametrize("options, expected", ids(FLAGS))
def test_flags_of_a_new_file_system(bundle, runtime, options, expected):
    bundle.mount("/t", "tmpfs", "tmpfs", options)
    check(runtime.probe(bundle).mount("/t").options, expected)


@req("config.mounts.options.all-must")
@pytest.mark.parametrize("options, expected", ids(FLAGS))
def test_flags_of_a_bind(bundle, runtime, scratch, options, expected):
    (scratch / "data").mkdir()
    bundle.bind(scratch / "data", "/t", *options)
    check(runtime.probe(bundle).mount("/t").options, expected)


@req("config.mounts.options.all-must")
@pytest.mark.parametrize("options, expected", ids(SUPER))
def test_options_of_the_file_system(bundle, runtime, options, expected):
    bundle.mount("/t", "tmpfs", "tmpfs", options)
    check(runtime.probe(bundle).mount("/t").super_options, expected)


@pytest.fixture
def tree(scratch):
    """A mounted tmpfs with another one below; flags(words) sets the flags of both."""
    top = scratch / "tree"
    top.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "top", top], check=True)
    (top / "sub").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "sub", top / "sub"], check=True)

    class Tree:
        path = top

        @staticmethod
        def flags(words):
            for path in (top, top / "sub"):
                subprocess.run(["mount", "-o", f"remount,bind,{words}", path], check=True)

        @staticmethod
        def propagation(word):
            subprocess.run(["mount", f"--make-r{word}", top], check=True)
    yield Tree
    subprocess.run(["umount", top / "sub", top], check=True)


@pytest.mark.parametrize("name", RECURSIVE)
@pytest.mark.hoy
def test_recursive_flags(bundle, runtime, tree, name, request):
    options, expected = RECURSIVE[name]
    if name in CLEARING:
        tree.flags(CLEARING[name])
    bundle.bind(tree.path, "/t", "rbind", *options)
    seen = runtime.probe(bundle)
    for point in ("/t", "/t/sub"):
        check(seen.mount(point).options, expected)


# The parameter's name is the requirement's.
test_recursive_flags = req(*(f"config.mounts.option.{name}" for name in RECURSIVE))(
    test_recursive_flags)


@req("config.mounts.option.rro", "config.mounts.option.ro")
@pytest.mark.hoy
def test_ro_is_of_one_mount_and_rro_of_all(bundle, runtime, tree):
    bundle.bind(tree.path, "/ro", "rbind", "ro").bind(tree.path, "/rro", "rbind", "rro")
    result = runtime.sh(bundle, """for f in /ro/x /ro/sub/x /rro/x /rro/sub/x; do
        touch $f 2>/dev/null && echo $f; done; :""")
    assert result.ok().stdout == "/ro/sub/x\n"


@req("config.mounts.option.bind", "config.mounts.option.rbind")
@pytest.mark.parametrize("option, points", [("bind", ["/t"]), ("rbind", ["/t", "/t/sub"])])
def test_bind_and_rbind(bundle, runtime, tree, option, points):
    bundle.mount("/t", "none", str(tree.path), [option])
    assert [mount.point for mount in runtime.probe(bundle).mounts()
            if mount.point.startswith("/t")] == points


@pytest.mark.parametrize("word", [pytest.param(word, marks=req(f"config.mounts.option.{word}"))
                                  for word in PROPAGATION])
def test_propagation_of_one(bundle, runtime, tree, word):
    tree.propagation("shared")
    bundle.mount("/t", "bind", str(tree.path), ["rbind", word])
    seen = runtime.probe(bundle)
    assert kinds(seen.mount("/t")) == expected_kinds(word)


@pytest.mark.parametrize("word", [pytest.param(f"r{word}", marks=req(f"config.mounts.option.r{word}"))
                                  for word in PROPAGATION])
def test_propagation_of_all(bundle, runtime, tree, word):
    tree.propagation("shared")
    bundle.mount("/t", "bind", str(tree.path), ["rbind", word])
    seen = runtime.probe(bundle)
    for point in ("/t", "/t/sub"):
        assert kinds(seen.mount(point)) == expected_kinds(word[1:])


def kinds(mount):
    found = {word.split(":")[0] for word in mount.peers} - {"propagate_from"}
    # What is shared inside may well be a slave of the host's mount.
    return found - {"master"} if "shared" in found else found


def expected_kinds(word):
    return {"private": set(), "slave": {"master"}, "unbindable": {"unbindable"},
            "shared": {"shared"}}[word]


@req("config.mounts.option.rslave")
@pytest.mark.hoy
def test_a_slave_receives_and_does_not_send(bundle, runtime, tree):
    tree.propagation("shared")
    (tree.path / "late").mkdir()
    bundle.mount("/t", "bind", str(tree.path), ["rbind", "rslave"])
    with runtime.sleeping(bundle) as container:
        subprocess.run(["mount", "-t", "tmpfs", "late", tree.path / "late"], check=True)
        try:
            assert " /t/late " in container.proc("mountinfo").read_text()
        finally:
            subprocess.run(["umount", tree.path / "late"], check=True)


@req("config.mounts.options.propagation-separate")
def test_propagation_beside_flags_and_data(bundle, runtime):
    bundle.mount("/t", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=4k", "shared"])
    mount = runtime.probe(bundle).mount("/t")
    assert "nosuid" in mount.options and "relatime" not in mount.options
    assert kinds(mount) == {"shared"}
    assert {"size=4k", "mode=755"} <= set(mount.super_options)


@req("config.mounts.options.last-wins")
@pytest.mark.parametrize("options", [["ro", "rw"], ["rw", "ro"], ["bind", "ro", "rw"],
                                     ["bind", "rw", "ro"]])
def test_the_last_of_two_wins(bundle, runtime, scratch, options):
    (scratch / "data").mkdir()
    bind = "bind" in options
    bundle.mount("/t", "none" if bind else "tmpfs", str(scratch / "data") if bind else "tmpfs", options)
    assert runtime.probe(bundle).mount("/t").options[0] == options[-1]


@req("config.mounts.options.unknown-data")
def test_what_no_table_knows_goes_to_the_file_system(bundle, runtime):
    bundle.mount("/t", "tmpfs", "name", ["size=64k", "mode=1711", "uid=5", "nr_inodes=100"])
    mount = runtime.probe(bundle).mount("/t")
    assert mount.source == "name"
    assert {"size=64k", "mode=1711", "uid=5", "nr_inodes=100"} <= set(mount.super_options)


@req("config.mounts.options.unknown-data", "config.mounts.failure")
@pytest.mark.parametrize("option", ["bogus", "size=bogus", "mode=9"])
def test_an_option_that_the_file_system_refuses(bundle, runtime, option):
    bundle.mount("/t", "tmpfs", "tmpfs", ["size=64k", option])
    runtime.refuses(bundle, "mounts[3]", "/t", option.split("=")[0])


@pytest.mark.hoy
def test_a_misspelt_option_is_refused_by_name(bundle, runtime):
    bundle.mount("/t", "tmpfs", "tmpfs", ["size=64k", "nosiud"])
    runtime.refuses(bundle, "mounts[3].options[1]", "nosiud", "did you mean nosuid")


@pytest.mark.hoy
def test_data_on_a_bind_is_refused(bundle, runtime, scratch):
    bundle.bind(scratch, "/t", "mode=755")
    runtime.refuses(bundle, "mounts[3]", "mode=755")


@req("config.mounts.options.unknown-data")
@pytest.mark.hoy
def test_data_longer_than_fsconfig_takes(bundle, runtime, scratch):
    """An overlay of many long directories: 255 bytes are what one fsconfig(2) takes."""
    names = []
    for index in range(20):
        path = scratch / f"{index:02d}-{'x' * 40}"
        path.mkdir()
        (path / f"f{index}").touch()
        names.append(str(path))
    bundle.mount("/o", "overlay", "overlay", [f"lowerdir={':'.join(names)}"])
    result = runtime.sh(bundle, "ls /o")
    assert len(result.ok().stdout.split()) == 20


@req("config.mounts.option.remount")
def test_remount(bundle, runtime):
    bundle.mount("/t", "tmpfs", "tmpfs").mount("/t", "tmpfs", "tmpfs", ["remount", "ro", "nosuid"])
    options = runtime.probe(bundle).mount("/t").options
    assert "ro" in options and "nosuid" in options


@req("config.mounts.option.nodev")
def test_nodev_in_effect(bundle, runtime):
    bundle.mount("/t", "tmpfs", "tmpfs", ["nodev"]).mount("/u", "tmpfs", "tmpfs", ["nodev", "dev"])
    bundle.capabilities("CAP_MKNOD")
    assert runtime.call(bundle, ("mknod", "/t/n", 0o20666, 0x103), ("open", "/t/n", 0),
                        ("mknod", "/u/n", 0o20666, 0x103), ("open", "/u/n", 0)) == \
        ["", "EACCES", "", ""]


@req("config.mounts.option.noexec", "config.mounts.option.exec")
def test_noexec_in_effect(bundle, runtime):
    bundle.mount("/t", "tmpfs", "tmpfs", ["noexec"]).mount("/u", "tmpfs", "tmpfs", ["noexec", "exec"])
    result = runtime.sh(bundle, """for d in /t /u; do cp /bin/probe $d/p; $d/p ids >/dev/null
        echo $?; done""")
    assert result.stdout == "126\n0\n"


@req("config.mounts.option.nosuid", "config.mounts.option.suid")
def test_nosuid_in_effect(bundle, runtime, scratch):
    program = scratch / "data/probe"
    program.parent.mkdir()
    program.write_bytes((bundle.rootfs / "bin/probe").read_bytes())
    program.chmod(0o4755)
    bundle.bind(program.parent, "/t", "nosuid").bind(program.parent, "/u", "nosuid", "suid")
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    for where, uid in (("/t", 1000), ("/u", 0)):
        seen = runtime.run(bundle.args(f"{where}/probe", "uids")).ok().json
        assert seen["uids"] == [1000, uid, uid, uid]


@req("config.mounts.option.nosymfollow")
def test_nosymfollow_in_effect(bundle, runtime):
    bundle.mount("/t", "tmpfs", "tmpfs", ["nosymfollow"])
    assert runtime.call(bundle, ("symlink", "/etc/passwd", "/t/l"), ("open", "/t/l", 0)) == ["", "ELOOP"]


@req("config.mounts.option.unbindable")
def test_unbindable_in_effect(bundle, runtime):
    bundle.mount("/t", "tmpfs", "tmpfs", ["unbindable"]).capabilities("CAP_SYS_ADMIN")
    assert runtime.call(bundle, ("mount", "/t", "/tmp", "", 0x1000, 0)) == ["EINVAL"]


@req("config.mounts.option.silent", "config.mounts.option.loud", "config.mounts.option.iversion",
     "config.mounts.option.noiversion", "config.mounts.option.defaults",
     "config.mounts.option.idmap.not-passed", "features.mountOptions")
@pytest.mark.hoy
def test_words_of_the_table_never_reach_the_file_system(bundle, runtime):
    """Every option that features lists, on a tmpfs: none of them is a parameter of fsconfig(2)."""
    words = [word for word in runtime("features").ok().json["mountOptions"]
             if "=" not in word and word not in ("bind", "rbind", "remount", "idmap", "ridmap",
                                                 "ro", "rro", "noexec", "rnoexec",
                                                 "copy-symlink", "src-nofollow")]
    bundle.mount("/t", "tmpfs", "tmpfs", words)
    calls = runtime.trace(bundle, "fsconfig,mount")
    # These are the kernel's own words for what belongs to all mounts of a file system.
    superblock = {"sync", "async", "dirsync", "lazytime", "nolazytime", "ro", "rw", "mand", "nomand"}
    for word in set(words) - superblock:
        assert not [line for line in calls if f'"{word}"' in line], word


@req("config.mounts.option.ro")
@pytest.mark.hoy
def test_locked_flags_of_the_source_stay(bundle, runtime, tree):
    """In a user namespace the flags of a mount from outside cannot be cleared, nor can they get lost."""
    tree.flags("ro,nosuid,nodev,noexec")
    bundle.user_namespace().bind(tree.path, "/t", "rbind", "ro").bind(tree.path, "/u", "rbind")
    bundle.capabilities("CAP_SYS_ADMIN")
    seen = runtime.probe(bundle)
    for point in ("/t", "/t/sub", "/u"):
        check(seen.mount(point).options, "ro nosuid nodev noexec")
    remount = 0x1000 | 0x20
    assert runtime.call(bundle, ("mount", "none", "/t", "", remount, 0),
                        ("umount2", "/t/sub", 0)) == ["EPERM", "EINVAL"]
