"""
Overlays with more layers than one fsconfig(2) takes (255 bytes a value). Since Linux 6.8 layers can
be given one by one; what cannot be, and on older kernels all of it, goes through mount(2).
"""

import os

import pytest

req = pytest.mark.req
pytestmark = [pytest.mark.hoy, req("config.mounts.options.unknown-data")]
# What hoy takes it for: a build for tests believes in an older one.
KERNEL = tuple(map(int, os.environ.get("HOY_KERNEL", os.uname().release).split(".")[:2]))


def layers(directory, size, name=lambda index: f"{index:03d}"):
    """Directories with a file each, whose paths together are `size` bytes long."""
    directory.mkdir(exist_ok=True)
    found = []
    while (left := size - len(":".join(found)) - bool(found)) > 0:
        width = left if left < 200 else 100
        path = f"{directory}/{name(len(found))}"
        path += "x" * (width - len(path))
        os.makedirs(path.replace("\\", ""))
        with open(f"{path.replace(chr(92), '')}/f{len(found)}", "w", encoding="ascii"):
            found.append(path)
    assert len(":".join(found)) == size
    return found


def check(bundle, runtime, options, count):
    """What it says in the container, and how it was mounted."""
    bundle.mount("/o", "overlay", "overlay", options)
    bundle.sh("ls /o")
    calls = runtime.trace(bundle, "fsconfig,mount")
    result = runtime.run(bundle, name="c2").ok()
    assert sorted(result.stdout.split()) == sorted(f"f{index}" for index in range(count))
    split = any("lowerdir+" in call for call in calls)
    classic = any("mount(" in call and '"overlay"' in call for call in calls)
    assert split != classic
    return split


@pytest.mark.parametrize("user_namespace", [False, True])
def test_many_layers(bundle, runtime, scratch, user_namespace):
    if user_namespace:
        bundle.user_namespace()
    found = layers(scratch / "lower", 3000)
    assert check(bundle, runtime, [f"lowerdir={':'.join(found)}"], len(found)) == (KERNEL >= (6, 8))


@pytest.mark.parametrize("user_namespace", [False, True])
def test_layers_that_cannot_be_split(bundle, runtime, scratch, user_namespace):
    """A name with a colon: only the one text of mount(2) can hold it."""
    if user_namespace:
        bundle.user_namespace()
    found = layers(scratch / "lower", 3000, lambda index: f"{index:03d}\\:")
    assert not check(bundle, runtime, [f"lowerdir={':'.join(found)}"], len(found))


def test_with_an_upper_directory_and_flags(bundle, runtime, scratch):
    found = layers(scratch / "lower", 3000)
    for name in ("upper", "work"):
        (scratch / name).mkdir()
    bundle.mount("/o", "overlay", "overlay", [
        f"lowerdir={':'.join(found)}", f"upperdir={scratch}/upper", f"workdir={scratch}/work",
        "nosuid", "nodev", "noatime"])
    seen = runtime.probe(bundle).mount("/o")
    assert {"nosuid", "nodev", "noatime"} <= set(seen.options)
    runtime.sh(bundle, "echo above >/o/above", name="c2").ok()
    assert (scratch / "upper/above").read_text() == "above\n"


def test_a_long_upper_directory(bundle, runtime, scratch):
    upper = scratch / ("u" * 200) / ("v" * 200)
    for path in (upper, scratch / "lower", scratch / "work"):
        path.mkdir(parents=True)
    # The work directory must lie on the file system of the upper one, and does.
    bundle.mount("/o", "overlay", "overlay", [
        f"lowerdir={scratch}/lower", f"upperdir={upper}", f"workdir={scratch}/work"])
    runtime.sh(bundle, "echo above >/o/above").ok()
    assert (upper / "above").read_text() == "above\n"


def test_read_only(bundle, runtime, scratch):
    found = layers(scratch / "lower", 3000, lambda index: f"{index:03d}\\:")
    bundle.mount("/o", "overlay", "overlay", ["ro", f"lowerdir={':'.join(found)}"])
    assert "ro" in runtime.probe(bundle).mount("/o").options


def test_more_than_a_page(bundle, runtime, scratch):
    """mount(2) would cut it without a word."""
    found = layers(scratch / "lower", 5000, lambda index: f"{index:03d}\\:")
    bundle.mount("/o", "overlay", "overlay", [f"lowerdir={':'.join(found)}"])
    runtime.refuses(bundle, "mounts[3]", "4095")


@pytest.mark.skipif(KERNEL < (6, 8), reason="needs Linux 6.8")
def test_more_than_a_page_one_by_one(bundle, runtime, scratch):
    found = layers(scratch / "lower", 6000)
    assert check(bundle, runtime, [f"lowerdir={':'.join(found)}"], len(found))


def test_a_layer_that_is_not_there(bundle, runtime, scratch):
    found = layers(scratch / "lower", 3000)
    os.rename(found[7], found[7] + "-gone")
    bundle.mount("/o", "overlay", "overlay", [f"lowerdir={':'.join(found)}"])
    runtime.refuses(bundle, "mounts[3]", "No such file or directory")
