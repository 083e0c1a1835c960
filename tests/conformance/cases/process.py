"""config.md, process and user."""

import os
from pathlib import Path

from suite import case, has, same


@case("config.process.cwd.set", each={"plain": "/tmp", "link": "/link"})
def cwd(t, path):
    (t.bundle.rootfs / "link").symlink_to("/tmp")
    t.process["cwd"] = path
    same(t.probe("cwd")["cwd"], "/tmp")


@case("config.process.cwd.unusable", each={"file": "/etc/passwd", "missing": "/proc/no/such"})
def cwd_that_cannot_be_entered(t, path):
    """Nor made, as some runtimes do."""
    t.process["cwd"] = path
    t.bundle.args("/bin/true")
    t.refused_by_start()


@case("config.process.env.semantics")
def environment(t):
    t.process["env"] = ["PATH=/bin", "A=1", "B=x=y", "C="]
    seen = t.probe("env", env={"PATH": os.environ["PATH"], "LEAK": "1"})["env"]
    same([word for word in seen if not word.startswith("HOME=")], t.process["env"])


@case("config.process.env.absent")
def no_environment(t):
    del t.process["env"]
    seen = t.probe("env", env={"PATH": os.environ["PATH"], "LEAK": "1"})["env"]
    same([word for word in seen if not word.startswith("HOME=")], [])


@case("config.process.args.argv")
def arguments(t):
    words = ["/bin/probe", "args", " a b", "", "é", "--"]
    t.bundle.args(*words)
    same(t.runtime.run(t.bundle).ok().json["args"], words)


@case("config.process.args.execvp")
def program_along_the_path(t):
    (t.bundle.rootfs / "custom").mkdir()
    os.link(t.bundle.rootfs / "bin/probe", t.bundle.rootfs / "custom/look")
    t.process["env"] = ["PATH=/nowhere:/custom"]
    t.bundle.args("look", "args")
    has("look", t.runtime.run(t.bundle).ok().json["args"])


@case("config.process.args.execvp")
def program_relative_to_the_working_directory(t):
    t.process["cwd"] = "/bin"
    t.bundle.args("./probe", "args")
    has("./probe", t.runtime.run(t.bundle).ok().json["args"])


@case("config.process.args.execvp", "op.start.exec-failure")
def program_that_is_nowhere_along_the_path(t):
    t.bundle.args("no-such-program")
    t.refused_by_start()


@case("config.process.args.enoexec")
def script_without_interpreter(t):
    t.bundle.file("/script", "echo ran\n", 0o755)
    result = t.runtime.run(t.bundle.args("/script"))
    if result.status == 0:
        same(result.stdout, "ran\n")
    else:
        assert result.stderr, "it says nothing"


@case("config.user.uid", "config.user.gid", "config.user.additionalGids")
def user(t):
    t.process["user"] = {"uid": 10, "gid": 20, "additionalGids": [5, 6]}
    seen = t.probe("uids", "gids", "groups")
    same(seen["uids"], [10] * 4)
    same(seen["gids"], [20] * 4)
    same(set(seen["groups"]) - {20}, {5, 6})


@case("config.user.groups-dropped")
def no_group_of_the_caller(t):
    t.process["user"] = {"uid": 10, "gid": 20}
    seen = t.probe("groups", extra_groups=[4, 24])
    same(set(seen["groups"]) - {20}, set())


@case("config.user.no-lookup")
def no_files_of_users(t):
    for name in ("passwd", "group"):
        (t.bundle.rootfs / "etc" / name).unlink()
    t.process["user"] = {"uid": 10, "gid": 20}
    same(t.probe("uids")["uids"], [10] * 4)


@case("config.user.no-lookup")
def files_of_users_add_no_groups(t):
    t.bundle.file("/etc/passwd", "x:x:10:20::/:/bin/sh\n")
    t.bundle.file("/etc/group", "extra:x:77:x\n")
    t.process["user"] = {"uid": 10, "gid": 20}
    same(set(t.probe("groups")["groups"]) - {20}, set())


@case("config.user.umask.set", each={"077": 0o77, "0": 0, "027": 0o27})
def umask(t, value):
    t.process["user"]["umask"] = value
    same(t.probe("umask")["umask"], value)


@case("config.user.umask.unset")
def umask_of_the_caller(t):
    t.strictly()
    same(t.probe("umask", umask=0o27)["umask"], 0o27)


@case("config.noNewPrivileges.true", "config.noNewPrivileges.default",
      each={"true": True, "false": False, "absent": None})
def no_new_privileges(t, value):
    if value is not None:
        t.process["noNewPrivileges"] = value
    same(t.probe("no_new_privileges")["no_new_privileges"], int(bool(value)))


@case("config.noNewPrivileges.true")
def set_user_id_with_no_new_privileges(t):
    program = t.bundle.rootfs / "bin/suid"
    program.write_bytes((t.bundle.rootfs / "bin/probe").read_bytes())
    program.chmod(0o4755)
    t.process["user"] = {"uid": 1000, "gid": 1000}
    for value, uid in ((True, 1000), (False, 0)):
        t.process["noNewPrivileges"] = value
        same(t.runtime.run(t.bundle.args("/bin/suid", "uids")).ok().json["uids"][1], uid)


def with_own_score(t, value):
    t.runtime.wrapper = ["choom", "--adjust", str(value), "--"]


@case("config.oomScoreAdj.set", each={"500": 500, "1000": 1000, "0": 0})
def oom_score(t, value):
    t.process["oomScoreAdj"] = value
    same(t.probe("oom_score_adj")["oom_score_adj"], str(value))


@case("config.oomScoreAdj.unset")
def oom_score_of_the_caller(t):
    with_own_score(t, 300)
    same(t.probe("oom_score_adj")["oom_score_adj"], "300")


@case("config.oomScoreAdj.set", each={"100": 100, "0": 0})
def oom_score_below_the_callers(t, value):
    """It is set, or it is an error."""
    with_own_score(t, 300)
    t.process["oomScoreAdj"] = value
    result = t.runtime.run(t.bundle.args("/bin/probe", "oom_score_adj"))
    if result.status == 0:
        same(result.json["oom_score_adj"], str(value))
    else:
        assert result.stderr, "it says nothing"


@case("config.process.apparmorProfile", "config.valid-values.unsupported")
def apparmor_profile_that_is_not_there(t):
    t.process["apparmorProfile"] = "hoy-test-no-such-profile"
    t.bundle.args("/bin/true")
    t.refused_by_start()


@case("config.selinuxLabel", "config.valid-values.unsupported")
def selinux_label_that_cannot_be(t):
    t.process["selinuxLabel"] = "no:such:label"
    t.bundle.args("/bin/true")
    t.refused_by_start()


@case("config.hostname")
def hostname(t):
    before = os.uname().nodename
    t.config["hostname"] = "mrsdalloway"
    same(t.probe("uname")["uname"]["hostname"], "mrsdalloway")
    same(os.uname().nodename, before, "the host's name")


@case("config.hostname.unset")
def no_hostname(t):
    del t.config["hostname"]
    same(t.probe("uname")["uname"]["hostname"], os.uname().nodename)


@case("config.domainname")
def domainname(t):
    before = Path("/proc/sys/kernel/domainname").read_text()
    t.config["domainname"] = "foobarbaz.test"
    same(t.probe("uname")["uname"]["domainname"], "foobarbaz.test")
    same(Path("/proc/sys/kernel/domainname").read_text(), before, "the host's name")


@case("config.hostname.no-uts", "config.domainname.no-uts", each=["hostname", "domainname"])
def names_without_a_namespace(t, member):
    """The runtime's own namespace is a new one here, lest the host gets a new name."""
    t.runtime.wrapper = ["unshare", "--uts", "--"]
    t.bundle.without_namespace("uts").config[member] = "wrong"
    result = t.runtime.create(t.bundle.args("/bin/probe", "uname"))
    if result.status == 0:
        t.runtime("start", "c1").ok()
        text = t.wait_for_output(result)
        has('"wrong"', text)


@case("config.linux.optional")
def no_linux(t):
    t.bundle.config = {"ociVersion": "1.0.2", "root": {"path": "rootfs"}, "process": {
        "args": ["/bin/echo", "ok"], "cwd": "/", "user": {"uid": 0, "gid": 0}}}
    t.runtime.create(t.bundle).ok()
    # Its cgroup, if there is one, has the runtime's own choice of a name.
    t.runtime("start", "c1").ok()
    t.runtime("delete", "--force", "c1").ok()
