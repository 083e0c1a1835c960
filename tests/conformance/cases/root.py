"""config.md, root; config-linux.md, rootfsPropagation."""

from suite import case, has, lacks, same


@case("config.root.path.absolute")
def absolute_path(t):
    other = t.make_bundle()
    other.file("/marker", "other")
    t.config["root"]["path"] = str(other.rootfs)
    same(t.sh("cat /marker"), "other")


@case("config.root.readonly.true")
def readonly(t):
    t.config["root"]["readonly"] = True
    has("ro", t.probe("mountinfo").mount("/").options)
    (t.bundle.rootfs / "x").touch()
