"""config.md, mounts, uidMappings and gidMappings, idmap and ridmap."""

import os
import subprocess

from suite import case, same


def owned(t, uid, gid):
    path = t.scratch / "data"
    path.mkdir()
    (path / "file").touch()
    os.chown(path / "file", uid, gid)
    return path


def maps(container, host, size=1000):
    return [{"containerID": container, "hostID": host, "size": size}]


@case("config.mounts.option.idmap", "config.mounts.uidMappings.effect",
      "config.mounts.gidMappings.effect", "config.mounts.option.idmap.mount_setattr",
      "config.mounts.option.idmap.own-mappings", each=["idmap", "ridmap", ""])
def owners(t, option):
    """As mount_setattr(2) has it: the id on disk, then the id that is shown."""
    source = owned(t, 5, 6)
    t.bundle.bind(source, "/m", *filter(None, [option]), uidMappings=maps(0, 2000),
                  gidMappings=maps(0, 3000))
    same(t.sh("stat -c '%u %g' /m/file"), "2005 3006\n")
    status = os.stat(source / "file")
    same((status.st_uid, status.st_gid), (5, 6), "owner on disk")


@case("config.mounts.option.ridmap")
def owners_of_a_tree(t):
    source = owned(t, 5, 6)
    (source / "sub").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "sub", source / "sub"], check=True)
    try:
        for option, expected in (("ridmap", "2000 3000\n"), ("idmap", "0 0\n")):
            t.config["mounts"] = t.config["mounts"][:3]
            t.bundle.mount("/m", "none", str(source), ["rbind", option], uidMappings=maps(0, 2000),
                           gidMappings=maps(0, 3000))
            same(t.sh("stat -c '%u %g' /m/sub"), expected, option)
    finally:
        subprocess.run(["umount", source / "sub"], check=True)


@case("config.mounts.option.idmap.default-userns")
def those_of_the_user_namespace(t):
    t.bundle.user_namespace().bind(owned(t, 5, 6), "/m", "idmap")
    t.bundle.args("/bin/stat", "-c", "%u %g", "/m/file")
    result = t.runtime.run(t.bundle)
    if result.status == 0:
        same(result.stdout, "5 6\n")
    else:
        t.is_unknown()


@case("config.mounts.option.idmap.no-userns-error")
def no_mappings_at_all(t):
    t.bundle.bind(owned(t, 5, 6), "/m", "idmap")
    t.refused()


@case("config.mounts.mappings.both", each=["uidMappings", "gidMappings"])
def only_one_of_them(t, name):
    t.bundle.bind(owned(t, 5, 6), "/m", "idmap", **{name: maps(0, 2000)})
    t.refused()


@case("config.mounts.mappings.format", each=["containerID", "hostID", "size"])
def a_member_missing(t, name):
    t.bundle.bind(owned(t, 5, 6), "/m", "idmap", uidMappings=maps(0, 2000), gidMappings=maps(0, 3000))
    del t.config["mounts"][-1]["uidMappings"][0][name]
    t.refused()


@case("config.mounts.mappings.with-idmap-option")
def never_silently_unmapped(t):
    t.bundle.bind(owned(t, 5, 6), "/m", uidMappings=maps(0, 2000), gidMappings=maps(0, 3000))
    t.bundle.args("/bin/stat", "-c", "%u %g", "/m/file")
    result = t.runtime.run(t.bundle)
    if result.status == 0:
        same(result.stdout, "2005 3006\n")


@case("config.mounts.mappings.unsupported-fs")
def a_file_system_that_cannot(t):
    t.bundle.mount("/sys", "sysfs", "sysfs", ["ro", "idmap"], uidMappings=maps(0, 2000),
                   gidMappings=maps(0, 3000))
    t.refused()
