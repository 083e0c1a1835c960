"""runtime.md, life cycle and operations: create, start, state, kill, delete, run, list."""

import json
import os
import re
import signal
import threading
import time
from pathlib import Path

import pytest

from bundle import busybox
from runtime import wait_until

req = pytest.mark.req

BAD_IDS = ["", ".", "..", ".x", "a/b", "../x", "/x", "a b", "a\n", "ä", "a:b", "a\x1b[2J", "x" * 241,
           "x" * 2000]
SEMVER = re.compile(r"\d+\.\d+\.\d+(-[\w.]+)?(\+[\w.]+)?")


def silent(result):
    assert result.silent().stdout == "", result
    return result


def mark(bundle):
    """The program leaves a mark where the host sees it; returns its path."""
    bundle.sh("echo ran >>/ran")
    return bundle.rootfs / "ran"


@req("lifecycle.01.create-invoked", "lifecycle.06.start-invoked", "lifecycle.11.delete-invoked",
     "operations.supported", "state.status.created", "state.status.running", "state.status.stopped",
     "state.status.required", "op.state.deleted", "runtime.scope.same-entity")
def test_the_whole_life(bundle, runtime):
    bundle.args("/bin/sleep", "1000")
    silent(runtime.create(bundle))
    assert runtime("state", "c1", cwd="/tmp").ok().json["status"] == "created"
    silent(runtime("start", "c1", cwd="/usr"))
    assert runtime("state", "c1").ok().json["status"] == "running"
    silent(runtime("kill", "c1", "KILL", cwd="/etc"))
    wait_until(lambda: runtime("state", "c1").json["status"] == "stopped", "the end")
    silent(runtime("delete", "c1"))
    result = runtime("state", "c1").fails("c1", "does not exist")
    assert result.stdout == ""


@req("lifecycle.02.program-not-run", "lifecycle.08.program-run", "op.create.args-deferred",
     "op.start.runs-program")
def test_the_program_runs_at_start_and_once(bundle, runtime):
    ran = mark(bundle)
    with runtime.created(bundle) as container:
        assert b"ran" not in container.proc("cmdline").read_bytes()
        time.sleep(0.1)
        assert not ran.exists()
        container.start().ok()
        container.wait()
        assert ran.read_text() == "ran\n"


@req("op.create.new-container", "state.pid.created-running", "lifecycle.02.environment-created")
def test_pid_is_that_of_the_program(bundle, runtime):
    with runtime.created(bundle.args("/bin/sleep", "1000")) as container:
        created = container.pid
        assert container.namespace("pid") != os.readlink("/proc/self/ns/pid")
        container.start().ok()
        assert container.pid == created
        assert container.proc("cmdline").read_bytes() == b"/bin/sleep\0001000\0"


# ---- state ----

@req("op.state.returns-state", "state.ociVersion", "state.id.reported", "state.bundle.absolute",
     "state.schema", "state.annotations.reported", "state.additional-properties",
     "config.annotations.value.empty", "config.annotations.unknown", "config.annotations.reserved")
@pytest.mark.hoy
def test_state_as_the_command_line_promises(bundle, runtime):
    annotations = {"com.x": "1", "com.y": "", "org.opencontainers.image.os": "linux",
                   "org.opencontainers.foo": "é\"\\"}
    bundle.config["annotations"] = annotations
    bundle.args("/bin/sleep", "1000")
    with runtime.created(bundle, name="a_B-1.2+x") as container:
        state = container.state
        assert list(state) == ["ociVersion", "id", "pid", "status", "bundle", "rootfs", "created",
                               "annotations", "owner"]
        assert SEMVER.fullmatch(state["ociVersion"])
        assert state["id"] == "a_B-1.2+x"
        assert state["bundle"] == str(bundle.path)
        assert state["rootfs"] == str(bundle.rootfs)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", state["created"])
        assert state["annotations"] == annotations
        assert state["owner"] == "root"


@req("state.annotations.empty", "config.annotations.empty")
def test_state_without_annotations(bundle, runtime):
    bundle.config["annotations"] = {}
    with runtime.created(bundle) as container:
        assert container.state.get("annotations", {}) == {}


@req("state.pid.optional-otherwise", "state.status.stopped", "lifecycle.10.exit-any-cause")
@pytest.mark.parametrize("script", ["exit 0", "exit 3", "kill -ABRT $$; exit 1"])
def test_stopped_after_any_end(bundle, runtime, script):
    with runtime.running(bundle.sh(script)) as container:
        container.wait()
        assert container.state.get("pid", 0) == 0
        silent(container.delete())


@req("state.status.stopped", "op.kill.created")
def test_kill_of_a_created_container(bundle, runtime):
    with runtime.created(bundle) as container:
        silent(container.kill("KILL"))
        container.wait()
        container.start().fails("c1", "stopped")


@req("state.bundle.absolute", "config.root.path.relative")
def test_relative_bundle(bundle, runtime):
    bundle.write()
    silent(runtime("create", "--bundle", "./bundle", "c1", cwd=bundle.path.parent))
    assert runtime("state", "c1").json["bundle"] == str(bundle.path)
    silent(runtime("delete", "--force", "c1"))


@req("bundle.config-json.location", "op.create.no-bundle-or-id")
def test_the_working_directory_is_the_default_bundle(bundle, runtime):
    bundle.write()
    silent(runtime("create", "c1", cwd=bundle.path))
    silent(runtime("delete", "--force", "c1"))


@req("bundle.config-json.location")
def test_no_config_json(bundle, runtime):
    (bundle.path / "Config.json").write_text(json.dumps(bundle.config))
    runtime("create", "--bundle", bundle.path, "c1").fails("config.json", "No such file or directory")
    runtime("state", "c1").fails("c1", "does not exist")


@pytest.mark.hoy
def test_another_configuration_file(bundle, runtime, scratch):
    bundle.args("/bin/echo", "other")
    (scratch / "other.json").write_text(json.dumps(bundle.config))
    result = runtime("run", "--bundle", bundle.path, "--config", scratch / "other.json", "c1")
    assert result.silent().stdout == "other\n"


@req("bundle.single-directory")
@pytest.mark.parametrize("name", ["with space", "per%cent", "new\nline", "é", "-dash", "a:b,c\\d"])
def test_odd_bundle_names(make_bundle, runtime, name):
    bundle = make_bundle(name)
    with runtime.running(bundle.sh("echo inside")) as container:
        assert container.state["bundle"] == str(bundle.path)
        container.wait()
        assert container.output == "inside\n"


@req("lifecycle.02.config-frozen", "op.create.later-changes")
def test_later_changes_of_the_configuration_have_no_effect(bundle, runtime, scratch):
    bundle.config["annotations"] = {"com.x": "old"}
    bundle.hook_sh("poststart", f"echo old >>{scratch}/poststart")
    bundle.hook_sh("poststop", f"echo old >>{scratch}/poststop")
    with runtime.created(bundle.args("/bin/echo", "old")) as container:
        bundle.config["annotations"] = {"com.x": "new"}
        bundle.args("/bin/echo", "new").config["hooks"] = {}
        bundle.write()
        container.start().ok()
        container.wait()
        assert container.output == "old\n"
        assert container.state["annotations"] == {"com.x": "old"}
        (bundle.path / "config.json").unlink()
        container.delete().ok()
    assert (scratch / "poststart").read_text() == (scratch / "poststop").read_text() == "old\n"


# ---- the wrong order, the wrong id ----

@req("op.state.nonexistent", "op.start.not-created.error", "op.kill.wrong-state.error",
     "op.delete.nonexistent")
@pytest.mark.parametrize("words", [("state", "c1"), ("start", "c1"), ("kill", "c1", "KILL"),
                                   ("delete", "c1"), ("exec", "c1", "true")])
def test_an_id_that_does_not_exist(runtime, words):
    assert runtime(*words).fails("c1", "does not exist",
                                 status=255 if words[0] == "exec" else 1).stdout == ""


def test_forced_delete_of_an_id_that_does_not_exist(runtime):
    silent(runtime("delete", "--force", "c1"))


@req("op.start.not-created.error", "op.start.not-created.no-effect")
def test_start_of_a_running_container(bundle, runtime, scratch):
    bundle.hook_sh("poststart", f"echo hook >>{scratch}/hook")
    bundle.sh("echo ran >>/ran; sleep 1000")
    with runtime.running(bundle) as container:
        wait_until((bundle.rootfs / "ran").exists, "the program")
        before = container.state
        container.start().fails("c1", "running")
        assert container.state == before
        assert (bundle.rootfs / "ran").read_text() == "ran\n"
        assert (scratch / "hook").read_text() == "hook\n"


@req("op.start.not-created.error")
def test_start_of_a_stopped_container(bundle, runtime):
    with runtime.running(bundle) as container:
        container.wait()
        container.start().fails("c1", "stopped")
        assert container.status == "stopped"


@req("op.delete.not-stopped.error", "op.delete.not-stopped.no-effect")
def test_delete_of_a_running_container(bundle, runtime):
    with runtime.sleeping(bundle) as container:
        before = container.state
        container.delete().fails("c1", "running")
        assert container.state == before
        assert container.proc("status").exists()


def test_delete_of_a_created_container(bundle, runtime):
    with runtime.created(bundle) as container:
        pid = container.pid
        silent(container.delete())
        runtime("state", "c1").fails("does not exist")
        assert not os.path.exists(f"/proc/{pid}/exe")


@req("op.delete.not-stopped.error", "op.delete.not-stopped.no-effect")
@pytest.mark.hoy
def test_strict_delete_of_a_created_container(bundle, runtime):
    with runtime.created(bundle.args("/bin/echo", "ran")) as container:
        runtime("--strict", "delete", "c1").fails("c1", "created")
        assert container.status == "created"
        container.start().ok()
        container.wait()
        assert container.output == "ran\n"


@req("op.delete.resources")
def test_forced_delete_of_a_running_container(bundle, runtime):
    with runtime.sleeping(bundle):
        silent(runtime("delete", "--force", "c1"))
        runtime("state", "c1").fails("does not exist")


@req("op.kill.wrong-state.error", "op.kill.wrong-state.no-effect")
@pytest.mark.parametrize("number", ["KILL", "0", "TERM"])
def test_kill_of_a_stopped_container(bundle, runtime, number):
    with runtime.running(bundle) as container:
        container.wait()
        before = container.state
        container.kill(number).fails("c1", "container not running")
        assert container.state == before


@req("op.create.id-in-use")
def test_create_of_an_id_in_use(bundle, make_bundle, runtime):
    with runtime.created(bundle.args("/bin/echo", "first")) as container:
        before = container.state
        other = make_bundle()
        runtime.create(other).fails("c1", "already exists")
        assert not other.cgroup.exists()
        assert container.state == before
        container.start().ok()
        container.wait()
        assert container.output == "first\n"


@req("op.create.id-invalid")
@pytest.mark.parametrize("name", BAD_IDS, ids=lambda name: repr(name[:10]))
def test_bad_ids_are_refused_by_every_command(bundle, runtime, name):
    bundle.write()
    for words in (["create", "--bundle", bundle.path], ["run", "--bundle", bundle.path], ["state"],
                  ["start"], ["kill"], ["delete"], ["delete", "--force"], ["exec"]):
        rest = ["true"] if words[0] == "exec" else []
        result = runtime(*words, "--", name, *rest)
        result.fails("container id", status=255 if words[0] == "exec" else 1)
        assert "\x1b" not in result.stderr
        assert len(result.stderr) <= 4096
    assert not runtime.state_root.exists() or not any(
        entry for entry in runtime.state_root.iterdir() if not entry.name.startswith("."))


@req("state.id.reported")
def test_the_longest_id(bundle, runtime):
    name = "x" * 240
    with runtime.created(bundle, name=name) as container:
        assert container.state["id"] == name


@req("op.state.no-id", "op.start.no-id", "op.kill.no-id", "op.delete.no-id",
     "op.create.no-bundle-or-id")
@pytest.mark.hoy
@pytest.mark.parametrize("command", ["create", "run", "start", "state", "kill", "delete", "exec"])
def test_no_id(bundle, runtime, command):
    bundle.write()
    result = runtime(command, cwd=bundle.path)
    assert result.status == 1
    assert len([line for line in result.stderr.splitlines() if line.startswith("usage: ")]) == 1


# ---- kill ----

@req("op.kill.sends-signal")
def test_signals_by_every_kind_of_name(bundle, runtime):
    names = {"USR1": 10, "SIGUSR2": 12, "hup": 1, "sigint": 2, "3": 3, "TERM": 15, "34": 34,
             "RTMIN+3": 37, "SIGRTMAX-2": 62, "RTMAX": 64, "WINCH": 28}
    bundle.args("/bin/probe", "catch", *map(str, names.values()))
    with runtime.running(bundle) as container:
        wait_until(lambda: container.output == "ready\n", "the program")
        for count, (name, number) in enumerate(names.items(), 2):
            silent(container.kill(name))
            wait_until(lambda n=count: container.output.count("\n") == n, name)
            assert container.output.splitlines()[-1] == str(number)


@req("op.kill.sends-signal")
def test_term_is_the_default_signal(bundle, runtime):
    with runtime.running(bundle.args("/bin/probe", "catch", "15")) as container:
        wait_until(lambda: container.output == "ready\n", "the program")
        silent(container.kill())
        wait_until(lambda: container.output == "ready\n15\n", "SIGTERM")


@req("op.kill.unknown-signal")
@pytest.mark.parametrize("name", ["NOSUCH", "99", "65", "-1", "RTMIN+40", "RTMAX-64", "1x", "", "KILL9"])
def test_unknown_signals(bundle, runtime, name):
    with runtime.sleeping(bundle) as container:
        runtime("kill", "--", "c1", name).fails("signal", name)
        assert container.status == "running"


def test_kill_all_without_a_pid_namespace(bundle, runtime):
    """Nobody but the cgroup knows who belongs to the container then."""
    bundle.without_namespace("pid")
    with runtime.running(bundle.sh("sleep 1000 & setsid sleep 1000 & wait")) as container:
        wait_until(lambda: len(pids(bundle)) == 3, "three processes")
        silent(container.kill("--all", "KILL"))
        container.wait()
        wait_until(lambda: pids(bundle) == [], "their end")


def test_delete_kills_what_is_left_without_a_pid_namespace(bundle, runtime):
    bundle.without_namespace("pid")
    with runtime.running(bundle.sh("setsid sleep 1000 & :")) as container:
        container.wait()
        assert len(pids(bundle)) == 1
        silent(container.delete())
        assert not bundle.cgroup.exists()


def test_kill_with_a_pid_namespace_ends_all(bundle, runtime):
    with runtime.running(bundle.sh("sleep 1000 & sleep 1000 & wait")) as container:
        wait_until(lambda: len(pids(bundle)) == 3, "three processes")
        silent(container.kill("KILL"))
        container.wait()
        wait_until(lambda: pids(bundle) == [], "their end")


def pids(bundle):
    return (bundle.cgroup / "cgroup.procs").read_text().split()


# ---- delete ----

@req("op.delete.resources", "lifecycle.12.destroy", "linux.cgroupsPath.created")
def test_delete_removes_nested_cgroups_too(bundle, runtime):
    with runtime.sleeping(bundle) as container:
        nested = bundle.cgroup / "a/b"
        nested.mkdir(parents=True)
        (nested / "cgroup.procs").write_text(str(container.pid))
        container.kill("KILL")
        container.wait()
        silent(container.delete())
        assert not bundle.cgroup.exists()


@req("op.delete.foreign-resources")
def test_delete_leaves_what_it_has_not_made(bundle, runtime):
    parent = bundle.cgroup / "parent"
    parent.mkdir(parents=True)
    bundle.linux["cgroupsPath"] += "/parent/child"
    with runtime.running(bundle) as container:
        container.wait()
        silent(container.delete())
    assert parent.is_dir()
    parent.rmdir()
    parent.parent.rmdir()
    assert (bundle.rootfs / "bin/busybox").exists()


@req("op.delete.id-reuse")
def test_an_id_can_be_used_again(bundle, runtime):
    for text in ("one", "two"):
        with runtime.running(bundle.args("/bin/echo", text)) as container:
            container.wait()
            assert container.output == f"{text}\n"
            silent(container.delete())


# ---- run ----

@pytest.mark.parametrize("script, status", [("exit 0", 0), ("exit 3", 3), ("exit 255", 255),
                                            ("kill -KILL $$; sleep 9", 137)])
def test_run_returns_the_programs_status(bundle, runtime, script, status):
    bundle.without_namespace("pid")
    assert runtime.sh(bundle, script).status == status
    runtime("state", "c1").fails("does not exist")


@pytest.mark.hoy
def test_run_forwards_signals(bundle, runtime):
    bundle.args("/bin/sh", "-c", "trap 'echo got; exit 7' TERM; echo ready; while :; do sleep .01; done")
    process = runtime.popen("run", "--bundle", bundle.write(), "c1")
    wait_until(lambda: os.pread(process.out.fileno(), 99, 0) == b"ready\n", "the program")
    process.send_signal(signal.SIGTERM)
    result = runtime.finish(process)
    assert (result.status, result.stdout) == (7, "ready\ngot\n")


# The C library keeps the first ones for itself, and not every one the same.
@pytest.mark.hoy
@pytest.mark.parametrize("number", [34, 64])
def test_run_forwards_real_time_signals(bundle, runtime, number):
    process = runtime.popen("run", "--bundle", bundle.args("/bin/probe", "catch", str(number)).write(),
                            "c1")
    wait_until(lambda: os.pread(process.out.fileno(), 99, 0) == b"ready\n", "the program")
    process.send_signal(number)
    wait_until(lambda: os.pread(process.out.fileno(), 99, 0) == f"ready\n{number}\n".encode(),
               "the signal")
    runtime("kill", "c1", "KILL").ok()
    assert runtime.finish(process).status == 137


def test_run_detached(bundle, runtime):
    result = silent(runtime.run(bundle.args("/bin/sleep", "1000"), "--detach"))
    assert runtime("state", "c1").json["status"] == "running"
    silent(runtime("delete", "--force", "c1"))
    assert result.seconds < 5


@pytest.mark.hoy
def test_run_keep(bundle, runtime):
    assert runtime.run(bundle.args("/bin/true"), "--keep").ok()
    assert runtime("state", "c1").json["status"] == "stopped"
    silent(runtime("delete", "c1"))


@pytest.mark.hoy
def test_single_dash_long_options(bundle, runtime):
    assert runtime.run(bundle.args("/bin/echo", "ok"), "-no-subreaper").ok().stdout == "ok\n"


def test_stdin_reaches_the_program(bundle, runtime, scratch):
    (scratch / "in").write_text("hello")
    with open(scratch / "in") as stdin:
        assert runtime.run(bundle.args("/bin/cat"), stdin=stdin).ok().stdout == "hello"


# ---- files that engines read ----

def test_pid_file(bundle, runtime, scratch):
    """Decimal without a line feed, put in its place as a whole: whoever has the old one keeps it."""
    path = scratch / "pid"
    path.write_text("old")
    os.link(path, scratch / "link")
    with runtime.created(bundle, "--pid-file", path) as container:
        assert path.read_text() == str(container.pid)
        assert (scratch / "link").read_text() == "old"
        assert sorted(os.listdir(scratch)) == ["bundle", "link", "pid"]


@req("errors.no-residue")
def test_pid_file_that_cannot_be_written(bundle, runtime, scratch):
    bundle.write()
    runtime("create", "--bundle", bundle.path, "--pid-file", scratch / "no/such", "c1").fails(
        "no/such", "No such file or directory")
    runtime("state", "c1").fails("does not exist")


@req("errors.no-residue")
def test_no_pid_file_after_a_failure(bundle, runtime, scratch):
    runtime.create(bundle.args("/no/such"), "--pid-file", scratch / "pid").fails(
        "no such file or directory", status=127)
    assert os.listdir(scratch) == ["bundle"]


@pytest.mark.hoy
def test_list(bundle, make_bundle, runtime):
    assert runtime("list", "--format", "json").silent().json == []
    assert runtime("list", "--quiet").silent().stdout == ""
    with runtime.created(bundle, name="b"), \
            runtime.sleeping(make_bundle(), name="a") as container:
        state = container.state
        listed = runtime("list", "-f", "json").silent().json
        assert [(entry["id"], entry["status"]) for entry in listed] == [("a", "running"),
                                                                        ("b", "created")]
        assert listed[0]["pid"] == state["pid"] and listed[0]["bundle"] == state["bundle"]
        assert runtime("list", "-q").silent().stdout == "a\nb\n"
        table = [line.split() for line in runtime("list").silent().stdout.splitlines()]
        assert table[0] == ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]
        assert table[1] == ["a", str(state["pid"]), "running", state["bundle"], state["created"],
                            "root"]


# ---- status is never fooled ----

@req("state.status.pid-reuse")
@pytest.mark.hoy
def test_a_reused_pid_is_not_the_container(bundle, runtime):
    """Another process with the pid of the ended one, as after a wrap of the pid numbers."""
    with runtime.running(bundle) as container:
        pid = container.pid or int(json.loads(
            (runtime.state_root / "c1/state.json").read_text())["pid"])
        container.wait()
        wait_until(lambda: not reap(pid), "init to be reaped")
        # A process that begins within the same 10 ms has the same start time too.
        time.sleep(0 if has_process_inodes() else 0.02)
        process = process_with_pid(pid)
        try:
            assert container.status == "stopped"
            container.kill("KILL").fails("container not running")
            container.delete().ok()
            assert process_is_alive(process)
        finally:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)


@req("state.status.pid-reuse")
@pytest.mark.hoy
def test_a_pid_reused_at_once_is_not_the_container(bundle, runtime):
    """Another process with the pid and the start time of the ended one: that counts in 10 ms."""
    if not has_process_inodes():
        pytest.skip("the kernel has no pidfs: before Linux 6.9 the two cannot be told apart")
    with runtime.running(bundle) as container:
        container.wait()
        path = runtime.state_root / "c1/state.json"
        text = path.read_text()
        record = json.loads(text)
        assert record["pidInode"] > 0
        wait_until(lambda: not reap(record["pid"]), "init to be reaped")
        process = process_with_pid(record["pid"])
        try:
            record["startTime"] = int(Path(f"/proc/{process}/stat").read_text().split()[21])
            path.write_text(json.dumps(record))
            assert container.status == "stopped"
            container.kill("KILL").fails("container not running")
            assert process_is_alive(process)
            record["pidInode"] = pidfd_status(process).st_ino
            path.write_text(json.dumps(record))
            assert container.status == "running"
        finally:
            path.write_text(text)
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)


def pidfd_status(pid):
    pidfd = os.pidfd_open(pid)
    try:
        return os.fstat(pidfd)
    finally:
        os.close(pidfd)


def has_process_inodes():
    """Whether each process has an inode of its own in pidfs."""
    return pidfd_status(os.getpid()).st_ino != pidfd_status(os.getppid()).st_ino


def reap(pid):
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == 0
    except ChildProcessError:
        return False


def process_with_pid(pid):
    """A process of ours that has this pid."""
    for _attempt in range(100):
        with open("/proc/sys/kernel/ns_last_pid", "w", encoding="ascii") as last:
            last.write(str(pid - 1))
        child = os.fork()
        if child == 0:
            time.sleep(1000)
            os._exit(0)
        if child == pid:
            return child
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    pytest.skip(f"pid {pid} could not be had")


def process_is_alive(pid):
    return os.waitpid(pid, os.WNOHANG) == (0, 0)


# ---- two at once ----

@req("state.id.unique-per-host")
def test_of_two_creates_of_one_id_exactly_one_wins(bundle, make_bundle, runtime):
    bundles = [bundle, make_bundle()]
    for each in bundles:
        each.args("/bin/echo", each.path.name).write()
    for _round in range(5):
        processes = [runtime.popen("create", "--bundle", each.path, "c1") for each in bundles]
        results = [runtime.finish(process) for process in processes]
        assert sorted(result.status for result in results) == [0, 1]
        winner = 0 if results[0].status == 0 else 1
        results[1 - winner].fails("c1", "already exists")
        runtime("start", "c1").ok()
        wait_until(lambda: runtime("state", "c1").json["status"] == "stopped", "the end")
        assert results[winner].stdout == f"{bundles[winner].path.name}\n"
        assert not bundles[1 - winner].cgroup.exists()
        runtime("delete", "c1").ok()


def test_of_two_starts_exactly_one_wins(bundle, runtime):
    for _round in range(3):
        with runtime.created(bundle.sh("echo ran >>/ran; sleep 1000")):
            processes = [runtime.popen("start", "c1") for _ in range(3)]
            results = [runtime.finish(process) for process in processes]
            assert sorted(result.status for result in results) == [0, 1, 1]
            for result in results:
                if result.status:
                    result.fails("c1", "running")
            wait_until((bundle.rootfs / "ran").exists, "the program")
        assert (bundle.rootfs / "ran").read_text() == "ran\n"
        (bundle.rootfs / "ran").unlink()


def test_create_against_forced_delete(bundle, runtime):
    """Whatever the order: one of two consistent ends, never a half one."""
    bundle.args("/bin/sleep", "1000").write()
    for delay in range(10):
        create = runtime.popen("create", "--bundle", bundle.path, "c1")
        time.sleep(delay / 1000)
        delete = runtime.finish(runtime.popen("delete", "--force", "c1"))
        created = runtime.finish(create)
        if runtime("state", "c1").status == 0:
            assert created.status == 0
        delete.ok()
        runtime("delete", "--force", "c1").ok()
        assert not bundle.cgroup.exists()


def test_state_and_list_while_containers_come_and_go(bundle, runtime):
    """Readers take no lock: they answer at once, and with nothing but the truth."""
    stop = threading.Event()
    wrong = []

    def look():
        while not stop.is_set():
            result = runtime("list", "-f", "json")
            if result.status != 0 or any(entry["status"] not in ("created", "running", "stopped",
                                                                 "creating")
                                         for entry in result.json or []):
                wrong.append(str(result))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for _round in range(10):
            assert runtime.run(bundle.args("/bin/true")).status == 0
    finally:
        stop.set()
        thread.join()
    assert wrong == []


@req("lifecycle.12.destroy", "errors.no-residue")
def test_a_hundred_lives_leave_nothing(bundle, runtime):
    bundle.args("/bin/true").write()
    for _round in range(100):
        runtime("run", "--bundle", bundle.path, "c1").silent()


@req("op.create.cannot-apply", "lifecycle.02.unable-error", "errors.no-residue")
@pytest.mark.parametrize("spoil, words", [
    (lambda b: b.mount("/x", "nosuchfs", "x"), ["mounts[3]", "nosuchfs"]),
    (lambda b: b.linux.update(sysctl={"kernel.shm_nosuch": "1"}), ["linux.sysctl", "kernel.shm_nosuch"]),
    (lambda b: b.namespace("foo"), ["linux.namespaces[6].type", "foo"]),
    (lambda b: b.process.update(cwd="/etc/passwd"), ["process.cwd"]),
    (lambda b: b.hook("createContainer", busybox(), "false"), ["hooks.createContainer[0]"]),
])
def test_a_late_failure_leaves_nothing_and_the_id_free(bundle, make_bundle, runtime, spoil, words):
    spoil(bundle)
    runtime.refuses(bundle, *words)
    assert not bundle.cgroup.exists()
    assert runtime.run(make_bundle().args("/bin/echo", "ok")).ok().stdout == "ok\n"


@req("config.ociVersion.compat", "config.ociVersion.semver")
@pytest.mark.hoy
@pytest.mark.parametrize("version", ["1.0.0", "1.0.2", "1.0.2-dev", "1.1.0", "1.2.0+x", "1.2.1", "1.3.0",
                                     "1.99.0"])
def test_versions_that_run(bundle, runtime, version):
    bundle.config["ociVersion"] = version
    assert runtime.run(bundle.args("/bin/echo", "ok")).ok().stdout == "ok\n"


@req("config.ociVersion.semver", "config.ociVersion.unsupported", "config.ociVersion.required")
@pytest.mark.hoy
@pytest.mark.parametrize("version", ["invalid", "1.0", "v1.0.0", "2.0.0", "0.9.0", ""])
def test_versions_that_are_refused(bundle, runtime, version):
    bundle.config["ociVersion"] = version
    runtime.refuses(bundle, "ociVersion", version)


@req("op.start.no-process", "config.process.optional", "config.process.required-at-start")
@pytest.mark.hoy
def test_no_process(bundle, runtime):
    del bundle.config["process"]
    with runtime.created(bundle) as container:
        container.start().fails("c1", "process")
        assert container.status == "created"


@req("glossary.json.order")
def test_members_in_another_order(bundle, runtime):
    bundle.config = dict(reversed(bundle.config.items()))
    bundle.linux["namespaces"].reverse()
    assert runtime.run(bundle.args("/bin/echo", "ok")).ok().stdout == "ok\n"


@req("config.unknown-property.ignored", "config.other-platforms")
def test_unknown_members_are_ignored(bundle, runtime):
    unknown = {"x": [1, {"y": None}], "z": -1.5e300}
    for where in (bundle.config, bundle.process, bundle.linux, bundle.config["mounts"][0]):
        where["zzUnknown"] = unknown
    bundle.config |= {"solaris": {}, "windows": {"layerFolders": ["x"]}}
    assert runtime.run(bundle.args("/bin/echo", "ok")).ok().stdout == "ok\n"


def test_programs_that_end_at_once(bundle, runtime):
    """run never misses an end, however early it comes; with a terminal neither."""
    bundle.args("/bin/true").write()
    for number in range(30):
        bundle.sh(f"exit {number}").process["terminal"] = number % 3 == 0
        assert runtime.run(bundle).status == number
