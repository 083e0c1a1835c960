"""config-linux.md, cgroupsPath: where a container's cgroup is, without any controller; annotations."""

import subprocess
import time

import pytest

from runtime import wait_until

req = pytest.mark.req
pytestmark = pytest.mark.hoy


@req("linux.cgroupsPath.absolute", "linux.cgroupsPath.created", "linux.cgroupsPath.consistent")
@pytest.mark.parametrize("cwd", ["/", "/tmp"])
def test_every_level_is_made_and_removed(bundle, runtime, session, cwd):
    bundle.linux["cgroupsPath"] += "/x/y/z"
    with runtime.created(bundle, cwd=cwd) as container:
        assert (bundle.cgroup / "cgroup.procs").read_text().split() == [str(container.pid)]
    assert not bundle.cgroup.exists()
    # The levels above may be shared with others; whoever comes last may leave them to the caller.
    for parent in (bundle.cgroup.parent, bundle.cgroup.parent.parent, bundle.cgroup.parent.parent.parent):
        if parent.exists():
            parent.rmdir()
    assert session.cgroup.exists()


@req("linux.cgroupsPath.created")
@pytest.mark.parametrize("path", ["/{0}//a/", "/{0}/./a", "/./{0}/a/."])
def test_paths_are_cleaned(bundle, runtime, session, path):
    bundle.linux["cgroupsPath"] = path.format(f"{session.name}/clean{session.count}")
    top = session.cgroup / f"clean{session.count}"
    with runtime.created(bundle) as container:
        assert (top / "a/cgroup.procs").read_text().split() == [str(container.pid)]
    if top.exists():
        top.rmdir()


@req("linux.cgroupsPath.existing")
def test_an_existing_cgroup_keeps_its_values(bundle, runtime):
    bundle.cgroup.mkdir()
    (bundle.cgroup / "cgroup.max.descendants").write_text("77")
    with runtime.created(bundle):
        assert (bundle.cgroup / "cgroup.max.descendants").read_text() == "77\n"
    if bundle.cgroup.exists():
        bundle.cgroup.rmdir()


@req("linux.cgroupsPath.default")
def test_two_containers_have_two_cgroups(bundle, make_bundle, runtime):
    other = make_bundle()
    with runtime.created(bundle, name="a") as first, runtime.created(other, name="b") as second:
        assert first.proc("cgroup").read_text() != second.proc("cgroup").read_text()
        assert (bundle.cgroup / "cgroup.procs").read_text().split() == [str(first.pid)]
        assert (other.cgroup / "cgroup.procs").read_text().split() == [str(second.pid)]


@req("linux.cgroupsPath.existing")
def test_two_containers_cannot_share_one(bundle, make_bundle, runtime):
    other = make_bundle()
    other.linux["cgroupsPath"] = bundle.linux["cgroupsPath"]
    with runtime.sleeping(bundle, name="a") as first:
        runtime.create(other, name="b").fails("cgroup")
        runtime("delete", "--force", "b").ok()
        assert first.status == "running"


def test_no_cgroup_at_all(bundle, runtime):
    runtime.globals.append("--cgroup-manager=disabled")
    with runtime.sleeping(bundle) as container:
        assert not bundle.cgroup.exists()
        assert f"0::{bundle.linux['cgroupsPath']}" not in container.proc("cgroup").read_text()
        container.kill("KILL").silent()
        container.wait()
        container.delete().silent()


def test_no_cgroup_and_no_pid_namespace_is_still_deleted(bundle, runtime):
    runtime.globals.append("--cgroup-manager=disabled")
    bundle.without_namespace("pid")
    with runtime.sleeping(bundle):
        runtime("delete", "--force", "c1").ok()


def test_resources_without_a_cgroup_are_refused(bundle, runtime):
    runtime.globals.append("--cgroup-manager=disabled")
    bundle.linux["resources"] = {"pids": {"limit": 100}}
    runtime.refuses(bundle, "linux.resources.pids")


@req("linux.cgroups.fitness-check", "op.delete.resources")
def test_a_forking_payload_cannot_survive(bundle, runtime):
    """Without a pid namespace only the cgroup knows them all."""
    bundle.without_namespace("pid")
    bundle.sh("f() { sleep 0.01 & f & }; while :; do (setsid sleep 1000 &); done")
    with runtime.running(bundle):
        while len((bundle.cgroup / "cgroup.procs").read_text().split()) < 50:
            pass
        runtime("delete", "--force", "c1").silent()
        assert not bundle.cgroup.exists()


# ---- pause ----

@req("state.status.custom-values")
def test_pause_and_resume(bundle, runtime):
    with runtime.sleeping(bundle) as container:
        runtime("pause", "c1").silent()
        assert container.status == "paused"
        assert "frozen 1" in (bundle.cgroup / "cgroup.events").read_text()
        runtime("exec", "c1", "true").fails("paused", status=255)
        runtime("resume", "c1").silent()
        assert container.status == "running"
        runtime("pause", "c1").silent()
        runtime("delete", "--force", "c1").silent()


def test_pause_of_a_created_container(bundle, runtime):
    """It cannot be started before it is resumed, and is created again then."""
    with runtime.created(bundle.args("/bin/sleep", "1000")) as container:
        runtime("pause", "c1").silent()
        assert container.status == "paused"
        container.start().fails("cannot be started: it is paused")
        runtime("resume", "c1").silent()
        assert container.status == "created"
        container.start().silent()
        assert container.status == "running"


def test_a_signal_to_a_paused_container_waits(bundle, runtime):
    bundle.sh("trap 'exit 5' TERM; echo ready; while :; do sleep 0.1; done")
    with runtime.running(bundle) as container:
        wait_until(lambda: container.output == "ready\n", "the trap")
        runtime("pause", "c1").silent()
        container.kill("TERM").silent()
        time.sleep(0.3)
        assert container.status == "paused"
        runtime("resume", "c1").silent()
        container.wait()
        assert container.status == "stopped"
        runtime("pause", "c1").fails("container not running")
        runtime("resume", "c1").fails("container not paused")


def test_exec_ignores_a_pause_until_it_ends(bundle, runtime):
    with runtime.sleeping(bundle):
        runtime("pause", "c1").silent()
        waiting = runtime.popen("exec", "--ignore-paused", "c1", "/bin/echo", "resumed")
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(0.5)
        runtime("resume", "c1").silent()
        assert runtime.finish(waiting).silent().stdout == "resumed\n"


@pytest.mark.parametrize("how", ["kill", "delete"])
def test_a_payload_that_freezes_itself_can_be_ended(bundle, runtime, how):
    bundle.mount("/sys/fs/cgroup", "cgroup", "cgroup", ["nosuid", "noexec", "nodev"])
    bundle.sh("cd /sys/fs/cgroup && mkdir leaf && echo $$ >leaf/cgroup.procs && echo 1 >leaf/cgroup.freeze")
    with runtime.running(bundle) as container:
        events = bundle.cgroup / "leaf/cgroup.events"
        wait_until(lambda: events.exists() and "frozen 1" in events.read_text(), "the freeze")
        assert container.status == "running"
        if how == "kill":
            container.kill("KILL").silent()
            container.wait()
        container.delete("--force").silent()
        assert not bundle.cgroup.exists()


# ---- annotations ----

@pytest.mark.parametrize("value, words", [
    pytest.param([], "annotations", marks=req("config.annotations.map")),
    pytest.param("x", "annotations", marks=req("config.annotations.map")),
    pytest.param({"": "x"}, "annotations", marks=req("config.annotations.key.nonempty")),
    pytest.param({"a": 1}, "annotations", marks=req("config.annotations.value.string")),
    pytest.param({"a": None}, "annotations", marks=req("config.annotations.value.string"))])
def test_annotations_that_are_refused(bundle, runtime, value, words):
    bundle.config["annotations"] = value
    runtime.refuses(bundle, words)


@req("config.annotations.key.reverse-domain", "config.annotations.reserved.unknown",
     "config.annotations.reserved.values")
def test_annotations_of_any_name(bundle, runtime):
    annotations = {"foo": "bar", "org.opencontainers.foo": "x",
                   "org.opencontainers.image.stopSignal": "NOSUCH"}
    bundle.config["annotations"] = annotations
    with runtime.sleeping(bundle) as container:
        assert container.state["annotations"] == annotations


# An older kernel has no list of the files that may be given away.
WITHOUT_LIST = ["unshare", "--mount", "--propagation", "private", "--", "sh", "-euc",
                'mount -t tmpfs none /sys/kernel/cgroup; exec "$@"', "sh"]


@req("linux.cgroup-owner.fallback-list")
def test_owners_without_the_list_of_the_kernel(bundle, runtime):
    bundle.user_namespace().mount("/sys/fs/cgroup", "cgroup", "cgroup")
    runtime.wrapper = WITHOUT_LIST
    with runtime.created(bundle):
        owned = {path.name for path in bundle.cgroup.iterdir() if path.stat().st_uid != 0}
        assert bundle.cgroup.stat().st_uid == 100000
    assert owned == {"cgroup.procs", "cgroup.subtree_control", "cgroup.threads"}
