"""config.md, process.capabilities: five sets, each exactly as listed."""

import re

import pytest

from bundle import CAPABILITY_SETS
from runtime import is_hoy

req = pytest.mark.req

NUMBERS = {
    "CAP_CHOWN": 0, "CAP_DAC_OVERRIDE": 1, "CAP_FOWNER": 3, "CAP_KILL": 5, "CAP_SETGID": 6,
    "CAP_SETUID": 7, "CAP_NET_BIND_SERVICE": 10, "CAP_NET_RAW": 13, "CAP_SYS_CHROOT": 18,
    "CAP_MKNOD": 27, "CAP_AUDIT_WRITE": 29,
}
LISTS = {
    "bounding": ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_KILL", "CAP_NET_RAW", "CAP_MKNOD"],
    "permitted": ["CAP_DAC_OVERRIDE", "CAP_KILL", "CAP_NET_RAW"],
    "effective": ["CAP_KILL", "CAP_NET_RAW"],
    "inheritable": ["CAP_KILL", "CAP_NET_RAW", "CAP_CHOWN"],
    "ambient": ["CAP_KILL"],
}


def mask(names):
    return sum(1 << NUMBERS[name] for name in names)


@req("config.capabilities.permitted", "config.capabilities.effective",
     "config.capabilities.inheritable")
@pytest.mark.parametrize("uid", [0, 1000])
def test_sets_before_execve(bundle, runtime, uid):
    """execve turns the sets into others: what it finds is in the last capset call before it."""
    bundle.process["user"] = {"uid": uid, "gid": uid}
    bundle.process["capabilities"] = LISTS
    calls = runtime.trace(bundle, "capset")
    last = re.sub(r".*\{effective=(.*), permitted=(.*), inheritable=(.*)\}.*", r"\1 \2 \3", calls[-1])
    expected = ["|".join(f"1<<{name}" for name in sorted(LISTS[which], key=NUMBERS.get))
                for which in ("effective", "permitted", "inheritable")]
    assert last.split() == expected


@req("config.capabilities.bounding", "config.capabilities.permitted",
     "config.capabilities.effective", "config.capabilities.inheritable",
     "config.capabilities.ambient")
def test_sets_of_an_ordinary_user(bundle, runtime):
    """execve of a plain program by an ordinary user keeps inheritable and ambient, and no more."""
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    bundle.process["capabilities"] = LISTS
    seen = runtime.probe(bundle)["capabilities"]
    assert seen == {"bounding": mask(LISTS["bounding"]),
                    "permitted": mask(LISTS["ambient"]),
                    "effective": mask(LISTS["ambient"]),
                    "inheritable": mask(LISTS["inheritable"]),
                    "ambient": mask(LISTS["ambient"])}


@req("config.capabilities.bounding", "config.capabilities.inheritable")
def test_sets_of_root(bundle, runtime):
    """execve by root grants what is bounding or inheritable."""
    bundle.process["capabilities"] = {name: LISTS["permitted"] for name in
                                      ("bounding", "permitted", "effective")}
    expected = mask(LISTS["permitted"])
    assert runtime.probe(bundle)["capabilities"] == {
        "bounding": expected, "permitted": expected, "effective": expected, "inheritable": 0,
        "ambient": 0}


@req("config.capabilities.absent")
def test_no_capabilities_object(bundle, runtime):
    del bundle.process["capabilities"]
    if is_hoy():
        assert set(runtime.probe(bundle)["capabilities"].values()) == {0}


@req("config.capabilities.absent")
def test_empty_lists(bundle, runtime):
    bundle.capabilities(sets=CAPABILITY_SETS)
    assert set(runtime.probe(bundle)["capabilities"].values()) == {0}


@req("config.capabilities.unknown-warn", "warnings.continue")
@pytest.mark.hoy
def test_unknown_capability_warns(bundle, runtime):
    bundle.process["capabilities"]["bounding"].append("CAP_TEST")
    result = runtime.run(bundle)
    result.warns("process.capabilities.bounding", "CAP_TEST")
    assert result.json["capabilities"]["bounding"] == mask(
        ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"])


@req("config.capabilities.unknown-warn")
@pytest.mark.hoy
def test_unknown_capability_is_an_error_with_strict(bundle, runtime):
    bundle.process["capabilities"]["bounding"].append("CAP_TEST")
    runtime.globals.append("--strict")
    runtime.refuses(bundle, "process.capabilities.bounding", "CAP_TEST")


@req("config.capabilities.ungrantable-warn", "config.capabilities.ungrantable-no-fail")
@pytest.mark.hoy
def test_capability_that_the_caller_lacks(bundle, runtime):
    for name in ("bounding", "permitted", "effective"):
        bundle.process["capabilities"][name] = ["CAP_KILL", "CAP_SYS_RESOURCE"]
    runtime.wrapper = ["setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource"]
    result = runtime.run(bundle)
    result.warns("process.capabilities", "CAP_SYS_RESOURCE")
    seen = result.json["capabilities"]
    assert seen["bounding"] == seen["effective"] == mask(["CAP_KILL"])


@req("config.capabilities.ambient-consistency")
@pytest.mark.hoy
def test_ambient_without_inheritable(bundle, runtime):
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    bundle.process["capabilities"]["ambient"] = ["CAP_KILL"]
    result = runtime.run(bundle)
    result.warns("process.capabilities.ambient", "CAP_KILL")
    assert result.json["capabilities"]["ambient"] == 0


@req("config.capabilities.names")
@pytest.mark.hoy
def test_all_names_that_features_lists(bundle, runtime):
    names = runtime("features").ok().json["linux"]["capabilities"]
    assert len(names) >= 41
    bundle.capabilities(*names)
    stderr = runtime.run(bundle).ok().stderr
    assert "unknown" not in stderr
