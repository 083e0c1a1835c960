"""exec: one more process, with the rights of the container's first one and no others."""

import json
import os
import stat
import time

import pytest

import leaks
from bundle import rule
from fixtures import is_long
from runtime import Seen, wait_until

req = pytest.mark.req


def same(first, second, *names):
    for name in names:
        assert first[name] == second[name], name


@pytest.mark.hoy
@pytest.mark.parametrize("user_namespace", [False, True])
def test_rights_are_those_of_init(bundle, runtime, user_namespace):
    """exec without any option: whatever confines the first process confines this one too."""
    if user_namespace:
        bundle.user_namespace()
    bundle.seccomp(rule("ERRNO", "mkdir"))
    bundle.process |= {
        "user": {"uid": 1000, "gid": 1001, "umask": 0o27, "additionalGids": [5, 6]},
        "env": ["PATH=/bin", "A=b"], "cwd": "/tmp", "noNewPrivileges": True, "oomScoreAdj": 400,
        "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 512, "hard": 1024}],
        "capabilities": {name: ["CAP_KILL", "CAP_NET_RAW"] for name in
                         ("bounding", "permitted", "effective", "inheritable", "ambient")}}
    bundle.linux["personality"] = {"domain": "LINUX32"}
    bundle.linux["maskedPaths"] = ["/proc/keys", "/proc/timer_list"]
    bundle.sh("/bin/probe; exec sleep 1000")
    with runtime.running(bundle) as container:
        wait_until(lambda: container.output.endswith("\n"), "the probe")
        first = Seen(container.created.json)
        second = container.probe()
        same(first, second, "affinity", "capabilities", "cgroup", "cwd", "dumpable", "gids",
             "groups", "interfaces", "lsm", "maps", "mountinfo", "namespaces", "no_new_privileges",
             "oom_score_adj", "personality", "rlimits", "scheduler", "seccomp", "secure_bits",
             "signals", "uids", "umask", "uname")
        assert second["env"] == ["PATH=/bin", "A=b", "HOME=/"]
        assert [entry["fd"] for entry in second["fds"]] == [0, 1, 2]
        assert second["ids"]["ppid"] == 0 and second["ids"]["sid"] == second["ids"]["pid"]
        assert second["death_signal"] == 0


def test_status_and_output(bundle, runtime):
    with runtime.sleeping(bundle) as container:
        result = container.exec("--", "/bin/sh", "-c", "echo out; echo err >&2; exit 7")
        assert (result.status, result.stdout, result.stderr) == (7, "out\n", "err\n")
        assert container.exec("--", "/bin/sh", "-c", "kill -KILL $$").status == 137


def test_words_after_the_id_belong_to_the_command(bundle, runtime):
    with runtime.sleeping(bundle):
        assert runtime("exec", "c1", "echo", "--user", "-t", "--", "x").ok().stdout == "--user -t -- x\n"


def test_stdin(bundle, runtime, scratch):
    (scratch / "in").write_text("hello")
    with runtime.sleeping(bundle), open(scratch / "in") as stdin:
        assert runtime("exec", "c1", "cat", stdin=stdin).ok().stdout == "hello"


def test_options(bundle, runtime):
    with runtime.sleeping(bundle) as container:
        seen = container.probe("--cwd", "/tmp", "--env", "A=1", "-e", "B=x=y", "--user", "10:20")
        assert seen["cwd"] == "/tmp"
        assert {"A=1", "B=x=y", "PATH=/bin:/sbin"} <= set(seen["env"])
        assert (seen["uids"], seen["gids"]) == ([10] * 4, [20] * 4)


def test_user_alone(bundle, runtime):
    with runtime.sleeping(bundle) as container:
        assert container.probe("-u", "10")["uids"] == [10] * 4


@req("config.user.uid")
@pytest.mark.hoy
@pytest.mark.parametrize("user", ["1x", "+1", "0x1", "4294967295", "4294967296", "-1", "", ":", "1:", ":1",
                                  "1:2:3", "root", " 1", "1 ", "1.0", "99999999999999999999"])
def test_users_are_numbers(bundle, runtime, user):
    bundle.file("/etc/passwd", "1x:x:0:0::/:\nroot:x:0:0::/:\n1000:x:0:0::/:\n4294967296:x:0:0::/:\n")
    with runtime.sleeping(bundle):
        runtime("exec", f"--user={user}", "c1", "id", "-u").fails("user", user, status=255)


@pytest.mark.hoy
def test_a_user_named_like_a_number(bundle, runtime):
    bundle.file("/etc/passwd", "1000:x:0:0::/evil:\n")
    with runtime.sleeping(bundle) as container:
        assert container.probe("-u", "1000")["uids"] == [1000] * 4


def test_additional_gids(bundle, runtime):
    with runtime.sleeping(bundle) as container:
        seen = container.probe("-u", "10:20", "-g", "5", "-g", "6")
        assert set(seen["groups"]) - {20} == {5, 6}


def test_home_of_another_user(bundle, runtime):
    bundle.file("/etc/passwd", "root:x:0:0::/root:\nme:x:10:20::/home/me:/bin/sh\n")
    with runtime.sleeping(bundle) as container:
        assert "HOME=/home/me" in container.probe("-u", "10")["env"]


@pytest.mark.hoy
def test_capabilities_of_another_user(bundle, runtime):
    """As for the first process: nothing inheritable, nothing ambient that was not configured."""
    with runtime.sleeping(bundle) as container:
        capabilities = container.probe("-u", "10")["capabilities"]
        assert capabilities["inheritable"] == capabilities["ambient"] == capabilities["effective"] == 0
        assert capabilities["bounding"] == 1 << 29 | 1 << 5 | 1 << 10


@pytest.mark.hoy
def test_cap_option(bundle, runtime):
    with runtime.sleeping(bundle) as container:
        capabilities = container.probe("--cap", "CAP_NET_RAW")["capabilities"]
        assert capabilities["effective"] == 1 << 29 | 1 << 5 | 1 << 10 | 1 << 13
        assert capabilities["inheritable"] == capabilities["ambient"] == 0
        runtime("exec", "--cap", "CAP_NOSUCH", "c1", "true").warns("CAP_NOSUCH")


def test_no_new_privileges_option(bundle, runtime):
    with runtime.sleeping(bundle) as container:
        assert container.probe()["no_new_privileges"] == 0
        assert container.probe("--no-new-privs")["no_new_privileges"] == 1


def test_pid_file_and_detach(bundle, runtime, scratch):
    path = scratch / "pid"
    with runtime.sleeping(bundle) as container:
        container.exec("--detach", "--pid-file", path, "--", "/bin/sleep", "999").silent()
        pid = int(path.read_text())
        assert path.read_text() == str(pid)
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            assert file.read() == b"/bin/sleep\x00999\x00"
        assert pid != container.pid
        assert str(pid) in (bundle.cgroup / "cgroup.procs").read_text().split()


def test_process_file(bundle, runtime, scratch):
    """It rules everything below `process`; conmon passes it and no command."""
    process = {"args": ["/bin/probe"], "cwd": "/tmp", "env": ["X=1"], "user": {"uid": 7, "gid": 8},
               "capabilities": {"bounding": ["CAP_KILL"]}, "noNewPrivileges": True,
               "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}]}
    (scratch / "process.json").write_text(json.dumps(process))
    with runtime.sleeping(bundle):
        seen = runtime("exec", "--process", scratch / "process.json", "c1").ok().json
        assert (seen["cwd"], seen["uids"], seen["gids"]) == ("/tmp", [7] * 4, [8] * 4)
        assert "X=1" in seen["env"] and not [e for e in seen["env"] if e.startswith("PATH=")]
        assert seen["capabilities"]["bounding"] == 1 << 5
        assert seen["no_new_privileges"] == 1
        assert seen["rlimits"]["NOFILE"] == [100, 200]


@pytest.mark.hoy
@pytest.mark.parametrize("text, words", [
    ("{", ["process.json"]), ("[]", ["process.json"]),
    ('{"args":["x"],"cwd":"tmp"}', ["cwd", "tmp"]), ('{"args":[],"cwd":"/"}', ["args"]),
    ('{"args":["x"],"cwd":"/","user":{"uid":"1"}}', ["user.uid"]),
    ('{"args":["x"],"cwd":"/","cwd":"/"}', ["cwd"])])
def test_bad_process_files(bundle, runtime, scratch, text, words):
    (scratch / "process.json").write_text(text)
    with runtime.sleeping(bundle):
        runtime("exec", "--process", scratch / "process.json", "c1").fails(*words, status=255)


@pytest.mark.parametrize("program, words", [
    ("nosuch", "executable file not found in $PATH"), ("/no/such", "no such file or directory"),
    ("/etc/passwd", "permission denied"), ("/etc", "permission denied")])
def test_command_that_cannot_run(bundle, runtime, program, words):
    with runtime.sleeping(bundle):
        runtime("exec", "c1", program).fails(program, words, status=255)


def test_no_command(bundle, runtime):
    with runtime.sleeping(bundle):
        runtime("exec", "c1").fails("c1", "command", "--process")


@pytest.mark.parametrize("state", ["created", "stopped"])
@pytest.mark.hoy
def test_exec_wants_a_live_container(bundle, runtime, state):
    with runtime.created(bundle.args("/bin/true")) as container:
        if state == "created":
            # As with runc and crun: the container is there, so a process may join it.
            assert container.exec("--", "/bin/echo", "ok").ok().stdout == "ok\n"
            return
        container.start().ok()
        container.wait()
        container.exec("--", "/bin/true").fails("container not running", status=255)


@pytest.mark.hoy
def test_exec_uses_what_create_has_read(bundle, runtime):
    bundle.process["env"] = ["PATH=/bin", "WHO=create"]
    with runtime.sleeping(bundle) as container:
        bundle.process["env"] = ["PATH=/bin", "WHO=later"]
        bundle.capabilities()
        bundle.write()
        seen = container.probe()
        assert "WHO=create" in seen["env"]
        assert seen["capabilities"]["bounding"] != 0
        (bundle.path / "config.json").unlink()
        assert container.probe()["env"] == seen["env"]


@pytest.mark.hoy
def test_relative_cwd_is_refused(bundle, runtime):
    with runtime.sleeping(bundle):
        runtime("exec", "--cwd", "tmp", "c1", "true").fails("cwd", "tmp", status=255)


def test_exec_without_a_pid_namespace_is_killed_with_the_container(bundle, runtime, scratch):
    bundle.without_namespace("pid")
    with runtime.sleeping(bundle) as container:
        container.exec("--detach", "--", "/bin/sleep", "1000").ok()
        runtime("delete", "--force", "c1").silent()
        assert not bundle.cgroup.exists()


def test_many_at_once(bundle, runtime):
    with runtime.sleeping(bundle):
        processes = [runtime.popen("exec", "c1", "/bin/echo", str(number)) for number in range(8)]
        for number, process in enumerate(processes):
            assert runtime.finish(process).ok().stdout == f"{number}\n"


@pytest.mark.hoy
def test_exec_into_nested_cgroups(bundle, runtime):
    with runtime.sleeping(bundle) as container:
        (bundle.cgroup / "sub").mkdir()
        result = runtime("exec", "--cgroup", "sub", "c1", "/bin/cat", "/proc/self/cgroup")
        assert "0::/sub\n" in result.ok().stdout
        for path in ("../..", "/..", "sub/../..", "nosuch"):
            runtime("exec", "--cgroup", path, "c1", "true").fails("cgroup", path, status=255)
        assert container.status == "running"


@pytest.mark.hoy
def test_exec_terminal_detached_needs_a_console_socket(bundle, runtime):
    with runtime.sleeping(bundle):
        runtime("exec", "-t", "-d", "c1", "true").fails("--console-socket", status=255)


@pytest.mark.hoy
def test_a_set_uid_program_of_exec(bundle, runtime):
    """Without no_new_privs exec can raise the user, as the first process can."""
    program = bundle.rootfs / "tmp/probe"
    program.write_bytes((bundle.rootfs / "bin/probe").read_bytes())
    program.chmod(0o755 | stat.S_ISUID)
    os.chown(program, 0, 0)
    program.chmod(0o755 | stat.S_ISUID)
    with runtime.sleeping(bundle):
        seen = runtime("exec", "-u", "1000", "c1", "/tmp/probe", "uids").ok().json
        assert seen["uids"] == [1000, 0, 0, 0]


@pytest.mark.hoy
def test_a_paused_container(bundle, runtime):
    """Refused; with --ignore-paused the process is there, and runs when the others do."""
    with runtime.sleeping(bundle) as container:
        runtime("pause", "c1").ok()
        container.exec("--", "/bin/true").fails("c1", "paused", status=255)
        process = runtime.popen("exec", "--ignore-paused", "c1", "/bin/echo", "went on")
        time.sleep(0.2)
        assert process.poll() is None
        runtime("resume", "c1").ok()
        assert runtime.finish(process).silent().stdout == "went on\n"


@pytest.mark.hoy
def test_preserved_descriptors(bundle, runtime):
    read, write = os.pipe()

    def arrange():
        os.dup2(read, 200)
        os.dup2(200, 3)
    os.write(write, b"through")
    with runtime.sleeping(bundle):
        words = ("exec", "--preserve-fds", "1", "c1", "/bin/sh", "-c", "head -c 7 <&3; echo; exec /bin/probe fds")
        result = runtime(*words, preexec_fn=arrange, close_fds=False).ok()
        text, seen = result.stdout.splitlines()
        assert text == "through" and [entry["fd"] for entry in json.loads(seen)["fds"]] == [0, 1, 2, 3]
    os.close(read)
    os.close(write)


@pytest.mark.hoy
def test_ends_at_once(bundle, runtime):
    """Whatever ends at which moment: its status comes, and none hangs."""
    with runtime.sleeping(bundle) as container:
        for number in range(40):
            assert container.exec("--", "/bin/sh", "-c", f"exit {number}").status == number
        for number in range(10):
            assert container.exec("--", "/bin/sh", "-c", "kill -KILL $$").status == 137


@pytest.mark.timeout(1200)
@pytest.mark.hoy
def test_a_thousand_leave_nothing(bundle, runtime):
    """Neither descriptors nor cgroups nor zombies, in the container, in its first process or here."""
    count = 10000 if is_long() else 1000
    with runtime.sleeping(bundle) as container:
        def seen():
            return (sorted(os.listdir(container.proc("fd"))), sorted(os.listdir(runtime.state_root / "c1")),
                    [path.name for path in bundle.cgroup.iterdir() if path.is_dir()],
                    (bundle.cgroup / "cgroup.procs").read_text(), container.proc("mountinfo").read_text())
        before = seen()
        for first in range(0, count, 4):
            processes = [runtime.popen("exec", "c1", "/bin/sh", "-c", f"exit {number % 7}")
                         for number in range(first, first + 4)]
            for number, process in enumerate(processes, first):
                assert process.wait(timeout=20) == number % 7
            runtime.close()
        wait_until(lambda: seen() == before, "nothing to be left")
        assert not [name for pid, (state, name) in leaks.children().items() if state == "Z"]
