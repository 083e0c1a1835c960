"""New, joined and inherited namespaces together: every pair of choices for every pair of kinds.

A namespace that is joined belongs to the host or to a user namespace, which may be the one that is
joined as well. What the kernel cannot do is refused; what it can do is done.
"""

import itertools
import os

import pytest

from holder import KINDS, holding

req = pytest.mark.req
pytestmark = pytest.mark.hoy  # crun and runc refuse many of these, or join in another order
OTHERS = [kind for kind in KINDS if kind not in ("user", "mount")]
# Whose it is: the runtime's own, a new one, one of the host, one of a user namespace.
CHOICES = {"user": ("own", "new", "owned"), "mount": ("new", "host", "owned"),
           **{kind: ("own", "new", "host", "owned") for kind in OTHERS}}


def is_possible(choice):
    """Nobody in a user namespace may mount in a mount namespace of the host, or of another one."""
    return choice["mount"] == "new" or choice["user"] == "own" or \
        choice["user"] == choice["mount"] == "owned"


def pairs(choice):
    return set(itertools.combinations(sorted(choice.items()), 2))


def cover():
    """Combinations that have every pair of choices that is possible, fewest first: a greedy cover."""
    kinds = list(CHOICES)
    missing = set()
    for first, second in itertools.combinations(kinds, 2):
        for one, other in itertools.product(CHOICES[first], CHOICES[second]):
            pair = {first: one, second: other}
            if {first, second} != {"user", "mount"} or is_possible(pair):
                missing |= pairs(pair)
    found = []
    while missing:
        choice = dict(sorted(missing)[0])
        for kind in [kind for kind in ("user", "mount", *OTHERS) if kind not in choice]:
            def gain(value, kind=kind):
                tried = choice | {kind: value}
                known = {"user": "own", "mount": "new"} | tried
                return (is_possible(known), len(pairs(tried) & missing))
            choice[kind] = max(CHOICES[kind], key=gain)
        missing -= pairs(choice)
        found.append(choice)
    return found


@pytest.fixture
def holders(bundle):
    """
    Processes that hold a namespace of each kind: the host's, and a user namespace's own. New ones
    for each test, as a container that joins a mount namespace becomes its root.
    """
    kinds = [kind for kind in KINDS if kind != "user"]
    with holding(*kinds, options=["--propagation", "private"]) as host, \
            holding(*kinds, "user", options=["--map-root-user", "--propagation", "private"]) as owned:
        yield {"host": host, "owned": owned}


def configure(bundle, choice, holders):
    bundle.unmount("/dev/pts")  # its gid=5 is not mapped in the user namespace that is joined
    for kind, value in choice.items():
        if value == "own":
            bundle.without_namespace(kind)
        elif kind == "user" and value == "new":
            bundle.user_namespace()
        else:
            bundle.namespace(kind, holders[value].path(kind) if value in holders else None)
    bundle.config.pop("hostname", None)
    user, pid = choice.get("user", "own"), choice.get("pid", "new")
    if user != "own" and (pid == "host" or (pid == "owned" and user == "new")):
        # Only who owns a pid namespace gets a /proc of it.
        bundle.unmount("/proc").mount("/proc", "bind", "/proc", ["rbind"])


def words(choice):
    return " ".join(f"{kind}={value}" for kind, value in choice.items())


@req("linux.namespaces.path.join", "linux.namespaces.order-free")
@pytest.mark.parametrize("choice", cover(), ids=words)
def test_combination(bundle, runtime, holders, choice):
    configure(bundle, choice, holders)
    seen = runtime.probe(bundle)["namespaces"]
    for kind, value in choice.items():
        name = KINDS[kind]
        here = os.readlink(f"/proc/self/ns/{name}")
        if value == "new":
            assert seen[name] not in (here, *(holder.link(kind) for holder in holders.values()))
        else:
            assert seen[name] == (here if value == "own" else holders[value].link(kind)), kind


@pytest.mark.parametrize("user, mount", [("new", "host"), ("new", "owned"), ("owned", "host")])
def test_mounts_of_others(bundle, runtime, holders, user, mount):
    configure(bundle, {"user": user, "mount": mount}, holders)
    runtime.refuses(bundle, "Operation not permitted")


@pytest.mark.parametrize("user, pid", [("new", "host"), ("new", "owned"), ("owned", "host")])
def test_proc_of_others(bundle, runtime, holders, user, pid):
    configure(bundle, {"user": user, "pid": pid}, holders)
    bundle.unmount("/proc").mount("/proc", "proc", "proc")
    runtime.refuses(bundle, "mounts[1]", "/proc", "Operation not permitted")


@req("linux.timeOffsets.clocks")
@pytest.mark.parametrize("user", ["own", "new", "owned"])
@pytest.mark.parametrize("pid", ["own", "new", "host", "owned"])
def test_time_offsets_beside_others(bundle, runtime, holders, user, pid):
    """Offsets are written before anybody lives in the namespace: bootstrap does so."""
    configure(bundle, {"user": user, "pid": pid, "network": "host", "time": "new"}, holders)
    bundle.linux["timeOffsets"] = {"boottime": {"secs": 7777}}
    assert runtime.probe(bundle)["clocks"]["offsets"][1].split() == ["boottime", "7777", "0"]


def test_exec_into_what_is_joined(bundle, runtime, holders):
    configure(bundle, {kind: "owned" for kind in KINDS}, holders)
    with runtime.sleeping(bundle) as container:
        seen = container.probe()["namespaces"]
        assert seen == {KINDS[kind]: holders["owned"].link(kind) for kind in KINDS}
