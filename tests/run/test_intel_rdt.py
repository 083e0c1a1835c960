"""config-linux.md, Intel RDT, on a machine without it; what happens with it is a unit test."""

import os

import pytest

req = pytest.mark.req
without = pytest.mark.skipif(os.path.exists("/sys/fs/resctrl/schemata"), reason="there is resctrl")


@req("linux.intelRdt.no-resctrl")
@without
@pytest.mark.hoy
@pytest.mark.parametrize("value", [{}, {"closID": "/"}, {"closID": "g1", "schemata": ["L3:0=f"]},
                                   {"enableMonitoring": True}])
def test_no_resctrl(bundle, runtime, value):
    bundle.linux["intelRdt"] = value
    runtime.refuses(bundle, "linux.intelrdt", "no resctrl file system is mounted")


@req("linux.intelRdt.no-resctrl")
@without
@pytest.mark.hoy
def test_nothing_redirects_it(bundle, runtime, scratch):
    """A directory that looks like it is none, whoever says so."""
    for name in ("schemata", "tasks"):
        (scratch / name).write_text("")
    bundle.linux["intelRdt"] = {"closID": "/"}
    environment = {"PATH": os.environ["PATH"], "RESCTRL": str(scratch), "HOY_RESCTRL": str(scratch)}
    runtime.create(bundle, env=environment).fails("linux.intelrdt", "no resctrl")
    assert (scratch / "tasks").read_text() == ""


@req("linux.intelRdt.unset")
def test_untouched_where_it_is_not_asked_for(bundle, runtime):
    calls = runtime.trace(bundle.args("/bin/true"), "%file")
    assert calls and not [line for line in calls if "resctrl" in line]


@without
@pytest.mark.hoy
@pytest.mark.parametrize("words", [["--l3-cache-schema", "L3:0=f"], ["--mem-bw-schema=MB:0=50"],
                                   ["--mem-bw-schema", "MB:0=50", "--cpu-share", "100"]])
def test_update_without_resctrl(bundle, runtime, words):
    """Nothing of the update is done, and nothing is saved."""
    with runtime.sleeping(bundle) as container:
        saved = (runtime.state_root / "c1/config.json").read_bytes()
        runtime("update", *words, "c1").fails("linux.intelrdt", "no resctrl file system is mounted")
        assert (runtime.state_root / "c1/config.json").read_bytes() == saved
        assert container.status == "running"
