"""config.md, process: what the program finds when it starts."""

import os
import signal

import pytest

from runtime import ENVIRONMENT

req = pytest.mark.req


@req("config.user.uid", "config.user.gid")
def test_uid_and_gid(bundle, runtime):
    bundle.process["user"] = {"uid": 10, "gid": 20}
    seen = runtime.probe(bundle)
    assert seen["uids"] == [10] * 4
    assert seen["gids"] == [20] * 4


@req("config.user.uid")
def test_the_largest_uid(bundle, runtime):
    bundle.process["user"] = {"uid": 4294967294, "gid": 4294967294}
    seen = runtime.probe(bundle)
    assert (seen["uids"], seen["gids"]) == ([4294967294] * 4, [4294967294] * 4)


@req("config.user.uid")
@pytest.mark.hoy
def test_uid_minus_one_is_refused(bundle, runtime):
    bundle.process["user"] = {"uid": 4294967295, "gid": 0}
    runtime.refuses(bundle, "process.user.uid", "4294967295")


@req("config.user.additionalGids")
def test_additional_gids(bundle, runtime):
    bundle.process["user"] = {"uid": 10, "gid": 20, "additionalGids": [5, 6]}
    assert sorted(set(runtime.probe(bundle)["groups"]) - {20}) == [5, 6]


@req("config.user.groups-dropped")
def test_groups_of_the_caller_are_dropped(bundle, runtime):
    seen = runtime.probe(bundle, extra_groups=[5, 1000, 2000])
    assert set(seen["groups"]) <= {0}


@req("config.user.no-lookup")
def test_the_images_group_file_adds_no_groups(bundle, runtime):
    bundle.file("/etc/passwd", "me:x:10:20::/:/bin/sh\n")
    bundle.file("/etc/group", "many:x:77:me\n")
    bundle.process["user"] = {"uid": 10, "gid": 20}
    assert set(runtime.probe(bundle)["groups"]) <= {20}


@req("config.user.no-lookup")
def test_no_passwd_at_all(bundle, runtime):
    (bundle.rootfs / "etc/passwd").unlink()
    bundle.process["user"] = {"uid": 10, "gid": 20}
    seen = runtime.probe(bundle)
    assert seen["uids"] == [10] * 4
    assert "HOME=/" in seen["env"]


@req("config.user.umask.set")
@pytest.mark.parametrize("mask", [0, 0o27, 0o77, 0o777])
def test_umask(bundle, runtime, mask):
    bundle.process["user"]["umask"] = mask
    assert runtime.probe(bundle)["umask"] == mask


@req("config.user.umask.unset")
@pytest.mark.hoy
def test_umask_unset_is_022(bundle, runtime):
    assert runtime.probe(bundle, umask=0o27)["umask"] == 0o22
    with runtime.sleeping(bundle):
        result = runtime("exec", "c1", "/bin/probe", "umask", umask=0o27)
        assert result.ok().json["umask"] == 0o22


@req("config.user.umask.unset")
@pytest.mark.hoy
def test_umask_unset_is_the_callers_if_strict(bundle, runtime):
    runtime.globals.append("--strict")
    assert runtime.probe(bundle, umask=0o27)["umask"] == 0o27
    with runtime.sleeping(bundle):
        result = runtime("exec", "c1", "/bin/probe", "umask", umask=0)
        assert result.ok().json["umask"] == 0


@req("config.process.cwd.set")
def test_cwd(bundle, runtime):
    bundle.process["cwd"] = "/tmp"
    assert runtime.probe(bundle)["cwd"] == "/tmp"


@req("config.process.cwd.set")
def test_cwd_through_a_link_stays_inside(bundle, runtime):
    (bundle.rootfs / "link").symlink_to("/etc/../../../../home")
    bundle.process["cwd"] = "/link"
    assert runtime.probe(bundle)["cwd"] == "/home"


@pytest.mark.hoy
def test_missing_cwd_is_made(bundle, runtime):
    bundle.process["cwd"] = "/new/place"
    assert runtime.probe(bundle)["cwd"] == "/new/place"
    assert (bundle.rootfs / "new/place").stat().st_mode & 0o7777 == 0o755


def test_cwd_that_only_the_user_may_enter(bundle, runtime):
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    bundle.process["cwd"] = "/home/me"
    (bundle.rootfs / "home/me").mkdir(0o700)
    os.chown(bundle.rootfs / "home/me", 1000, 1000)
    bundle.capabilities()
    assert runtime.probe(bundle)["cwd"] == "/home/me"


@req("config.process.cwd.absolute")
@pytest.mark.parametrize("cwd", ["tmp", ""])
def test_cwd_must_be_absolute(bundle, runtime, cwd):
    bundle.process["cwd"] = cwd
    runtime.refuses(bundle, "process.cwd")


@req("config.process.cwd.required")
def test_cwd_is_required(bundle, runtime):
    del bundle.process["cwd"]
    runtime.refuses(bundle, "process.cwd")


@req("config.process.cwd.unusable")
def test_cwd_that_is_a_file(bundle, runtime):
    bundle.process["cwd"] = "/etc/passwd"
    runtime.refuses(bundle, "process.cwd", "/etc/passwd", "Not a directory")


@req("config.process.cwd.unusable")
def test_missing_cwd_on_a_read_only_root(bundle, runtime):
    bundle.process["cwd"] = "/new"
    bundle.config["root"]["readonly"] = True
    result = runtime.create(bundle)
    result.fails("process.cwd", "/new", "No such file or directory", status=127)
    assert not (bundle.rootfs / "new").exists()


@req("config.process.env.semantics")
def test_env(bundle, runtime):
    bundle.process["env"] = ["A=1", "B=x=y", "C=", "HOME=/somewhere"]
    seen = runtime.probe(bundle, env=ENVIRONMENT | {"LEAK": "1"})
    assert seen["env"] == ["A=1", "B=x=y", "C=", "HOME=/somewhere"]


@req("config.process.env.absent")
def test_env_absent(bundle, runtime):
    del bundle.process["env"]
    seen = runtime.probe(bundle, env=ENVIRONMENT | {"LEAK": "1"})
    assert [entry.split("=")[0] for entry in seen["env"]] in (["HOME"], ["PATH", "HOME"])


@req("config.process.env.semantics")
@pytest.mark.hoy
def test_env_the_last_of_two_wins(bundle, runtime):
    bundle.process["env"] = ["A=1", "B=2", "A=3"]
    assert [entry for entry in runtime.probe(bundle)["env"] if entry[:2] == "A="] == ["A=3"]


@req("config.process.env.semantics")
@pytest.mark.hoy
@pytest.mark.parametrize("entry", ["NOVALUE", "=x"])
def test_env_entry_without_name_or_value(bundle, runtime, entry):
    bundle.process["env"] = ["A=1", entry]
    runtime.refuses(bundle, "process.env[1]", entry)


@pytest.mark.parametrize("uid, home", [(0, "/root"), (1000, "/home/me"), (4242, "/")])
def test_home(bundle, runtime, uid, home):
    bundle.file("/etc/passwd", "root:x:0:0::/root:\nme:x:1000:1000::/home/me:/bin/sh\n")
    bundle.process["user"] = {"uid": uid, "gid": 0}
    assert f"HOME={home}" in runtime.probe(bundle)["env"]


@req("config.process.args.argv")
def test_args_are_passed_as_they_are(bundle, runtime):
    args = ["/bin/probe", "args", " a b", "", "'\"$x*", "é漢", "\t\n"]
    seen = runtime.run(bundle.args(*args)).silent().json
    assert seen["args"] == args


@req("glossary.json.utf8")
def test_bytes_of_the_configuration_arrive(bundle, runtime):
    bundle.process["env"] = ["X=é漢𝄞"]
    assert "X=é漢𝄞" in runtime.probe(bundle)["env"]


@req("config.process.args.nonempty")
def test_args_empty(bundle, runtime):
    runtime.refuses(bundle.args(), "process.args")


@req("config.process.args.nonempty")
def test_args_absent(bundle, runtime):
    del bundle.process["args"]
    runtime.refuses(bundle, "process.args")


@req("config.process.args.execvp")
def test_args_are_looked_up_in_the_containers_path(bundle, runtime):
    bundle.file("/custom/bin/ls", "#!/bin/sh\necho mine\n", 0o755)
    bundle.process["env"] = ["PATH=/nowhere:/custom/bin:/bin"]
    assert runtime.run(bundle.args("ls")).ok().stdout == "mine\n"


@req("config.process.args.execvp")
def test_args_with_a_slash_start_from_the_working_directory(bundle, runtime):
    bundle.file("/tmp/tool", "#!/bin/sh\necho mine\n", 0o755)
    bundle.process["cwd"] = "/tmp"
    assert runtime.run(bundle.args("./tool")).ok().stdout == "mine\n"


def test_a_program_that_a_mount_provides(bundle, runtime, scratch):
    tools = scratch / "tools"
    tools.mkdir()
    (tools / "tool").write_text("#!/bin/sh\necho mounted\n")
    (tools / "tool").chmod(0o755)
    bundle.bind(tools, "/tools")
    bundle.process["env"] = ["PATH=/tools:/bin"]
    assert runtime.run(bundle.args("tool")).ok().stdout == "mounted\n"


@req("op.start.exec-failure")
def test_program_not_found_in_path(bundle, runtime):
    runtime.refuses(bundle.args("nosuch"), "process.args[0]", "nosuch",
                    "executable file not found in $PATH", status=127)


@req("op.start.exec-failure")
def test_program_that_does_not_exist(bundle, runtime):
    runtime.refuses(bundle.args("/no/such"), "process.args[0]", "/no/such",
                    "no such file or directory", status=127)


@req("op.start.exec-failure")
def test_program_that_may_not_be_executed(bundle, runtime):
    bundle.file("/tmp/plain", "", 0o644)
    runtime.refuses(bundle.args("/tmp/plain"), "process.args[0]", "/tmp/plain", "permission denied",
                    status=126)


@req("op.start.exec-failure")
def test_program_that_is_a_directory(bundle, runtime):
    runtime.refuses(bundle.args("/etc"), "process.args[0]", "/etc", "permission denied", status=126)


@pytest.mark.hoy
@pytest.mark.parametrize("path, words", [("/etc/passwd", "permission denied"),
                                         ("/no/such", "no such file or directory")])
def test_in_the_words_that_docker_looks_for(bundle, runtime, path, words):
    """Its client knows them in lower case only."""
    stderr = runtime.create(bundle.args(path)).stderr
    assert stderr.endswith(f"process.args[0]: execute '{path}': {words}\n")


@req("op.start.exec-failure", "config.process.args.enoexec")
def test_program_of_no_known_format(bundle, runtime):
    bundle.file("/tmp/junk", "junk", 0o755)
    with runtime.created(bundle.args("/tmp/junk")) as container:
        container.start().fails("/tmp/junk", "Exec format error", status=126)


def test_program_that_is_gone_at_start(bundle, runtime):
    program = bundle.file("/tmp/tool", "#!/bin/sh\n", 0o755)
    with runtime.created(bundle.args("/tmp/tool")) as container:
        program.unlink()
        container.start().fails("/tmp/tool", "No such file or directory", status=127)


@req("config.oomScoreAdj.set")
def test_oom_score_adj(bundle, runtime):
    bundle.process["oomScoreAdj"] = 500
    assert runtime.probe(bundle)["oom_score_adj"] == "500"


def raised_oom_score_adj(runtime, value):
    runtime.wrapper = ["/bin/sh", "-c", f'echo {value} >/proc/self/oom_score_adj; exec "$@"', "sh"]


@req("config.oomScoreAdj.unset")
def test_oom_score_adj_unset_is_the_callers(bundle, runtime):
    raised_oom_score_adj(runtime, 300)
    assert runtime.probe(bundle)["oom_score_adj"] == "300"


@req("config.oomScoreAdj.set")
def test_oom_score_adj_raised_from_the_callers(bundle, runtime):
    raised_oom_score_adj(runtime, 300)
    bundle.process["oomScoreAdj"] = 301
    assert runtime.probe(bundle)["oom_score_adj"] == "301"


@req("config.oomScoreAdj.set")
@pytest.mark.hoy
def test_oom_score_adj_that_may_not_be_lowered(bundle, runtime):
    """The lowest value ever set by a holder of CAP_SYS_RESOURCE is the floor for all others."""
    bundle.process["oomScoreAdj"] = -500
    runtime.wrapper = ["setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource"]
    result = runtime.refuses(bundle, "process.oomScoreAdj", "-500", "Permission denied")
    result.fails("hint: ", "CAP_SYS_RESOURCE")


@req("config.oomScoreAdj.range")
@pytest.mark.parametrize("value", [2000, -1001])
def test_oom_score_adj_out_of_range(bundle, runtime, value):
    bundle.process["oomScoreAdj"] = value
    runtime.refuses(bundle, "process.oomScoreAdj", str(value))


@req("linux.personality.domain")
@pytest.mark.parametrize("domain, machine", [("LINUX", os.uname().machine), ("LINUX32", "i686")])
def test_personality(bundle, runtime, domain, machine):
    if os.uname().machine != "x86_64":
        pytest.skip("the machine name of LINUX32 is known for x86_64 here")
    bundle.linux["personality"] = {"domain": domain}
    assert runtime.probe(bundle)["uname"]["machine"] == machine


@req("linux.personality.domain.unknown")
@pytest.mark.parametrize("value", [{"domain": "BSD"}, {}])
def test_personality_unknown(bundle, runtime, value):
    bundle.linux["personality"] = value
    runtime.refuses(bundle, "linux.personality")


@req("linux.personality.flags")
@pytest.mark.hoy
def test_personality_flags_are_unsupported(bundle, runtime):
    bundle.linux["personality"] = {"domain": "LINUX", "flags": ["ADDR_NO_RANDOMIZE"]}
    runtime.refuses(bundle, "linux.personality.flags", "ADDR_NO_RANDOMIZE")


@req("config.noNewPrivileges.true")
def test_no_new_privileges(bundle, runtime):
    bundle.process["noNewPrivileges"] = True
    assert runtime.probe(bundle)["no_new_privileges"] == 1


@req("config.noNewPrivileges.true")
@pytest.mark.parametrize("value, uid", [(True, 1000), (False, 0)])
def test_a_set_uid_program_raises_nothing_with_no_new_privileges(bundle, runtime, value, uid):
    program = bundle.rootfs / "tmp/probe"
    program.write_bytes((bundle.rootfs / "bin/probe").read_bytes())
    program.chmod(0o4755)
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    bundle.process["noNewPrivileges"] = value
    seen = runtime.run(bundle.args("/tmp/probe", "uids")).ok().json
    assert seen["uids"] == [1000, uid, uid, uid]


@req("config.noNewPrivileges.default")
def test_new_privileges_by_default(bundle, runtime):
    assert runtime.probe(bundle)["no_new_privileges"] == 0


@req("config.process.apparmorProfile")
@pytest.mark.hoy
def test_apparmor_profile_without_apparmor(bundle, runtime):
    if os.path.exists("/sys/kernel/security/apparmor"):
        pytest.skip("AppArmor is on here")
    bundle.process["apparmorProfile"] = "some-profile"
    runtime.refuses(bundle, "process.apparmorProfile", "AppArmor")


@req("config.selinuxLabel")
@pytest.mark.hoy
def test_selinux_label_without_selinux(bundle, runtime):
    if os.path.exists("/sys/fs/selinux/enforce"):
        pytest.skip("SELinux is on here")
    bundle.process["selinuxLabel"] = "system_u:system_r:container_t:s0"
    runtime.refuses(bundle, "process.selinuxLabel", "SELinux")


@req("linux.mountLabel")
@pytest.mark.hoy
def test_mount_label_without_selinux(bundle, runtime):
    if os.path.exists("/sys/fs/selinux/enforce"):
        pytest.skip("SELinux is on here")
    bundle.linux["mountLabel"] = "system_u:object_r:container_file_t:s0"
    runtime.refuses(bundle, "linux.mountLabel", "SELinux")


def test_the_process_is_a_clean_slate(bundle, runtime):
    """No signal blocked or ignored, no death signal, a session of its own, not traceable by its owner."""
    def spoil():
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR1})
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    seen = runtime.probe(bundle, preexec_fn=spoil)
    assert seen["signals"] == {"blocked": [], "ignored": []}
    assert seen["death_signal"] == 0
    assert seen["secure_bits"] == 0
    assert seen["subreaper"] == 0
    assert seen["ids"] == {"pid": 1, "ppid": 0, "pgid": 1, "sid": 1}


@pytest.mark.hoy
def test_session_keyring_of_its_own(bundle, runtime):
    kind, uid, gid, permissions, name = runtime.probe(bundle)["keyring"].split(";")
    assert (kind, name) == ("keyring", "c1")


@pytest.mark.hoy
def test_no_new_keyring_keeps_the_callers(bundle, runtime):
    assert not runtime.probe(bundle, "--no-new-keyring")["keyring"].endswith(";c1")


# ---- what may be executed ----

@pytest.mark.hoy
@pytest.mark.parametrize("path", ["/bin/mine", "mine", "/closed/true"])
def test_create_refuses_what_start_could_not_execute(bundle, runtime, path):
    """As the process will be: root's right to pass over modes is not its own."""
    bundle.file("/bin/mine", "#!/bin/sh\n", 0o700)
    (bundle.rootfs / "closed").mkdir(0o700)
    os.link(bundle.rootfs / "bin/busybox", bundle.rootfs / "closed/true")
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    runtime.refuses(bundle.args(path), "process.args[0]", path, "Permission denied", status=126)


@pytest.mark.hoy
def test_the_right_to_pass_over_modes(bundle, runtime):
    bundle.file("/bin/mine", "#!/bin/sh\necho ran\n", 0o711).chmod(0o711)
    (bundle.rootfs / "closed").mkdir(0o700)
    (bundle.rootfs / "bin/mine").rename(bundle.rootfs / "closed/mine")
    (bundle.rootfs / "closed/mine").chmod(0o755)
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    bundle.capabilities("CAP_DAC_OVERRIDE", sets=["bounding", "permitted", "effective", "inheritable", "ambient"])
    assert runtime.run(bundle.args("/closed/mine")).ok().stdout == "ran\n"
