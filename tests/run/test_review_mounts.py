"""config.md, mounts: what is seldom asked for."""

import pytest

pytestmark = pytest.mark.hoy


def deep(path):
    """A directory whose path is longer than fsconfig(2) takes."""
    for _level in range(5):
        path = path / ("x" * 64)
    path.mkdir(parents=True)
    return path


def test_one_value_longer_than_fsconfig_takes(bundle, runtime, scratch):
    """Such an overlay is mounted by mount(2), with all its flags."""
    top = deep(scratch)
    for name in ("lower", "upper", "work"):
        (top / name).mkdir()
    (top / "lower/below").write_text("below")
    bundle.mount("/over", "overlay", "overlay",
                 ["nosuid", "nodev", f"lowerdir={top}/lower", f"upperdir={top}/upper", f"workdir={top}/work"])
    result = runtime.sh(bundle, "cat /over/below; touch /over/new; grep ' /over ' /proc/self/mountinfo; pwd")
    assert result.ok().stdout.startswith("below") and result.stdout.endswith("\n/\n")
    assert " /over rw,nosuid,nodev" in result.stdout
    assert (top / "upper/new").exists()


def test_a_readonly_one_longer_than_fsconfig_takes(bundle, runtime, scratch):
    top = deep(scratch)
    for name in ("lower", "upper", "work"):
        (top / name).mkdir()
    bundle.mount("/over", "overlay", "overlay",
                 ["ro", f"lowerdir={top}/lower", f"upperdir={top}/upper", f"workdir={top}/work"])
    assert "Read-only file system" in runtime.sh(bundle, "touch /over/new").stderr
