"""A configuration as engines write it: everything at once, inspected from inside."""

import os
import subprocess

import pytest

from bundle import arg, rule, syscalls

req = pytest.mark.req

CAPABILITIES = {  # the usual fourteen of engines
    "CAP_CHOWN": 0, "CAP_DAC_OVERRIDE": 1, "CAP_FOWNER": 3, "CAP_FSETID": 4, "CAP_KILL": 5, "CAP_SETGID": 6,
    "CAP_SETUID": 7, "CAP_SETPCAP": 8, "CAP_NET_BIND_SERVICE": 10, "CAP_NET_RAW": 13, "CAP_SYS_CHROOT": 18,
    "CAP_MKNOD": 27, "CAP_AUDIT_WRITE": 29, "CAP_SETFCAP": 31}
# What a container has no business with: changing the machine, its clock, its mounts, its modules; looking
# into the kernel or into others.
DANGEROUS = set("""
    acct add_key bpf clock_adjtime clock_settime create_module delete_module finit_module fsconfig fsmount
    fsopen fspick get_kernel_syms init_module io_uring_enter io_uring_register io_uring_setup ioperm iopl
    kexec_file_load kexec_load keyctl landlock_restrict_self lookup_dcookie mount mount_setattr move_mount
    move_pages name_to_handle_at nfsservctl open_by_handle_at open_tree perf_event_open pidfd_getfd pivot_root
    process_madvise process_vm_readv process_vm_writev ptrace query_module quotactl quotactl_fd reboot
    request_key setns settimeofday stime swapoff swapon syslog umount umount2 unshare uselib userfaultfd ustat
    vhangup vm86 vm86old _sysctl adjtimex personality socket clone clone3 modify_ldt sysfs vserver""".split())
NEW_NAMESPACES = 0x7e020000
MASKED = ["/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
          "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
          "/sys/devices/virtual/powercap"]
READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
VOLUMES = 14


def profile():
    """Allowed is what every kernel of this architecture has, but for the dangerous; a few by argument."""
    allowed = sorted(set(syscalls()) - DANGEROUS)
    rules = [rule("ALLOW", *allowed),
             rule("ALLOW", "clone", args=[arg(0, "MASKED_EQ", NEW_NAMESPACES, 0)]),
             rule("ERRNO", "clone3", errnoRet=38),
             rule("ALLOW", "socket", args=[arg(0, "NE", 40)])]  # AF_VSOCK
    rules += [rule("ALLOW", "personality", args=[arg(0, "EQ", value)])
              for value in (0, 8, 0x20000, 0x20008, 0xffffffff)]
    return len(allowed), {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1, "syscalls": rules,
                          "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]}


@pytest.fixture
def layers(bundle, scratch):
    """The root as engines make it: an overlay mounted on the bundle's rootfs."""
    (scratch / "lower").mkdir()
    bundle.rootfs.rename(scratch / "lower/root")
    for name in ("upper", "work"):
        (scratch / name).mkdir()
    bundle.rootfs.mkdir()
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o",
                    f"lowerdir={scratch}/lower/root,upperdir={scratch}/upper,workdir={scratch}/work",
                    bundle.rootfs], check=True)
    yield scratch / "upper"
    subprocess.run(["umount", bundle.rootfs], check=True)


def volumes(bundle, scratch):
    """Files and directories of the host, of every kind of option."""
    options = [["rbind", "rprivate"], ["rbind", "rprivate", "ro"], ["bind", "ro", "nosuid", "nodev"],
               ["rbind", "rslave", "noexec"]]
    for number in range(VOLUMES):
        path = scratch / f"volume{number}"
        if number % 4 == 2:
            path.write_text(f"{number}\n")
        else:
            path.mkdir()
            (path / "content").write_text(f"{number}\n")
        bundle.mount(f"/volumes/{number}", "bind", str(path), options[number % 4])
    for name in ("hostname", "hosts", "resolv.conf"):
        (scratch / name).write_text(f"of the engine: {name}\n")
        bundle.bind(scratch / name, f"/etc/{name}", "rprivate")


def as_engines_do(bundle, scratch):
    bundle.unmount("/proc", "/dev", "/dev/pts")
    bundle.mount("/proc", "proc", "proc", ["nosuid", "noexec", "nodev"])
    bundle.mount("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"])
    bundle.mount("/dev/pts", "devpts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666",
                                                  "mode=0620", "gid=5"])
    bundle.mount("/sys", "sysfs", "sysfs", ["nosuid", "noexec", "nodev", "ro"])
    bundle.mount("/sys/fs/cgroup", "cgroup", "cgroup", ["ro", "nosuid", "noexec", "nodev"])
    bundle.mount("/dev/mqueue", "mqueue", "mqueue", ["nosuid", "noexec", "nodev"])
    bundle.mount("/dev/shm", "tmpfs", "shm", ["nosuid", "noexec", "nodev", "mode=1777", "size=67108864"])
    bundle.mount("/run", "tmpfs", "tmpfs", ["rw", "nosuid", "nodev", "mode=755"])
    volumes(bundle, scratch)
    bundle.process |= {
        "user": {"uid": 1000, "gid": 1000, "additionalGids": [1000, 10, 20], "umask": 18},
        "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME=engine",
                "HOME=/home/me", "TERM=xterm"],
        "cwd": "/home", "noNewPrivileges": True, "oomScoreAdj": 100,
        "capabilities": {name: list(CAPABILITIES) for name in ("bounding", "effective", "permitted")},
        "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 4096},
                    {"type": "RLIMIT_NPROC", "soft": 2048, "hard": 2048}]}
    seccomp = profile()[1]
    bundle.linux |= {
        "maskedPaths": MASKED, "readonlyPaths": READ_ONLY, "seccomp": seccomp,
        "sysctl": {"net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647"},
        "resources": {
            "devices": [{"allow": False, "access": "rwm"},
                        {"allow": True, "type": "c", "major": 1, "minor": 5, "access": "rwm"},
                        {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "rwm"}],
            # What engines pass on although it asks for nothing.
            "memory": {"disableOOMKiller": False}, "cpu": {"shares": 0}, "pids": {"limit": -1},
            "blockIO": {"weight": 0}},
        "devices": [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o666,
                     "uid": 0, "gid": 0}]}
    bundle.config |= {"hostname": "engine", "annotations": {
        "org.opencontainers.image.stopSignal": "15", "io.container.manager": "engine"}}
    for kind in ("prestart", "createRuntime", "createContainer", "poststart", "poststop"):
        bundle.hook_sh(kind, f"cat >/dev/null; echo {kind} >>{scratch}/hooks", timeout=10)


@req("op.create.all-properties", "op.create.process-rest", "linux.seccomp.loaded")
@pytest.mark.hoy
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the profile's architectures are those of x86")
def test_everything_is_as_configured(bundle, runtime, scratch, layers):
    as_engines_do(bundle, scratch)
    assert profile()[0] >= 280
    assert len(bundle.config["mounts"]) == 25
    seen = runtime.probe(bundle)
    check_process(seen)
    check_mounts(seen)
    check_surroundings(seen, bundle)
    assert (scratch / "hooks").read_text().split() == [
        "prestart", "createRuntime", "createContainer", "poststart", "poststop"]
    assert not list(layers.glob("bin*"))


def check_process(seen):
    mask = sum(1 << number for number in CAPABILITIES.values())
    assert (seen["uids"], seen["gids"]) == ([1000] * 4, [1000] * 4)
    assert sorted(set(seen["groups"])) == [10, 20, 1000]
    assert seen["capabilities"] == {"bounding": mask, "effective": 0, "permitted": 0, "inheritable": 0,
                                    "ambient": 0}
    assert (seen["no_new_privileges"], seen["seccomp"], seen["umask"]) == (1, 2, 0o22)
    assert seen["rlimits"]["NOFILE"] == [1024, 4096] and seen["rlimits"]["NPROC"] == [2048, 2048]
    assert (seen["oom_score_adj"], seen["cwd"]) == ("100", "/home")
    assert seen["env"] == ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                           "HOSTNAME=engine", "HOME=/home/me", "TERM=xterm"]
    assert [entry["fd"] for entry in seen["fds"]] == [0, 1, 2]


def check_mounts(seen):
    for point, fstype, flags in (
            ("/", "overlay", "rw"), ("/proc", "proc", "nosuid noexec nodev"), ("/dev", "tmpfs", "nosuid"),
            ("/dev/pts", "devpts", "nosuid noexec"), ("/sys", "sysfs", "ro nosuid noexec nodev"),
            ("/sys/fs/cgroup", "cgroup2", "ro nosuid noexec nodev"), ("/dev/mqueue", "mqueue", "nosuid"),
            ("/dev/shm", "tmpfs", "nosuid noexec nodev"), ("/run", "tmpfs", "rw nosuid nodev")):
        mount = seen.mount(point)
        assert mount.fstype == fstype and set(flags.split()) <= set(mount.options), mount
    for number in range(VOLUMES):
        mount = seen.mount(f"/volumes/{number}")
        expected = [{"rw"}, {"ro"}, {"ro", "nosuid", "nodev"}, {"rw", "noexec"}][number % 4]
        assert expected <= set(mount.options), mount
    for path in MASKED:
        assert not os.path.exists(path) or seen.mounts(path), path
    for path in READ_ONLY:
        assert not os.path.exists(path) or "ro" in seen.mount(path).options, path
    # Nothing else is there, and nothing is a peer of the host's.
    others = {mount.point for mount in seen.mounts()
              if not mount.point.startswith(("/volumes", "/etc", "/proc/"))}
    assert others <= {"/", "/proc", "/dev", "/dev/pts", "/sys", "/sys/fs/cgroup", "/dev/mqueue", "/dev/shm",
                      "/run", "/sys/firmware", "/sys/devices/virtual/powercap"}, others
    assert not [mount for mount in seen.mounts() if any(word.startswith("shared:") for word in mount.peers)]


def check_surroundings(seen, bundle):
    assert seen["uname"]["hostname"] == "engine"
    assert seen["ids"]["pid"] == 1
    assert seen["interfaces"]["lo"] == "up"
    assert [line for line in seen["cgroup"] if line.startswith("0:")] == ["0::/"]
    fuse = seen["devices"]["/dev/fuse"]
    assert (fuse["rdev"], fuse["mode"]) == ([10, 229], 0o666)
    for kind in ("pid", "net", "ipc", "uts", "mnt", "cgroup"):
        assert seen["namespaces"][kind] != os.readlink(f"/proc/self/ns/{kind}")
    for kind in ("user", "time"):
        assert seen["namespaces"][kind] == os.readlink(f"/proc/self/ns/{kind}")
    assert not bundle.cgroup.exists()


@pytest.mark.hoy
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the profile's architectures are those of x86")
def test_the_profile_in_effect(bundle, runtime, scratch, layers):
    as_engines_do(bundle, scratch)
    bundle.process["user"] = {"uid": 0, "gid": 0}
    errors = runtime.call(
        bundle, ("mount", "x", "/tmp", "tmpfs", 0, 0), ("unshare", 0), ("keyctl", 0, 0, 0), ("bpf", 0, 0, 0),
        ("socket", 40, 1, 0), ("socket", 1, 1, 0), ("personality", 0xffffffff), ("personality", 0x1234),
        ("clone3", 0, 0), ("mkdir", "/tmp/x", 0o755), ("open", "/dev/fuse", 2), ("open", "/dev/full", 1),
        ("mknod", "/tmp/mem", 0o20666, 0x101), ("open", "/tmp/mem", 0))
    assert errors == ["EPERM", "EPERM", "EPERM", "EPERM", "EPERM", "", "", "EPERM", "ENOSYS", "", "", "", "",
                      "EPERM"]


@pytest.mark.hoy
def test_as_conmon_calls_it(bundle, runtime, scratch):
    """create with a pid file, start, exec with a process file and no command, kill, delete --force."""
    log = scratch / "log"
    runtime.globals += ["--log-format=json", "--log", str(log)]
    process = '{"args":["/bin/echo","from exec"],"cwd":"/","user":{"uid":0,"gid":0},"env":["PATH=/bin"]}'
    (scratch / "process.json").write_text(process)
    bundle.args("/bin/sleep", "1000")
    with runtime.created(bundle, "--pid-file", scratch / "pid", env={}) as container:
        assert (scratch / "pid").read_text() == str(container.pid)
        runtime("start", "c1", env={}).silent()
        result = runtime("exec", "--pid-file", scratch / "pid2", "--process", scratch / "process.json",
                         "--detach", "c1", env={})
        assert result.ok().stdout in ("", "from exec\n")
        assert (scratch / "pid2").read_text().isdigit()
        runtime("kill", "c1", "9", env={}).silent()
        container.wait()
        runtime("delete", "--force", "c1", env={}).silent()
    assert not log.exists() or log.read_text() == ""


@pytest.mark.hoy
def test_as_containerd_calls_it(bundle, runtime):
    """It deletes a created container without --force, and reads the log's last line."""
    runtime.globals += ["--log", str(bundle.path / "log.json"), "--log-format", "json"]
    runtime.create(bundle).silent()
    runtime("delete", "c1").silent()
    result = runtime("delete", "c1").fails("does not exist")
    lines = (bundle.path / "log.json").read_text().splitlines()
    assert '"level":"error"' in lines[-1].replace(" ", "")
    assert result.stdout == ""
