"""Makes bundles: a directory with a busybox root, and a configuration that a test then changes."""

import functools
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

LIB = Path(__file__).resolve().parent
CGROUP2 = Path("/sys/fs/cgroup")
DIRECTORIES = ("bin", "dev", "etc", "home", "proc", "root", "sbin", "sys", "tmp", "usr", "usr/bin",
               "var")
# What scripts of the tests use; a link for each of all 270 would cost more than the container.
APPLETS = ("awk basename cat chmod chown cp cut dd df dmesg echo env expr false find grep head hostname "
           "id ip kill ln ls mkdir mkfifo mknod mount mv nproc od printf ps pwd readlink rm rmdir sed seq "
           "setsid sh sleep sort stat stty tail tee test touch tr true tty umount uname unshare wc "
           "whoami xargs yes [").split()
PASSWD = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
GROUP = "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n"
DEFAULT_CAPABILITIES = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
CAPABILITY_SETS = ("bounding", "effective", "permitted", "inheritable", "ambient")


@functools.cache
def cache_directory():
    """What is costly to make, kept from run to run. Root runs it, so nobody else may write there."""
    path = Path(tempfile.gettempdir()) / f"hoy-test-cache-{os.geteuid()}"
    path.mkdir(exist_ok=True)
    status = path.lstat()
    if status.st_uid != os.geteuid() or not stat.S_ISDIR(status.st_mode):
        raise PermissionError(f"{path} is not ours")
    path.chmod(0o755)
    return path


@functools.cache
def probe():
    """The probe program, compiled at its first use and again whenever its text changes."""
    source = LIB / "probe.c"
    path = cache_directory() / f"probe-{hashlib.sha256(source.read_bytes()).hexdigest()[:16]}"
    if not path.exists():
        new = path.with_suffix(f".{os.getpid()}")
        subprocess.run(["gcc", "-static", "-O1", "-D_GNU_SOURCE", "-pthread", "-o", new, source],
                       check=True, timeout=60)
        new.chmod(0o755)
        new.rename(path)
    return path


@functools.cache
def busybox():
    """A copy of the static busybox on the file system of the bundles, so that it can be linked."""
    for name in ("/bin/busybox", "/bin/busybox.static", "/usr/sbin/busybox"):
        if os.path.exists(name):
            break
    else:
        raise FileNotFoundError("no static busybox: run contrib/setup test")
    path = cache_directory() / f"busybox-{os.stat(name).st_size}-{os.stat(name).st_mtime_ns}"
    if not path.exists():
        new = path.with_suffix(f".{os.getpid()}")
        shutil.copyfile(name, new)
        new.chmod(0o755)
        new.rename(path)
    return path


@functools.cache
def syscalls():
    """The system calls of this machine by name, from the kernel's headers."""
    path = cache_directory() / "syscalls.json"
    if path.exists():
        return json.loads(path.read_text())
    done = subprocess.run(["gcc", "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", "/dev/null"],
                          check=True, capture_output=True, text=True, timeout=30)
    found = {name: int(number) for name, number
             in re.findall(r"^#define __NR_(\w+) (\d+)$", done.stdout, re.M)}
    new = path.with_suffix(f".{os.getpid()}")
    new.write_text(json.dumps(found))
    new.rename(path)
    return found


def make_rootfs(path, applets=APPLETS):
    """A root with busybox, links for applets and the probe, readable by everybody."""
    path.mkdir()
    path.chmod(0o755)
    for directory in DIRECTORIES:
        (path / directory).mkdir()
        (path / directory).chmod(0o755)
    (path / "tmp").chmod(0o1777)
    os.link(busybox(), path / "bin/busybox")
    os.link(probe(), path / "bin/probe")
    for name in applets:
        os.symlink("busybox", path / "bin" / name)
    for name, text in (("passwd", PASSWD), ("group", GROUP)):
        (path / "etc" / name).write_text(text)
        (path / "etc" / name).chmod(0o644)
    return path


def default_config(cgroups_path):
    """What most tests start from: the usual namespaces and mounts, a program that is looked at."""
    return {
        "ociVersion": "1.0.2",
        "hostname": "hoy-test",
        "root": {"path": "rootfs"},
        "process": {
            "terminal": False,
            "user": {"uid": 0, "gid": 0},
            "args": ["/bin/probe"],
            "env": ["PATH=/bin:/sbin"],
            "cwd": "/",
            "capabilities": {name: list(DEFAULT_CAPABILITIES)
                             for name in ("bounding", "effective", "permitted")},
        },
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
             "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
        ],
        "linux": {
            "cgroupsPath": cgroups_path,
            "namespaces": [{"type": kind}
                           for kind in ("pid", "network", "ipc", "uts", "mount", "cgroup")],
        },
    }


class Bundle:
    """A bundle directory. `config` is written to config.json by each command that gets the bundle."""

    def __init__(self, path, cgroups_path, applets=APPLETS):
        self.path = Path(path)
        self.path.mkdir()
        self.path.chmod(0o755)
        self.rootfs = make_rootfs(self.path / "rootfs", applets)
        self.config = default_config(cgroups_path)

    @property
    def process(self):
        return self.config["process"]

    @process.setter
    def process(self, value):
        self.config["process"] = value

    @property
    def linux(self):
        return self.config["linux"]

    @linux.setter
    def linux(self, value):
        self.config["linux"] = value

    @property
    def cgroup(self):
        """Where the container's cgroup is to be."""
        return CGROUP2 / self.linux["cgroupsPath"].lstrip("/")

    def write(self):
        text = json.dumps(self.config, indent=1, ensure_ascii=False)
        (self.path / "config.json").write_bytes(text.encode("utf-8", "surrogateescape"))
        return self.path

    def args(self, *args):
        self.process["args"] = list(args)
        return self

    def sh(self, script):
        return self.args("/bin/sh", "-c", script)

    def mount(self, destination, fstype=None, source=None, options=None, **more):
        """Adds a mount, after those that are there."""
        entry = {"destination": destination, "type": fstype, "source": source, "options": options,
                 **more}
        self.config["mounts"].append({k: v for k, v in entry.items() if v is not None})
        return self

    def bind(self, source, destination, *options, **more):
        return self.mount(destination, "bind", str(source), ["bind", *options], **more)

    def unmount(self, *destinations):
        """Takes mounts out of the configuration."""
        self.config["mounts"] = [mount for mount in self.config["mounts"]
                                 if mount["destination"] not in destinations]
        return self

    def namespace(self, kind, path=None):
        """A new namespace of this kind, or the one at path, instead of what is configured."""
        self.without_namespace(kind)
        self.linux["namespaces"].append({"type": kind} | ({"path": str(path)} if path else {}))
        return self

    def without_namespace(self, *kinds):
        self.linux["namespaces"] = [entry for entry in self.linux["namespaces"]
                                    if entry["type"] not in kinds]
        if "uts" in kinds:
            self.config.pop("hostname", None)
        return self

    def user_namespace(self, host_id=100000, size=65536):
        """Ids from 0 mapped to ids from host_id, of which the root file system becomes the owner."""
        self.namespace("user")
        for kind in ("uidMappings", "gidMappings"):
            self.linux[kind] = [{"containerID": 0, "hostID": host_id, "size": size}]
        for directory, names, files in os.walk(self.rootfs):
            os.lchown(directory, host_id, host_id)
            for name in names + files:
                if not name.startswith(("busybox", "probe")):
                    os.lchown(os.path.join(directory, name), host_id, host_id)
        return self

    def capabilities(self, *names, sets=("bounding", "effective", "permitted")):
        """These capabilities, in these sets, and no others in any."""
        self.process["capabilities"] = {name: list(names) for name in sets}
        return self

    def seccomp(self, *rules, default="SCMP_ACT_ALLOW", **more):
        self.linux["seccomp"] = {"defaultAction": default, "syscalls": list(rules), **more}
        return self

    def hook(self, kind, path, *args, **more):
        """Adds a hook; args starts with argv[0]."""
        entry = {"path": str(path)} | ({"args": list(args)} if args else {}) | more
        self.config.setdefault("hooks", {}).setdefault(kind, []).append(entry)
        return self

    def hook_sh(self, kind, script, **more):
        """Adds a hook that is a shell script, run by the host's or the container's busybox."""
        path = "/bin/busybox" if kind == "startContainer" else busybox()
        return self.hook(kind, path, "sh", "-c", script, **more)

    def file(self, path, text="", mode=0o644):
        """A file in the root file system, in directories that are made for it."""
        target = self.rootfs / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)
        return target


def rule(action, *names, **more):
    """An entry of linux.seccomp.syscalls."""
    return {"names": list(names), "action": f"SCMP_ACT_{action}", **more}


def arg(index, op, value, value_two=None):
    """An entry of its args."""
    entry = {"index": index, "value": value, "op": f"SCMP_CMP_{op}"}
    return entry if value_two is None else entry | {"valueTwo": value_two}
