"""pids.limit: holds for the program, never for the set-up, and 0 and 1 are limits like others."""

import pytest

from holder import holding
from limits import keyed, limit, read, wait_until

NO_FORK = "can't fork: Resource temporarily unavailable"


@pytest.mark.req("linux.pids.limit")
def test_a_fork_bomb_stops_at_the_limit(bundle, runtime):
    limit(bundle, pids={"limit": 6})
    bundle.sh("(while :; do sleep 1000 & done); echo $?; sleep 1000")
    with runtime.running(bundle) as container:
        wait_until(lambda: "\n" in container.output, "the bomb to end")
        assert NO_FORK in container.created.stderr
        # The shell and its second sleep are two, what the bomb left is the rest.
        assert int(read(bundle, "pids.current")) <= 6
        assert keyed(bundle, "pids.events")["max"] >= 1
        assert int(read(bundle, "pids.peak")) <= 6


def hooks(bundle):
    """Hooks of every kind, of several processes each, that write to a file what they see."""
    for kind in ("prestart", "createRuntime", "createContainer", "startContainer", "poststart"):
        bundle.hook_sh(kind, "true | true; sleep 0")
    return bundle


@pytest.mark.req("linux.pids.limit", "linux.pids.limit.zero")
@pytest.mark.parametrize("pid_namespace", ["new", "joined", "host"])
@pytest.mark.parametrize("hooked", [False, True], ids=["plain", "hooks"])
@pytest.mark.parametrize("count", [0, 1])
def test_the_least_limits_start_and_no_fork_follows(bundle, runtime, count, hooked, pid_namespace):
    limit(bundle, pids={"limit": count}).sh("cat /proc/self/cgroup >/dev/null & echo forked")
    if hooked:
        hooks(bundle)
    if pid_namespace == "joined":
        with holding("pid") as holder:
            check_no_fork(bundle.namespace("pid", holder.path("pid")), runtime, count)
    elif pid_namespace == "host":
        bundle.without_namespace("pid")
        check_no_fork(bundle, runtime, count)
    else:
        check_no_fork(bundle, runtime, count)


def check_no_fork(bundle, runtime, count):
    with runtime.running(bundle) as container:
        container.wait()
        assert NO_FORK in container.created.stderr
        assert "forked" not in container.output
        assert read(bundle, "pids.max") == str(count)


@pytest.mark.req("linux.pids.limit.zero")
@pytest.mark.parametrize("places", [0, 1, 2])
def test_exec_into_a_full_container_works(bundle, runtime, places):
    """A health probe counts as a move, which pids.max does not stop. With one place left, the process
    that goes before it finds one, and it does not."""
    limit(bundle, pids={"limit": 1 + places})
    with runtime.sleeping(bundle) as container:
        result = container.exec("--", "/bin/cat", "/proc/self/cgroup").ok()
        assert (result.stdout, result.stderr) == ("0::/\n", "")
        assert int(read(bundle, "pids.current")) == 1
        fork = container.exec("--", "/bin/sh", "-c", "/bin/true & wait")
        if places < 2:
            fork.fails("Resource temporarily", status=2)
        else:
            fork.ok()
