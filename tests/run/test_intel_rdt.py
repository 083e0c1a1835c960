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
