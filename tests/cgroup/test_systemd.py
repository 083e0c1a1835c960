"""The systemd manager: scopes that systemd knows all about, and that do what config.json says."""

import json
import os
import pwd
import subprocess
import time
from pathlib import Path

import pytest

from bundle import CGROUP2
from limits import ALLOCATE, MB, limit, needs
from runtime import wait_until

UNIT = "hoytest-c1.scope"
SLICE = CGROUP2 / "system.slice"


def systemctl(*words):
    done = subprocess.run(["systemctl", "--no-pager", *words], capture_output=True, text=True,
                          check=False, timeout=60)
    return done.stdout.strip()


def properties(unit, *names):
    lines = systemctl("show", unit, *(f"--property={name}" for name in names)).splitlines()
    return dict(line.split("=", 1) for line in lines)


def is_known(unit):
    return properties(unit, "LoadState")["LoadState"] != "not-found"


class Scope:
    """The cgroup of a container's unit."""

    def __init__(self, path):
        self.path = path

    def read(self, file):
        return (self.path / file).read_text().rstrip("\n")

    def reads(self, files):
        return {file: self.read(file) for file in files}


@pytest.fixture
def systemd(bundle, runtime):
    """The default scope of the tests; nothing may be known of it afterwards."""
    needs(Path("/run/systemd/system").is_dir(), "systemd")
    runtime.globals.append("--systemd-cgroup")
    bundle.linux["cgroupsPath"] = "system.slice:hoytest:c1"
    yield Scope(SLICE / UNIT)
    assert not (SLICE / UNIT).exists()
    assert not is_known(UNIT)


LIMITS = dict(memory={"limit": 64 * MB, "reservation": 32 * MB, "swap": 128 * MB},
              cpu={"shares": 2048, "quota": 12500, "period": 50000, "cpus": "0", "mems": "0"},
              pids={"limit": 33}, unified={"memory.high": str(60 * MB)})
FILES = {"memory.max": str(64 * MB), "memory.low": str(32 * MB), "memory.high": str(60 * MB),
         "memory.swap.max": str(64 * MB), "cpu.weight": "174", "cpu.max": "12500 50000",
         "cpuset.cpus": "0", "cpuset.mems": "0", "pids.max": "33"}
PROPERTIES = {"MemoryMax": str(64 * MB), "MemoryLow": str(32 * MB), "MemoryHigh": str(60 * MB),
              "MemorySwapMax": str(64 * MB), "CPUWeight": "174", "CPUQuotaPerSecUSec": "250ms",
              "CPUQuotaPeriodUSec": "50ms", "AllowedCPUs": "0", "AllowedMemoryNodes": "0",
              "TasksMax": "33", "Delegate": "yes", "Slice": "system.slice", "ActiveState": "active",
              "SubState": "running", "Transient": "yes"}


def test_the_scope_has_the_limits_and_systemd_knows_them(systemd, bundle, runtime):
    limit(bundle, **LIMITS)
    with runtime.sleeping(bundle) as container:
        assert systemd.reads(FILES) == FILES
        assert properties(UNIT, *PROPERTIES) == PROPERTIES
        status = systemctl("status", UNIT)
        assert "Active: active (running)" in status and f"{container.pid} /bin/sleep" in status
        assert Path(f"/proc/{container.pid}/cgroup").read_text() == f"0::/system.slice/{UNIT}\n"
        assert container.exec("--", "/bin/cat", "/proc/self/cgroup").ok().stdout == "0::/\n"
        runtime("pause", "c1").silent()
        assert container.status == "paused"
        runtime("resume", "c1").silent()
        assert runtime("ps", "-f", "json", "c1").ok().json == [container.pid]


def can_open(runtime, path, mode):
    return runtime("exec", "c1", "/bin/sh", "-c", f"true {mode}{path}").status == 0


@pytest.mark.req("linux.resources.devices.v2", "linux.resources.devices.order")
def test_daemon_reload_changes_nothing(systemd, bundle, runtime):
    fuse = {"type": "c", "major": 10, "minor": 229}
    hpet = {"type": "c", "major": 10, "minor": 228}
    bundle.linux["devices"] = [{"path": "/dev/fuse", **fuse}, {"path": "/dev/hpet", **hpet}]
    limit(bundle, **LIMITS, devices=[{"allow": False, "access": "rwm"},
                                     {"allow": True, "access": "rwm", **fuse},
                                     {"allow": False, "access": "w", **fuse}])

    def opened():
        return [can_open(runtime, path, mode) for path in ("/dev/fuse", "/dev/hpet", "/dev/null")
                for mode in ("<", ">>")]

    with runtime.sleeping(bundle):
        assert opened() == [True, False, False, False, True, True]
        assert systemctl("daemon-reload") == ""
        # A change of any property makes systemd apply all of them again.
        systemctl("set-property", "--runtime", UNIT, "IOAccounting=yes")
        systemctl("daemon-reload")
        assert systemd.reads(FILES) == FILES
        assert opened() == [True, False, False, False, True, True]


def test_systemctl_stop_stops_the_container(systemd, bundle, runtime):
    bundle.sh("trap 'exit 0' TERM; while :; do sleep 0.1; done")
    with runtime.running(bundle) as container:
        assert systemctl("stop", UNIT) == ""
        container.wait()
        assert container.status == "stopped"
        assert not systemd.path.exists()
        container.delete().silent()


def test_delete_ends_the_scope_and_the_name_is_free(systemd, bundle, runtime):
    for _ in range(3):
        with runtime.sleeping(bundle) as container:
            container.delete("--force").silent()
            assert not systemd.path.exists()
            assert not is_known(UNIT)
    # Nor does one that has failed stand in the way.
    limit(bundle, memory={"limit": 16 * MB, "swap": 16 * MB})
    for _ in range(2):
        assert runtime.run(bundle.args("/bin/tail", "/dev/zero")).status == 128 + 9


def test_foreground_run(systemd, bundle, runtime):
    limit(bundle, memory={"limit": 64 * MB})
    bundle.mount("/sys/fs/cgroup", "cgroup", "cgroup", ["ro"])
    result = runtime.sh(bundle, "cat /proc/self/cgroup /sys/fs/cgroup/memory.max; exit 3")
    assert (result.status, result.stdout, result.stderr) == (3, f"0::/\n{64 * MB}\n", "")


def test_names_slices_and_properties_of_one_s_own(systemd, bundle, runtime):
    del bundle.linux["cgroupsPath"]
    with runtime.sleeping(bundle) as container:
        assert f"/system.slice/hoy-{container.id}.scope" in container.proc("cgroup").read_text()
    bundle.linux["cgroupsPath"] = "hoytest-below.slice:hoytest:c1"
    bundle.config["annotations"] = {
        "org.systemd.property.TimeoutStopSec": "7", "org.systemd.property.CollectMode": "'inactive'",
        "org.systemd.property.Description": "'a container of the tests'"}
    with runtime.sleeping(bundle) as container:
        assert container.proc("cgroup").read_text() == \
            f"0::/hoytest.slice/hoytest-below.slice/{UNIT}\n"
        assert properties(UNIT, "TimeoutStopUSec", "CollectMode", "Description", "Slice") == {
            "TimeoutStopUSec": "7s", "CollectMode": "inactive",
            "Description": "a container of the tests", "Slice": "hoytest-below.slice"}
    systemctl("stop", "hoytest.slice")


REFUSED = {
    "form": ("/a/b", {}, ["linux.cgroupsPath", "slice:prefix:name"]),
    "slice": ("no/slice:hoytest:c1", {}, ["linux.cgroupsPath", "slice"]),
    "property": (None, {"org.systemd.property.NoSuchThing": "true"}, ["NoSuchThing"]),
    "value": (None, {"org.systemd.property.TimeoutStopSec": "soon"}, ["TimeoutStopSec", "soon"]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_systemd_refuses_leaves_nothing(systemd, bundle, runtime, name):
    path, annotations, words = REFUSED[name]
    if path:
        bundle.linux["cgroupsPath"] = path
    bundle.config["annotations"] = annotations
    runtime.refuses(bundle, *words)


def test_a_unit_that_is_somebody_s_is_left_alone(systemd, bundle, runtime):
    subprocess.run(["systemd-run", "--quiet", f"--unit={UNIT}", "--scope", "--slice=system.slice",
                    "--", "sh", "-c", "sleep 1000 & exec true"], check=True, timeout=30)
    runtime.refuses(bundle, UNIT, "already")
    assert (systemd.path / "cgroup.procs").read_text() != ""
    systemctl("kill", "--signal=KILL", UNIT)
    wait_until(lambda: not is_known(UNIT), "the foreign scope to end")


def update(runtime, resources):
    with subprocess.Popen(["echo", json.dumps(resources)], stdout=subprocess.PIPE) as text:
        return runtime("update", "--resources", "-", "c1", stdin=text.stdout)


def test_update_tells_systemd(systemd, bundle, runtime):
    limit(bundle, **LIMITS)
    with runtime.sleeping(bundle):
        change = {"memory": {"limit": 50 * MB, "swap": 90 * MB}, "pids": {"limit": 44},
                  "cpu": {"quota": 20000, "cpus": "0-1", "shares": 1024},
                  "unified": {"memory.high": str(40 * MB)}}
        update(runtime, change | {"unified": {"memory.high": "1000000", "memory.min": "x"}}).fails(
            "write memory.min")
        systemctl("daemon-reload")
        systemctl("set-property", "--runtime", UNIT, "IOAccounting=yes")
        assert properties(UNIT, *PROPERTIES) == PROPERTIES
        assert systemd.reads(FILES) == FILES
        update(runtime, change).silent()
        files = FILES | {"memory.max": str(50 * MB), "memory.swap.max": str(40 * MB), "pids.max": "44",
                         "cpu.max": "20000 50000", "cpuset.cpus": "0-1", "cpu.weight": "100",
                         "memory.high": str(40 * MB)}
        assert systemd.reads(files) == files
        systemctl("daemon-reload")
        systemctl("set-property", "--runtime", UNIT, "IOAccounting=no")
        assert systemd.reads(files) == files
        assert properties(UNIT, "MemoryMax", "TasksMax", "CPUQuotaPerSecUSec", "AllowedCPUs") == {
            "MemoryMax": str(50 * MB), "TasksMax": "44", "CPUQuotaPerSecUSec": "400ms",
            "AllowedCPUs": "0-1"}


def test_a_failed_update_takes_new_kinds_of_limits_back(systemd, bundle, runtime):
    """What was unlimited is so again, for systemd as well."""
    with runtime.sleeping(bundle):
        names = ("MemoryMax", "TasksMax", "CPUQuotaPerSecUSec", "MemoryLow")
        files = ("memory.max", "memory.low", "cpu.weight", "cpu.max", "cpuset.cpus.effective",
                 "cpuset.mems.effective", "pids.max")
        before, before_files = properties(UNIT, *names), systemd.reads(files)
        update(runtime, LIMITS | {"unified": {"memory.min": "x"}}).fails("write memory.min")
        assert systemd.reads(files) == before_files
        systemctl("daemon-reload")
        systemctl("set-property", "--runtime", UNIT, "IOAccounting=yes")
        assert systemd.reads(files) == before_files
        assert properties(UNIT, *names) == before


def test_a_container_that_manages_its_cgroup(systemd, bundle, runtime):
    bundle.user_namespace()
    bundle.mount("/sys/fs/cgroup", "cgroup", "cgroup", ["nosuid", "noexec", "nodev"])
    limit(bundle, memory={"limit": 64 * MB})
    bundle.sh("""mkdir /sys/fs/cgroup/leaf && echo $$ >/sys/fs/cgroup/leaf/cgroup.procs && cd /sys/fs/cgroup
        echo +memory >cgroup.subtree_control && mkdir sub && echo 16M >sub/memory.max && cat sub/memory.max
        sleep 1000""")
    with runtime.running(bundle) as container:
        wait_until(lambda: container.output == f"{16 * MB}\n", "the limit", 10)
        assert container.exec("--", "/bin/cat", "/proc/self/cgroup").ok().stdout == "0::/leaf\n"
        systemctl("daemon-reload")
        container.delete("--force").silent()


# What systemd needs to be the first process, and a service of it with a limit of its own.
INNER_SERVICE = f"""[Unit]
DefaultDependencies=no
SuccessAction=exit
FailureAction=exit
[Service]
Type=oneshot
MemoryMax={16 * MB}
ExecStart=/bin/sh -c 'cat /proc/self/cgroup /sys/fs/cgroup/system.slice/hoytest.service/memory.max >/result'
ExecStart=/bin/sh -c 'until [ -e /go ]; do sleep 0.1; done'
"""


def put_systemd_into(bundle):
    """And what it needs to be the first process. What it says goes to a file of the root."""
    bundle.mount("/usr", "bind", "/usr", ["rbind", "ro"])
    for name in ("lib", "lib64"):
        os.symlink(f"usr/{name}", bundle.rootfs / name)
    for point in ("/run", "/var"):
        bundle.mount(point, "tmpfs", "tmpfs", ["mode=755"])
    bundle.mount("/sys", "sysfs", "sysfs", ["nosuid", "noexec", "nodev", "ro"])
    bundle.mount("/sys/fs/cgroup", "cgroup", "cgroup", ["nosuid", "noexec", "nodev"])
    bundle.bind(bundle.file("/console"), "/dev/console")
    bundle.file("/etc/machine-id", "68f9792d6b0b4b0e8a9c3c1f0f7d1a55\n")
    bundle.file("/etc/systemd/system/hoytest.service", INNER_SERVICE)
    bundle.process["env"].append("container=hoy")
    bundle.capabilities("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_KILL", "CAP_SETGID",
                        "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_ADMIN", "CAP_SYS_CHROOT",
                        sets=("bounding", "effective", "permitted"))
    return bundle.args("/usr/lib/systemd/systemd", "--unit=hoytest.service", "--log-target=console")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("user", ["root", "mapped"])
def test_systemd_in_a_container_limits_its_services(systemd, bundle, runtime, user):
    put_systemd_into(bundle)
    if user == "mapped":
        bundle.user_namespace()
    limit(bundle, memory={"limit": 128 * MB}, pids={"limit": 100})
    result, console = bundle.rootfs / "result", bundle.rootfs / "console"
    with runtime.running(bundle) as container:
        wait_until(lambda: (result.exists() and result.read_text().count("\n") == 2) or
                   container.status == "stopped", "the service of the inner systemd", 20)
        assert result.exists(), console.read_text()
        assert result.read_text() == f"0::/system.slice/hoytest.service\n{16 * MB}\n"
        assert systemd.read("system.slice/hoytest.service/memory.max") == str(16 * MB)
        assert systemd.read("memory.max") == str(128 * MB)
        # The system's own systemd leaves alone what lies below.
        systemctl("daemon-reload")
        assert systemd.read("system.slice/hoytest.service/memory.max") == str(16 * MB)
        bundle.file("/go")
        container.wait()
        container.delete().silent()
    assert not systemd.path.exists()


def test_limits_of_late_and_early_death(systemd, bundle, runtime):
    """Nothing of a scope stays when the set-up fails after it was made."""
    limit(bundle, pids={"limit": 1}).hook_sh("createContainer", "true | false")
    runtime.refuses(bundle, "hooks.createContainer[0]")
    limit(bundle, memory={"limit": 4096}, pids={"limit": 5})
    result = runtime.refuses(bundle, "init was killed")
    assert "memory" in result.stderr


@pytest.fixture(scope="module")
def user():
    """An ordinary user with a manager of his own, which has a mount."""
    needs(Path("/run/systemd/system").is_dir(), "systemd")
    subprocess.run(["loginctl", "enable-linger", "user"], check=True, timeout=60)
    user = pwd.getpwnam("user")
    wait_until(lambda: Path(f"/run/user/{user.pw_uid}/bus").exists(), "the user's manager", 60)
    return user


@pytest.fixture
def user_runtime(user, runtime, scratch):
    """The runtime as this user."""
    state = scratch / "state"
    state.mkdir()
    os.chown(state, user.pw_uid, user.pw_gid)
    runtime.globals = ["--root", str(state), "--systemd-cgroup"]
    runtime.wrapper = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--init-groups",
                       "env", f"XDG_RUNTIME_DIR=/run/user/{user.pw_uid}", "HOME=/home/user"]
    runtime.user = user
    return runtime


@pytest.mark.timeout(60)
def test_the_manager_of_a_user(user_runtime, bundle):
    runtime, user = user_runtime, user_runtime.user
    del bundle.linux["cgroupsPath"]
    bundle.user_namespace(user.pw_uid, 1).unmount("/dev/pts").without_namespace("network")
    limit(bundle, memory={"limit": 16 * MB, "swap": 16 * MB}, pids={"limit": 20}, cpu={"quota": 50000})
    with runtime.running(bundle.sh(f"{ALLOCATE}; echo $?; sleep 1000")) as container:
        wait_until(lambda: container.output == "137\n", "the allocator to be killed", 20)
        path = f"/user.slice/user-{user.pw_uid}.slice/user@{user.pw_uid}.service/user.slice/hoy-c1.scope"
        assert container.proc("cgroup").read_text() == f"0::{path}\n"
        scope = Scope(CGROUP2 / path.lstrip("/"))
        assert scope.reads(["memory.max", "pids.max", "cpu.max"]) == {
            "memory.max": str(16 * MB), "pids.max": "20", "cpu.max": "50000 100000"}
        assert container.exec("--", "/bin/echo", "in it").ok().stdout == "in it\n"
        runtime("update", "--pids-limit", "30", "c1").silent()
        assert scope.read("pids.max") == "30"
        container.delete("--force").silent()
        assert not scope.path.exists()
    result = runtime.refuses(limit(bundle, blockIO={"weight": 100}),
                             "linux.resources.blockIO.weight", "controller io", "permission denied")
    assert "hint: the cgroup is not delegated to this user (systemd: Delegate=io)" in result.stderr


def test_without_a_bus(user_runtime, bundle):
    runtime, user = user_runtime, user_runtime.user
    del bundle.linux["cgroupsPath"]
    bundle.user_namespace(user.pw_uid, 1).unmount("/dev/pts").without_namespace("network")
    runtime.wrapper[-2] = "XDG_RUNTIME_DIR="
    result = runtime.refuses(limit(bundle, pids={"limit": 20}), "connect to systemd of the user")
    assert "hint: systemd --user must run and XDG_RUNTIME_DIR name its directory" in result.stderr
