"""hoy explain: create's plan, and nothing of it done."""

import os
import subprocess

import pytest

from runtime import program

pytestmark = pytest.mark.hoy


def test_lines_name_what_is_asked_for_and_where(bundle, runtime, scratch):
    bundle.bind(scratch, "/volume", "ro").args("/bin/true")
    bundle.process["user"] = {"uid": 1000, "gid": 5}
    lines = runtime("explain", "--bundle", bundle.write(), "c9").silent().stdout.splitlines()
    mount = next(line for line in lines if "at=mounts[3]" in line)
    assert "destination=/volume" in mount and f"source={scratch}" in mount and "ro" in mount
    assert any("uid=1000" in line and "gid=5" in line for line in lines)
    assert any(bundle.linux["cgroupsPath"] in line for line in lines)


def test_nothing_is_made(bundle, runtime):
    bundle.hook("createRuntime", "/bin/touch", "touch", str(bundle.path / "hook"))
    bundle.seccomp({"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"})
    before = sorted(os.listdir(bundle.path))
    runtime("explain", "--bundle", bundle.write()).silent()
    assert sorted(os.listdir(bundle.path)) == sorted({*before, "config.json"})
    assert not runtime.state_root.exists() and not bundle.cgroup.exists()
    assert runtime("list", "-q").ok().stdout == ""


def test_json_has_the_same(bundle, runtime):
    text = runtime("explain", "--bundle", bundle.write()).silent().stdout
    plan = runtime("explain", "--json", "--bundle", bundle.path).silent().json
    places = [mount["at"] for mount in plan["mounts"]]
    assert places == [f"mounts[{n}]" for n in range(len(bundle.config["mounts"]))]
    assert all(f"at={place}" in text for place in places)


def test_what_create_refuses(bundle, runtime):
    bundle.mount("/x", "tmpfs", "tmpfs", ["nosiud"])
    words = ("mounts[3].options[0]", "nosiud", "did you mean nosuid")
    runtime("explain", "--bundle", bundle.write()).fails(*words)
    runtime.refuses(bundle, *words)


def test_the_plan_depends_on_who_asks(bundle, runtime):
    """An ordinary user gets a user namespace that root does not need; no privilege is needed to ask."""
    del bundle.linux["cgroupsPath"]
    bundle.args("/bin/true")
    as_root = runtime("explain", "--json", "--bundle", bundle.write()).ok().json
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program(), "--root",
                           "/nowhere", "explain", "--json", "--bundle", bundle.path],
                          capture_output=True, text=True, check=True, timeout=20)
    assert "user" not in str(as_root["namespaces"])
    assert "user" in done.stdout
