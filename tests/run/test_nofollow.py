"""The mount options src-nofollow, dest-nofollow and copy-symlink, which crun has given engines."""

import os

import pytest

pytestmark = pytest.mark.hoy  # crun 1.8 has the last one only, runc none


@pytest.fixture
def source(scratch):
    """A symlink and what it leads to."""
    (scratch / "file").write_text("file\n")
    (scratch / "link").symlink_to("/etc/where")
    (scratch / "good").symlink_to(scratch / "file")
    return scratch


def ls(bundle, runtime, *paths):
    """What the container sees: for each path the target of a link, or the text of a file."""
    script = "; ".join(f"readlink {path} || cat {path}" for path in paths)
    return runtime.sh(bundle, script).ok().stdout.split()


@pytest.mark.parametrize("user_namespace", [False, True])
@pytest.mark.parametrize("exists", [False, True])
def test_a_link_is_mounted_itself(bundle, runtime, source, exists, user_namespace):
    if exists:
        bundle.file("/place", "below")
    if user_namespace:
        bundle.user_namespace()
    bundle.bind(source / "link", "/place", "src-nofollow", "ro")
    assert ls(bundle, runtime, "/place") == ["/etc/where"]
    assert not (bundle.rootfs / "place").is_symlink()


def test_a_link_over_a_link(bundle, runtime, source):
    (bundle.rootfs / "place").symlink_to("/tmp")
    bundle.bind(source / "link", "/place", "src-nofollow")
    assert ls(bundle, runtime, "/place") == ["/etc/where"]
    assert os.readlink(bundle.rootfs / "place") == "/tmp"


def test_a_source_that_is_no_link(bundle, runtime, source):
    bundle.bind(source / "file", "/place", "src-nofollow", "dest-nofollow")
    assert ls(bundle, runtime, "/place") == ["file"]


def test_without_the_option_a_link_is_followed(bundle, runtime, source):
    bundle.bind(source / "good", "/place")
    assert ls(bundle, runtime, "/place") == ["file"]


def test_a_dangling_link_is_no_source(bundle, runtime, source):
    bundle.bind(source / "link", "/place")
    runtime.refuses(bundle, "mounts[3]", str(source / "link"), "No such file or directory")


def test_a_file_over_a_link(bundle, runtime, source):
    bundle.file("/etc/where", "where")
    (bundle.rootfs / "place").symlink_to("/etc/where")
    bundle.bind(source / "file", "/place", "dest-nofollow")
    assert ls(bundle, runtime, "/place", "/etc/where") == ["file", "where"]


def test_a_directory_over_a_link_cannot_be(bundle, runtime):
    (bundle.rootfs / "place").symlink_to("/tmp")
    bundle.mount("/place", "tmpfs", "tmpfs", ["dest-nofollow"])
    runtime.refuses(bundle, "mounts[3]", "/place")


def test_only_the_last_component_is_not_followed(bundle, runtime, source):
    (bundle.rootfs / "way").symlink_to("/etc")
    bundle.bind(source / "file", "/way/place", "dest-nofollow")
    assert ls(bundle, runtime, "/etc/place") == ["file"]


# ---- copy-symlink ----

@pytest.mark.parametrize("place", ["/place", "/new/directory/place", "/dev/place"])
def test_copied(bundle, runtime, source, place):
    bundle.bind(source / "link", place, "copy-symlink", "ro")
    assert ls(bundle, runtime, place) == ["/etc/where"]


def test_copied_into_a_mount_that_is_read_only(bundle, runtime, source):
    bundle.mount("/data", "tmpfs", "tmpfs", ["ro"]).bind(source / "link", "/data/place", "copy-symlink")
    assert ls(bundle, runtime, "/data/place") == ["/etc/where"]


def test_copied_where_it_is_already(bundle, runtime, source):
    (bundle.rootfs / "place").symlink_to("/etc/where")
    bundle.bind(source / "link", "/place", "copy-symlink")
    assert ls(bundle, runtime, "/place") == ["/etc/where"]


@pytest.mark.parametrize("other", ["file", "directory", "link"])
def test_nothing_else_is_replaced(bundle, runtime, source, other):
    path = bundle.rootfs / "place"
    {"file": path.touch, "directory": path.mkdir, "link": lambda: path.symlink_to("/x")}[other]()
    bundle.bind(source / "link", "/place", "copy-symlink")
    runtime.refuses(bundle, "mounts[3]", "/place", "File exists")


def test_copied_through_a_link_stays_inside(bundle, runtime, source, scratch):
    (bundle.rootfs / "way").symlink_to(scratch)
    (bundle.rootfs / str(scratch).lstrip("/")).mkdir(parents=True)
    bundle.bind(source / "link", "/way/place", "copy-symlink")
    runtime.run(bundle.args("/bin/true")).ok()
    assert not os.path.lexists(scratch / "place")
    assert os.path.islink(f"{bundle.rootfs}{scratch}/place")


def test_what_is_no_link_is_bound(bundle, runtime, source):
    bundle.bind(source / "file", "/place", "copy-symlink")
    assert runtime.probe(bundle).mount("/place")


@pytest.mark.parametrize("option", ["src-nofollow", "copy-symlink"])
def test_only_for_binds(bundle, runtime, option):
    bundle.mount("/data", "tmpfs", "tmpfs", [option])
    runtime.refuses(bundle, "mounts[3]", option, "bind mount only")
