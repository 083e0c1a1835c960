"""libhoy in a program that lives on: what it runs, it can forget without a trace."""

import subprocess
import time
from pathlib import Path

import pytest

from runtime import LIMIT_SECONDS, program

pytestmark = pytest.mark.hoy
NOTHING_LEFT = ["children: 0", "descriptors: 0"]


@pytest.fixture
def library(runtime, bundle):
    client = Path(program()).parents[1] / "tests/run/library"
    if not client.exists():
        pytest.skip(f"{client} is not there: a build has it, an installed program has not")

    def run(case):
        bundle.write()
        return subprocess.run([client, runtime.state_root, bundle.path, case], text=True, check=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              timeout=LIMIT_SECONDS).stdout.splitlines()

    return run


def test_run_in_one_process_again_and_again(library, bundle):
    bundle.args("/bin/sh", "-c", "exit 7")
    assert library("twice") == ["run: 0", "wait: 7", "delete: 0"] * 2 + NOTHING_LEFT


def test_run_without_holding_on_to_the_container(library, bundle):
    bundle.args("/bin/true")
    assert library("forget") == ["run: 0", "wait: 0", "delete: 0"] + NOTHING_LEFT


def test_poststop_hooks_of_what_was_held(library, bundle, scratch):
    bundle.args("/bin/true")
    bundle.hook_sh("poststop", f"cat >{scratch}/state")
    assert library("twice")[-2:] == NOTHING_LEFT
    assert '"status":"stopped"' in (scratch / "state").read_text().replace(" ", "")


@pytest.mark.parametrize("args", [["/no/such/program"], ["/etc/not-a-program"]])
def test_init_that_fails_is_reaped(library, bundle, args):
    bundle.file("etc/not-a-program", "neither a script nor a binary\n", 0o755)
    bundle.args(*args)
    first, *rest = library("in vain")
    assert first.startswith("run: ") and args[0] in first
    assert rest == ["container: 0"] + NOTHING_LEFT


def test_a_hook_that_fails_before_the_gate(library, bundle):
    bundle.args("/bin/true")
    bundle.hook_sh("startContainer", "exit 3")
    first, *rest = library("in vain")
    assert "startContainer" in first
    assert rest == ["container: 0"] + NOTHING_LEFT


def test_a_container_that_is_changed_meanwhile(library, bundle):
    bundle.args("/bin/sh", "-c", "until [ -e /go ]; do sleep 0.01; done; exit 5")
    assert library("change") == ["run: 0", "update: 0", "wait: 5", "delete: 0"] + NOTHING_LEFT


@pytest.mark.parametrize("case, args", [("replace", ["/bin/sleep", "1000"]), ("notify", ["/bin/true"])])
def test_another_container_of_the_same_name_stays(library, bundle, case, args):
    """Also where hoy_run() has waited for readiness, and has let others at the container meanwhile."""
    bundle.args(*args)
    assert library(case) == [
        "run: 0", "delete: 0", "wait: 0", "create: 0", *["delete what was: 0"] * 3, "state: 0",
        "still created: 1", "delete: 0"] + NOTHING_LEFT


def test_a_delete_that_fails_keeps_nobody_from_the_next(library, bundle):
    bundle.args("/bin/true")
    before = time.monotonic()
    _run, _wait, _mkdir, first, by_name, _rmdir, last, *rest = library("stranger")
    assert "stranger remains in the state of c1" in first
    assert "stranger remains in the state of c1" in by_name
    assert (last, rest) == ("delete: 0", NOTHING_LEFT)
    assert time.monotonic() - before < 5
