"""
What a container sees, as a flat record: path of a field -> value, in one form for all runtimes.

Numbers that are new in each run (inodes, ids of mounts, pids) become words: what matters of them is
whether they are those of the runtime's own surroundings. Mounts are told by mount point, and where
several lie on one, from the lowest to the topmost.
"""

import json
import os
import re

from runtime import Mount

# Seconds go by, and descriptors 0 to 2 are the caller's files or pipes of the runtime to them.
# Of the cgroup's files those that say what was set, not what happens to be used.
CGROUP_FILES = re.compile(r"cgroup\.(type|controllers|subtree_control|freeze|max\..*)|.*\.(max|min|low|"
                          r"high|weight|weight\.nice|burst|idle|cpus|mems|oom\.group)|io\.bfq\.weight")
UNTOLD = {"clocks", "fds", "mountinfo", "mount_points", "devices", "namespaces", "cgroup",
          "cgroup_files", "keyring", "env", "ids", "maps"}


class Surroundings:
    """What the words stand for: a bundle, its cgroup, and namespaces that it may join."""

    def __init__(self, bundle, joined=()):
        self.bundle = bundle
        self.joined = dict(joined)

    def text(self, text):
        """A text with the paths of this run replaced, be they from the root or from a mount point."""
        bundle = self.bundle.path
        for path, word in ((f"/{bundle.name}/rootfs", "ROOTFS"), (f"/{bundle.name}", "BUNDLE")):
            text = re.sub(rf"[^ ]*/{bundle.parent.name}{path}", word, text)
        return text.replace(self.bundle.linux.get("cgroupsPath", "\0"), "CGROUP")


def flatten(value, path, found):
    """Members of objects become fields; lists stay values."""
    if not isinstance(value, dict):
        found[path] = value
        return
    for key, member in value.items():
        flatten(member, f"{path}.{key}" if path else key, found)


def namespaces(seen, around):
    for name, link in seen["namespaces"].items():
        if link == around.joined.get(name):
            yield f"namespaces.{name}", "joined"
        else:
            yield f"namespaces.{name}", "own" if link == os.readlink(f"/proc/self/ns/{name}") else "new"


def device(entry):
    if entry["type"] == "l":
        return f"-> {entry['target']}"
    number = f" {entry['rdev'][0]}:{entry['rdev'][1]}" if entry["type"] in "cb" else ""
    return f"{entry['type']}{number} {entry['mode']:04o} {entry['uid']}:{entry['gid']}"


def mounts(seen, around):
    depth = {}
    for line in seen["mountinfo"] or ():
        mount = Mount.parse(line)
        point = mount.point.replace("\\040", " ")
        depth[point] = depth.get(point, -1) + 1
        path = f"mounts.{point}" + (f"#{depth[point]}" if depth[point] else "")
        yield f"{path}.type", mount.fstype
        yield f"{path}.root", around.text(mount.root)
        yield f"{path}.source", around.text(mount.source)
        yield f"{path}.flags", " ".join(sorted(mount.options))
        yield f"{path}.data", " ".join(sorted(around.text(" ".join(mount.super_options)).split()))
        yield f"{path}.propagation", " ".join(sorted(re.sub(r":\d+", "", word) for word in mount.peers))


def descriptors(seen):
    """Which ones are open beyond the first three, and whether those three stay so in execve."""
    yield "fds.more", [entry["fd"] for entry in seen["fds"] if entry["fd"] > 2]
    yield "fds.cloexec", [entry["fd"] for entry in seen["fds"] if entry["cloexec"]]


def record(text, around):
    """The record of what the probe has printed."""
    seen = json.loads(text)
    found = {}
    for name in seen.keys() - UNTOLD:
        flatten(seen[name], name, found)
    found["groups"] = sorted(seen["groups"])
    found["keyring"] = re.sub(r";[0-9a-f]+;", ";", seen["keyring"] or "", count=0).split(";")[-1]
    ids = seen["ids"]
    found["ids"] = [name for name in ("pgid", "sid") if ids[name] == ids["pid"]]
    found["ids.pid"] = min(ids["pid"], 2)
    found["ids.ppid"] = min(ids["ppid"], 2)
    for point, mode in seen["mount_points"].items():
        found[f"mounts.{point}.mode"] = f"{mode['mode']:04o} {mode['uid']}:{mode['gid']}"
    found["clocks.offsets"] = [line.split() for line in seen["clocks"]["offsets"] or ()]
    found["cgroup"] = [around.text(line) for line in seen["cgroup"] or () if line.startswith("0::")]
    found["cgroup.v1"] = sorted(line.split(":", 1)[1] for line in seen["cgroup"] or ()
                                if not line.startswith("0::"))
    for name, text in seen["cgroup_files"].items():
        if CGROUP_FILES.fullmatch(name):
            found[f"cgroup.{name}"] = text
    for name, lines in seen["maps"].items():
        found[f"maps.{name}"] = ([line.split() for line in lines] if isinstance(lines, list)
                                 else lines)
    for entry in seen["env"]:
        name, _, value = entry.partition("=")
        found[f"env.{name}"] = around.text(value)
    for path, entry in seen["devices"].items():
        found[f"devices.{path}"] = device(entry)
    found.update(namespaces(seen, around))
    found.update(mounts(seen, around))
    found.update(descriptors(seen))
    return found
