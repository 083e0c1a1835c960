"""config.md, process.rlimits."""

import pytest

req = pytest.mark.req

INFINITY = 2**64 - 1


def rlimits(bundle, *entries):
    bundle.process["rlimits"] = [{"type": f"RLIMIT_{name}", "soft": soft, "hard": hard}
                                 for name, soft, hard in entries]
    return bundle


@req("config.rlimits.set")
def test_nofile(bundle, runtime):
    seen = runtime.probe(rlimits(bundle, ("NOFILE", 1024, 2048)))
    assert seen["rlimits"]["NOFILE"] == [1024, 2048]


@req("config.rlimits.type.names")
def test_every_type(bundle, runtime):
    # Lower than what any caller has, and still enough to run.
    values = {"CPU": (100, 200), "FSIZE": (2**30, 2**31), "DATA": (2**30, 2**31),
              "STACK": (2**22, 2**23), "CORE": (0, 0), "RSS": (2**30, 2**31),
              "NPROC": (1000, 2000), "NOFILE": (100, 200), "MEMLOCK": (65536, 65536),
              "AS": (2**31, 2**32), "LOCKS": (10, 20), "SIGPENDING": (100, 200),
              "MSGQUEUE": (1000, 2000), "NICE": (0, 0), "RTPRIO": (0, 0),
              "RTTIME": (2**30, 2**31)}
    bundle = rlimits(bundle, *((name, *pair) for name, pair in values.items()))
    assert runtime.probe(bundle)["rlimits"] == {name: list(pair) for name, pair in values.items()}


@req("config.rlimits.soft", "config.valid-values.int-range")
def test_infinity_is_the_largest_number(bundle, runtime):
    seen = runtime.probe(rlimits(bundle, ("CPU", INFINITY, INFINITY), ("LOCKS", 2**63 + 1, INFINITY)))
    assert seen["rlimits"]["CPU"] == [INFINITY, INFINITY]
    assert seen["rlimits"]["LOCKS"] == [2**63 + 1, INFINITY]


@req("config.rlimits.set")
@pytest.mark.parametrize("name, value", [("NOFILE", 4), ("FSIZE", 2048), ("AS", 2**26), ("NPROC", 1)])
def test_a_small_limit_does_not_disturb_the_set_up(bundle, runtime, name, value):
    seen = runtime.probe(rlimits(bundle, (name, value, value)), fields=["rlimits"])
    assert seen["rlimits"][name] == [value, value]


@req("config.rlimits.hard")
def test_soft_above_hard(bundle, runtime):
    runtime.refuses(rlimits(bundle, ("NOFILE", 2, 1)), "process.rlimits[0]")


@req("config.rlimits.type.unknown")
@pytest.mark.parametrize("name", ["RLIMIT_TEST", "rlimit_nofile", "NOFILE"])
def test_unknown_type(bundle, runtime, name):
    bundle.process["rlimits"] = [{"type": name, "soft": 1, "hard": 1}]
    runtime.refuses(bundle, "process.rlimits[0].type", name)


@req("config.rlimits.type.required", "config.rlimits.soft", "config.rlimits.hard")
@pytest.mark.hoy
@pytest.mark.parametrize("member", ["type", "soft", "hard"])
def test_required_members(bundle, runtime, member):
    rlimits(bundle, ("NOFILE", 1, 1))
    del bundle.process["rlimits"][0][member]
    runtime.refuses(bundle, "process.rlimits[0]", member)


@req("config.rlimits.duplicate")
@pytest.mark.hoy
def test_duplicate(bundle, runtime):
    runtime.refuses(rlimits(bundle, ("NOFILE", 9, 9), ("CPU", 9, 9), ("NOFILE", 9, 9)),
                    "process.rlimits[2]", "RLIMIT_NOFILE")


@req("config.rlimits.cannot-set")
@pytest.mark.hoy
def test_above_the_callers_hard_limit(bundle, runtime):
    runtime.wrapper = ["prlimit", "--nproc=100:100", "setpriv", "--bounding-set=-sys_resource",
                       "--inh-caps=-sys_resource"]
    runtime.refuses(rlimits(bundle, ("NPROC", 100, 200)), "process.rlimits[0]", "RLIMIT_NPROC",
                    "Operation not permitted")
