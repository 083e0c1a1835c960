"""Memory runs out at any allocation, once or for good: an error in words, nothing left, never a crash.

The seccomp filter is in the cache by then: libseccomp's own compiler crashes without memory.
"""

import pytest

from fixtures import is_long
from kill_sweep import Sweep, compiled
from runtime import ENVIRONMENT, wait_until

pytestmark = [pytest.mark.hoy, pytest.mark.timeout(1200 if is_long() else 120)]


def starved(runtime, words, number, for_ever):
    """A command whose allocation of this number fails; and whether it made as many."""
    environment = ENVIRONMENT | {"LD_PRELOAD": str(compiled("fail_alloc.c", "-shared", "-fPIC")),
                                 "FAIL_ALLOC": f"{number}{'+' if for_ever else ''}"}
    result = runtime(*words, env=environment)
    return result, "fail_alloc: " not in result.stderr


def check_words(result, number):
    assert result.status in (0, 1, 126, 127, 255), f"{number}: {result}"
    assert result.status == 0 or "hoy: " in result.stderr, f"{number}: {result}"


@pytest.fixture
def sweep(bundle, runtime):
    """Something of most kinds of things that are read and planned."""
    bundle.user_namespace().hook("createRuntime", "/bin/true").hook("poststop", "/bin/true")
    bundle.seccomp({"names": ["mkdir", "chmod"], "action": "SCMP_ACT_ERRNO"})
    bundle.linux |= {"maskedPaths": ["/proc/keys"], "sysctl": {"net.ipv4.ip_forward": "1"}}
    bundle.config["annotations"] = {"com.example.a": "b"}
    sweep = Sweep(runtime, bundle.args("/bin/sleep", "1000"))
    assert not sweep.check_clean()
    return sweep


@pytest.fixture
def large_sweep(sweep):
    """More than the first block of memory takes, so that it can run out on the way."""
    sweep.bundle.config["annotations"] = {f"com.example.{number}": "b" * 50 for number in range(400)}
    sweep.bundle.write()
    return sweep


STEP = 1 if is_long() else 3


@pytest.mark.parametrize("for_ever", [False, True])
def test_create(large_sweep, runtime, for_ever):
    """What a failed create cannot even note any more, the next delete finds."""
    def attempt(number):
        result, came = starved(runtime, large_sweep.create_words, number, for_ever)
        check_words(result, number)
        if result.status and not for_ever:
            wait_until(lambda: not large_sweep.remains(), f"nothing to remain: {number}: {result}", 2)
        assert not large_sweep.check_clean(), number
        return came
    assert large_sweep.points(attempt, 1) >= 30


@pytest.mark.parametrize("for_ever", [False, True])
@pytest.mark.parametrize("words", [("state", "c1"), ("list", "--format", "json"), ("start", "c1"), ("kill", "c1"),
                                   ("exec", "c1", "true"), ("update", "--pids-limit", "5", "c1"),
                                   ("features",)], ids=lambda words: words[0])
def test_other_commands(sweep, runtime, words, for_ever):
    """The container is as it was, or does what was asked; it can always be deleted."""
    def attempt(number):
        runtime(*sweep.create_words).ok()
        if words[0] not in ("start", "state"):
            runtime("start", "c1").ok()
        result, came = starved(runtime, words, number, for_ever)
        check_words(result, number)
        runtime("delete", "--force", "c1").ok()
        wait_until(lambda: not sweep.remains(), f"nothing to remain: {number}: {result}", 2)
        return came
    assert sweep.points(attempt, STEP) >= 5 // STEP


@pytest.mark.parametrize("for_ever", [False, True])
def test_delete(large_sweep, runtime, for_ever):
    def attempt(number):
        runtime(*large_sweep.create_words).ok()
        result, came = starved(runtime, ("delete", "--force", "c1"), number, for_ever)
        check_words(result, number)
        if result.status == 0:
            wait_until(lambda: not large_sweep.remains(), f"nothing to remain: {number}: {result}", 2)
        assert not large_sweep.check_clean(), number
        return came
    assert large_sweep.points(attempt, 1) >= 5
