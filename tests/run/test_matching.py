"""kill --regex and delete --regex: all containers whose id matches, and no others."""

import contextlib

import pytest

from runtime import Container, wait_until

pytestmark = pytest.mark.hoy
NAMES = ("web-1", "web-2", "db-1")


@pytest.fixture
def three(make_bundle, runtime):
    """Three running containers by their names."""
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(runtime.sleeping(make_bundle(), name=name)) for name in NAMES}


def statuses(runtime):
    return {entry["id"]: entry["status"] for entry in runtime("list", "-f", "json").ok().json}


@pytest.mark.parametrize("pattern, ended", [
    ("web", {"web-1", "web-2"}), ("^web-[0-9]$", {"web-1", "web-2"}), ("1$", {"web-1", "db-1"}),
    ("^(db|web)-1$", {"web-1", "db-1"}), ("^b", set()), (".", set(NAMES)), ("WEB", set())])
def test_kill(three, runtime, pattern, ended):
    runtime("kill", "--regex", pattern, "KILL").silent()
    for name in ended:
        three[name].wait()
    assert {name for name, status in statuses(runtime).items() if status == "stopped"} == ended


def test_kill_sends_the_signal_that_is_named(make_bundle, runtime):
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(runtime.running(
            make_bundle().args("/bin/probe", "catch", "10", "15"), name=name)) for name in ("a1", "a2")]
        for container in found:
            wait_until(lambda c=container: c.output == "ready\n", "the program")
        runtime("kill", "-r", "^a", "USR1").silent()
        runtime("kill", "-r", "2$").silent()
        wait_until(lambda: found[0].output == "ready\n10\n", "the first")
        wait_until(lambda: found[1].output == "ready\n10\n15\n", "the second")


def test_one_that_fails_does_not_keep_the_others(three, runtime):
    three["web-1"].kill("KILL").ok()
    three["web-1"].wait()
    runtime("kill", "--regex", "web", "KILL").fails("web-1", "container not running")
    three["web-2"].wait()
    assert three["db-1"].status == "running"


def test_delete(three, runtime):
    runtime("delete", "--regex", "web").fails("web-1", "running")
    assert statuses(runtime) == dict.fromkeys(NAMES, "running")
    three["web-2"].kill("KILL").ok()
    three["web-2"].wait()
    runtime("delete", "--regex", "web").fails("web-1", "running")
    assert set(statuses(runtime)) == {"web-1", "db-1"}
    runtime("delete", "--force", "--regex", "^web-[12]$").silent()
    assert set(statuses(runtime)) == {"db-1"}
    runtime("delete", "--force", "-r", "nosuch").silent()
    runtime("delete", "-f", "-r", ".").silent()
    assert statuses(runtime) == {}


@pytest.mark.parametrize("command", ["kill", "delete"])
def test_what_is_no_expression(three, runtime, command):
    runtime(command, "--regex", "web(").fails("regular expression", "web(")
    assert statuses(runtime) == dict.fromkeys(NAMES, "running")


@pytest.mark.parametrize("command", ["kill", "delete"])
def test_without_a_state_root(runtime, command):
    runtime(command, "--regex", ".").silent()


def test_an_id_alone_is_no_expression(three, runtime):
    runtime("kill", "web-.", "KILL").fails("does not exist")
    runtime("kill", "web", "KILL").fails("does not exist")
    assert isinstance(three["web-1"], Container) and three["web-1"].status == "running"
