"""
Bundles: one like those of engines, and what one change makes of it. Each function changes one field;
its name is the case's, and where a parameter varies, so does a line for each value.
"""

import os
import stat

from bundle import CAPABILITY_SETS, arg, rule

CASES = {}
BUSY = ["/bin/sh", "-c"]


def base(bundle):
    """As docker run makes it, but for what needs controllers."""
    bundle.config["mounts"] += [
        {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
         "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
        {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue",
         "options": ["nosuid", "noexec", "nodev"]},
        {"destination": "/sys", "type": "sysfs", "source": "sysfs",
         "options": ["nosuid", "noexec", "nodev", "ro"]},
        {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
         "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]}]
    bundle.linux["maskedPaths"] = ["/proc/acpi", "/proc/kcore", "/proc/keys", "/sys/firmware"]
    bundle.linux["readonlyPaths"] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys"]
    bundle.process["env"] = ["PATH=/bin:/sbin", "TERM=xterm"]
    bundle.process["noNewPrivileges"] = True
    return bundle


def case(*values, names=None):
    """Adds a case, or one for each value."""
    def add(function):
        title = function.__name__.replace("_", "-")
        if not values:
            CASES[title] = function
        for index, value in enumerate(values):
            label = names[index] if names else str(value)
            CASES[f"{title}-{label}"] = lambda bundle, value=value: function(bundle, value)
        return function
    return add


@case()
def as_it_is(bundle):
    pass


# ---- process ----

@case({"uid": 1, "gid": 0}, {"uid": 0, "gid": 1}, {"uid": 1000, "gid": 1000},
      {"uid": 0, "gid": 0, "additionalGids": [1, 5, 77]}, {"uid": 0, "gid": 0, "umask": 0o77},
      names=["uid", "gid", "ordinary", "groups", "umask"])
def user(bundle, value):
    bundle.process["user"] = value


@case("/tmp", "/new/directory", "/etc/../tmp")
def cwd(bundle, value):
    bundle.process["cwd"] = value


@case(["PATH=/bin"], ["PATH=/bin", "HOME=/x"], ["PATH=/bin", "A=1", "A=2"], ["PATH=/bin", "A="],
      ["PATH=/bin", "A= b=c"], names=["path", "home", "twice", "empty", "blanks"])
def env(bundle, value):
    bundle.process["env"] = value


@case("CAP_SYS_ADMIN", "CAP_NET_RAW", names=["one", "other"])
def capability(bundle, value):
    bundle.capabilities(value)


@case(*CAPABILITY_SETS)
def only_in(bundle, value):
    """Ambient ones need two other sets to be there at all."""
    sets = ["permitted", "inheritable", "ambient"] if value == "ambient" else [value]
    bundle.capabilities("CAP_KILL", sets=sets)


@case()
def no_capabilities(bundle):
    bundle.capabilities()


@case()
def capabilities_left_out(bundle):
    del bundle.process["capabilities"]


@case(0, 1000)
def ambient_capabilities_of_uid(bundle, value):
    bundle.process["user"] = {"uid": value, "gid": value}
    bundle.capabilities("CAP_KILL", sets=CAPABILITY_SETS)


@case()
def capabilities_of_a_user(bundle):
    bundle.process["user"] = {"uid": 1000, "gid": 1000}


@case()
def new_privileges(bundle):
    bundle.process["noNewPrivileges"] = False


@case("NOFILE", "CORE", "STACK", "AS")
def rlimit(bundle, value):
    bundle.process["rlimits"] = [{"type": f"RLIMIT_{value}", "soft": 1 << 30 if value == "AS" else 100,
                                  "hard": 1 << 30 if value == "AS" else 200}]
    if value == "STACK":
        bundle.process["rlimits"][0].update(soft=1 << 20, hard=1 << 21)


@case(0, 500, 1000)
def oom_score_adj(bundle, value):
    bundle.process["oomScoreAdj"] = value


@case()
def console_size_without_terminal(bundle):
    bundle.process["consoleSize"] = {"height": 10, "width": 20}


# ---- what becomes of the program ----

@case("exit 7", "kill -TERM $$", "kill -KILL $$", "exit 255",
      names=["exit", "term", "kill", "255"])
def ends(bundle, value):
    bundle.args(*BUSY, value)


@case(["/no/such"], ["no-such"], ["/etc/passwd"], ["/etc"],
      names=["no-file", "not-in-path", "no-program", "directory"])
def cannot_run(bundle, value):
    bundle.args(*value)


# ---- root and names ----

@case()
def read_only_root(bundle):
    bundle.config["root"]["readonly"] = True


@case()
def absolute_root(bundle):
    bundle.config["root"]["path"] = str(bundle.rootfs)


@case("hostname", "domainname")
def name(bundle, value):
    bundle.config[value] = "another"


@case()
def hostname_unset(bundle):
    del bundle.config["hostname"]


@case()
def annotations(bundle):
    bundle.config["annotations"] = {"com.example.key": "value"}


# ---- mounts ----

@case("ro", "nosuid", "nodev", "noexec", "noatime", "nodiratime", "strictatime", "relatime", "sync",
      "mode=700", "size=1m", "nr_inodes=10", "uid=5", "defaults")
def tmpfs(bundle, value):
    bundle.mount("/m", "tmpfs", "tmpfs", [value])


@case("ro", "nosuid", "nodev", "noexec", "noatime", "rw")
def bind(bundle, value):
    tree(bundle)
    bundle.bind(bundle.path / "volume", "/m", value)


@case("private", "slave", "shared", "unbindable", "rprivate", "rslave", "rshared", "runbindable")
def propagation(bundle, value):
    tree(bundle)
    bundle.bind(bundle.path / "volume", "/m", value)


@case("rro", "rnosuid", "rnoexec", "rnodev")
def recursive(bundle, value):
    tree(bundle)
    bundle.mount("/m", "bind", str(bundle.path / "volume"), ["rbind", value])


def tree(bundle):
    """A directory with a file in it, to be bound."""
    (bundle.path / "volume").mkdir()
    (bundle.path / "volume/file").write_text("file")


@case()
def bind_of_a_file(bundle):
    tree(bundle)
    bundle.bind(bundle.path / "volume/file", "/new/file", "ro")


@case()
def bind_of_a_device(bundle):
    bundle.bind("/dev/null", "/n")


@case()
def relative_source(bundle):
    tree(bundle)
    bundle.mount("/m", "bind", "volume", ["bind"])


@case()
def bind_without_type(bundle):
    tree(bundle)
    bundle.mount("/m", None, str(bundle.path / "volume"), ["rbind"])


@case()
def missing_destination(bundle):
    bundle.mount("/a/b/c", "tmpfs", "tmpfs")


@case()
def destination_through_a_link(bundle):
    os.symlink("/tmp", bundle.rootfs / "way")
    bundle.mount("/way/m", "tmpfs", "tmpfs")


@case()
def one_on_another(bundle):
    bundle.mount("/m", "tmpfs", "lower").mount("/m", "tmpfs", "upper")


@case()
def below_another(bundle):
    bundle.mount("/m", "tmpfs", "upper").mount("/m/n", "tmpfs", "lower")


@case(0o755, 0o700, 0o1777)
def tmpfs_on_a_directory_of_mode(bundle, value):
    (bundle.rootfs / "m").mkdir()
    (bundle.rootfs / "m").chmod(value)
    bundle.mount("/m", "tmpfs", "tmpfs")


@case()
def copied_up(bundle):
    bundle.file("/m/file", "text")
    bundle.mount("/m", "tmpfs", "tmpfs", ["tmpcopyup"])


@case("/dev/pts", "/dev/shm", "/dev/mqueue", "/sys", "/sys/fs/cgroup", "/proc")
def without_mount(bundle, value):
    bundle.unmount(value)
    if value == "/sys":
        bundle.unmount("/sys/fs/cgroup")
    if value == "/proc":
        bundle.linux["maskedPaths"] = bundle.linux["readonlyPaths"] = []


@case()
def no_dev(bundle):
    bundle.unmount("/dev", "/dev/pts", "/dev/shm", "/dev/mqueue")


@case("ro", "rw")
def cgroup_mount(bundle, value):
    bundle.unmount("/sys/fs/cgroup").mount("/sys/fs/cgroup", "cgroup", "cgroup", [value])


@case()
def cgroup_mount_of_the_host(bundle):
    bundle.without_namespace("cgroup")


# ---- linux ----

@case("pid", "network", "ipc", "uts", "cgroup")
def without_namespace(bundle, value):
    bundle.without_namespace(value)
    if value == "ipc":
        bundle.unmount("/dev/mqueue")
    if value == "network":
        bundle.unmount("/sys", "/sys/fs/cgroup")


@case()
def user_namespace(bundle):
    bundle.user_namespace()


@case({"uid": 1000, "gid": 1000, "additionalGids": [3]}, names=["ordinary"])
def user_namespace_as(bundle, value):
    bundle.user_namespace().process["user"] = value


@case({"type": "c", "major": 10, "minor": 200}, {"type": "b", "major": 7, "minor": 9},
      {"type": "p"}, {"type": "u", "major": 1, "minor": 3},
      {"type": "c", "major": 1, "minor": 3, "fileMode": 0o600, "uid": 5, "gid": 6},
      names=["char", "block", "fifo", "unbuffered", "owned"])
def device(bundle, value):
    bundle.linux["devices"] = [{"path": "/dev/x"} | value]


@case()
def device_elsewhere(bundle):
    bundle.linux["devices"] = [{"path": "/opt/x", "type": "c", "major": 1, "minor": 3}]


@case("shared", "slave", "private", "unbindable", "rshared", "rslave", "rprivate", "runbindable")
def rootfs_propagation(bundle, value):
    bundle.linux["rootfsPropagation"] = value


@case(["/proc/version"], ["/etc"], ["/no/such"], [], names=["file", "directory", "missing", "none"])
def masked(bundle, value):
    bundle.linux["maskedPaths"] = value


@case(["/proc/version"], ["/etc"], ["/no/such"], [], names=["file", "directory", "missing", "none"])
def read_only(bundle, value):
    bundle.linux["readonlyPaths"] = value


@case({"net.ipv4.ip_forward": "1"}, {"kernel.shmmax": "4096"}, names=["net", "ipc"])
def sysctl(bundle, value):
    bundle.linux["sysctl"] = value
    bundle.linux["readonlyPaths"] = []


@case(rule("ERRNO", "mkdir", "mkdirat"), rule("ERRNO", "mkdirat", errnoRet=5),
      rule("KILL_PROCESS", "reboot"), rule("LOG", "uname"),
      rule("ERRNO", "personality", args=[arg(0, "EQ", 8)]),
      names=["errno", "errno-ret", "kill", "log", "argument"])
def seccomp(bundle, value):
    bundle.seccomp(value)


@case([{"allow": False, "access": "rwm"}],
      [{"allow": False, "access": "rwm"}, {"allow": True, "type": "c", "major": 10, "access": "rwm"}],
      names=["deny", "allow"])
def device_rules(bundle, value):
    bundle.linux["resources"] = {"devices": value}


@case("LINUX", "LINUX32")
def personality(bundle, value):
    bundle.linux["personality"] = {"domain": value}


# ---- what needs controllers ----

LIMITS = {
    "pids": {"pids": {"limit": 77}}, "pids-none": {"pids": {"limit": -1}},
    "memory": {"memory": {"limit": 64 << 20}}, "memory-reservation": {"memory": {"reservation": 32 << 20}},
    "swap": {"memory": {"limit": 64 << 20, "swap": 96 << 20}},
    "shares": {"cpu": {"shares": 512}}, "quota": {"cpu": {"quota": 50000, "period": 100000}},
    "cpus": {"cpu": {"cpus": "0"}}, "weight": {"blockIO": {"weight": 200}},
    "unified": {"unified": {"memory.high": "50000000"}},
}


@case(*LIMITS.values(), names=list(LIMITS))
def limit(bundle, value):
    bundle.linux["resources"] = value


def needs_controllers(title):
    return title.startswith("limit-")


assert stat and len(CASES) >= 60
