"""Boots a VM, hands it a job, and brings back its output, exit status and files.

The disks, in this order: vda the root file system (changes are thrown away), vdb the kernel's
modules, vdc the work (a tar), vdd the results (a tar), vde an empty disk if asked for. What guest/
holds and the job's settings go into the initramfs.
"""

import contextlib
import os
import secrets
import select
import shlex
import shutil
import subprocess
import tarfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import cache
import image
from console import Console
from initramfs import Initramfs
from problem import TIMED_OUT, Problem, need

GUEST = Path(__file__).parent / "guest"
OUT_BYTES = 4 << 30

# QEMU 7.2 corrupts the flags in an emulated cmpxchg16b, of which 6.12 dies: no -cpu max.
EMULATED = """-accel tcg,thread=multi,tb-size=512
    -cpu qemu64,-cx16,+ssse3,+sse4.1,+sse4.2,+popcnt""".split()
KVM = "-accel kvm -cpu host".split()
MACHINE = """-nodefaults -no-user-config -no-reboot -display none -nic none -smp 2
    -device virtio-serial -chardev stdio,id=console,signal=off""".split()
# A port is no terminal, so bytes pass unchanged, and is 100 times as fast as one.
PORT, PORT_DEVICE = "virtserialport,nr=1,chardev=console", "/dev/vport0p1"
TERMINAL, TERMINAL_DEVICE = "virtconsole,chardev=console", "/dev/hvc0"
NUMA = """-object memory-backend-ram,size={half}M,id=m0 -numa node,cpus=0,memdev=m0
    -object memory-backend-ram,size={half}M,id=m1 -numa node,cpus=1,memdev=m1"""
# An oops is a panic, and a panic ends QEMU.
KERNEL_ARGUMENTS = "console=ttyS0 quiet mitigations=off oops=panic panic=-1 systemd.getty_auto=no"


@dataclass
class Job:
    """What to boot and what to do in it."""

    flavour: str = "small"
    kernel: str = "6.12"
    extras: list = field(default_factory=list)
    command: list = field(default_factory=list)
    work: Path = None  # a directory or a tar file
    out: Path = None  # a tar file to be written
    modules: list = field(default_factory=list)
    append: str = ""  # kernel arguments
    disk: str = None  # size of the extra disk, as truncate(1) takes it
    memory_mb: int = 2048
    numa: bool = False
    kvm: bool = False


@dataclass
class Result:
    """How a command in a VM ended."""

    status: int
    output: bytes
    boot_seconds: float  # from QEMU's start to the command's
    total_seconds: float


@dataclass
class Prepared:
    """A VM ready to be started."""

    directory: Path  # its files and logs
    marker: str  # begins every line of the console that is meant for the host
    interactive: bool  # a shell on a terminal, not a command
    command: list = None


def run(job, timeout_s, live=False):
    """Run the job's command in a VM of its own and return its Result.

    live: copy the output to stdout as it comes. Raises a Problem if the command does not come to an
    end in timeout_s seconds, or the VM fails; its output attribute holds what came until then.
    """
    with prepared(job) as vm:
        console = Console(vm.marker.encode(), live)
        try:
            result = watch(vm, console, timeout_s)
            save_out(vm, job)
        except Problem as problem:
            problem.output = bytes(console.output)
            raise
        return result


def shell(job):
    """Give this terminal a shell in a VM until it ends."""
    with prepared(job, interactive=True) as vm:
        subprocess.run(vm.command, check=False)
        save_out(vm, job)


@contextlib.contextmanager
def prepared(job, interactive=False):
    """Wait for a slot, make what the VM needs, and remove it all but the logs at the end."""
    need("qemu-system-x86_64", "setpriv")
    if job.work and not os.access(job.work, os.R_OK):
        raise Problem(f"{job.work}: no such directory or tar file")
    if job.out and not os.access(os.path.dirname(os.path.abspath(job.out)), os.W_OK):
        raise Problem(f"{job.out}: cannot be written")
    root = image.root(job.flavour, job.extras)
    kernel = image.kernel(job.kernel)
    with cache.slot():
        vm = Prepared(cache.new_run(), f"hoy-vm-{secrets.token_hex(16)}", interactive)
        try:
            content = (kernel / "initramfs").read_bytes() + guest_files(vm, job)
            (vm.directory / "initramfs").write_bytes(content)
            vm.command = qemu_command(vm, job, kernel) + disks(vm, job, root, kernel)
            (vm.directory / "qemu.command").write_text(shlex.join(vm.command) + "\n")
            yield vm
        finally:
            for name in ("initramfs", "work.tar", "out.raw", "extra.raw"):
                (vm.directory / name).unlink(missing_ok=True)


def guest_files(vm, job):
    """Return the part of the initramfs that is made for each boot: scripts and settings."""
    columns, rows = shutil.get_terminal_size()
    settings = {
        "marker": vm.marker,
        "flavour": job.flavour,
        "mode": "shell" if vm.interactive else "command",
        "console": TERMINAL_DEVICE if vm.interactive else PORT_DEVICE,
        "work_disk": "/dev/vdc",
        "out_disk": "/dev/vdd",
        "extra_disk": "/dev/vde" if job.disk else "",
        "modules": " ".join(job.modules),
        "term": os.environ.get("TERM", "dumb"),
        "rows": rows,
        "columns": columns,
    }
    lines = [f"{name}={shlex.quote(str(value))}\n" for name, value in settings.items()]
    archive = Initramfs()
    archive.file("init", (GUEST / "init").read_bytes(), 0o755)
    archive.file("hoy-vm/init-flavour", (GUEST / f"init-{job.flavour}").read_bytes(), 0o755)
    archive.file("hoy-vm/job", (GUEST / "job").read_bytes(), 0o755)
    archive.file("hoy-vm/hoy-vm.service", (GUEST / "hoy-vm.service").read_bytes())
    archive.file("hoy-vm/settings", "".join(lines))
    archive.file("hoy-vm/command", f"exec {shlex.join(job.command)}\n")
    return archive.bytes()


def disks(vm, job, root, kernel):
    """Make the disks that belong to this run; return QEMU's options for all, in order."""
    work = Path(job.work) if job.work else None
    if not (work and work.is_file()):
        tar = ["tar", "--owner=0", "--group=0", "-cf", vm.directory / "work.tar"]
        subprocess.run(tar + (["-C", work, "."] if work else ["-T", "/dev/null"]), check=True)
        work = vm.directory / "work.tar"
    with open(vm.directory / "out.raw", "wb") as out:
        out.truncate(OUT_BYTES)
    options = [
        (root, "snapshot=on,cache=unsafe"),
        (kernel / "modules.ext4", "readonly=on"),
        (work, "readonly=on"),
        (vm.directory / "out.raw", "cache=unsafe"),
    ]
    if job.disk:
        extra = vm.directory / "extra.raw"
        subprocess.run(["truncate", "-s", job.disk, extra], check=True)
        options.append((extra, "cache=unsafe"))
    drives = []
    for path, option in options:
        name = str(path.absolute()).replace(",", ",,")
        drives += ["-drive", f"file={name},if=virtio,format=raw,{option}"]
    return drives


def qemu_command(vm, job, kernel):
    """Return the command that boots the VM, but for its disks; it dies with this process."""
    command = ["setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64"]
    command += MACHINE + (KVM if job.kvm else EMULATED) + ["-m", str(job.memory_mb)]
    if job.numa:
        command += NUMA.format(half=job.memory_mb // 2).split()
    command += ["-device", TERMINAL if vm.interactive else PORT]
    command += ["-serial", f"file:{vm.directory / 'kernel.log'}"]
    command += ["-kernel", kernel / "vmlinuz", "-initrd", vm.directory / "initramfs"]
    command += ["-append", f"{KERNEL_ARGUMENTS} {job.append}"]
    return [str(word) for word in command]


def watch(vm, console, timeout_s):
    """Start the VM, feed the console until the job's last line, and end the VM."""
    started = time.monotonic()
    boot_seconds = None
    with (
        open(vm.directory / "console.log", "wb") as log,
        open(vm.directory / "qemu.log", "wb") as errors,
        # QEMU takes the end of its input for a host that has gone, so it gets one without end.
        subprocess.Popen(
            vm.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
        ) as qemu,
    ):
        try:
            while console.verdict is None:
                left_s = started + timeout_s - time.monotonic()
                if left_s <= 0 or not select.select([qemu.stdout], [], [], left_s)[0]:
                    raise Problem(f"timed out after {timeout_s:g} s; {where(vm)}", TIMED_OUT)
                data = os.read(qemu.stdout.fileno(), 65536)
                if not data:
                    raise Problem(why_it_ended(vm))
                log.write(data)
                console.feed(data)
                if console.started and boot_seconds is None:
                    boot_seconds = time.monotonic() - started
        finally:
            qemu.kill()
    word, *rest = console.verdict
    if word != "exit":
        said = console.boot_output.decode(errors="replace").splitlines()[-1:]
        raise Problem(f"the VM failed {': '.join([' '.join(rest)] + said)}; {where(vm)}")
    total_seconds = time.monotonic() - started
    return Result(int(rest[0]), bytes(console.output), boot_seconds, total_seconds)


def why_it_ended(vm):
    """Return what the logs say about a VM that ended before its job."""
    for line in log_lines(vm, "kernel.log"):
        if "Kernel panic" in line:
            return f"{line[line.index('Kernel panic') :]}; {where(vm)}"
    errors = log_lines(vm, "qemu.log")
    reason = f": {errors[-1]}" if errors else ""
    return f"the VM ended without an exit status{reason}; {where(vm)}"


def log_lines(vm, name):
    """Return the lines of a log that may not exist."""
    path = vm.directory / name
    return path.read_text(errors="replace").splitlines() if path.exists() else []


def where(vm):
    return f"logs are in {vm.directory}"


def save_out(vm, job):
    """Make a tar file of the results' disk: what follows the archive's end is cut off."""
    if not job.out:
        return
    disk = vm.directory / "out.raw"
    try:
        with tarfile.open(disk, "r:") as archive:
            archive.getmembers()
            end = archive.offset
    except tarfile.TarError as error:
        raise Problem(f"no results: {error}; {where(vm)}") from error
    os.truncate(disk, end + 2 * tarfile.BLOCKSIZE)
    shutil.move(disk, job.out)
