"""What a VM boots: a Debian root file system by flavour, and a Debian kernel by version.

The two are built apart, so that any root runs under any kernel. Only packages are in them: the
scripts in guest/ and the job are handed over at each boot (machine.py), so changing those rebuilds
nothing. The roots are of the newest suite: what was built on an older Debian runs there as well.
"""

import lzma
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import cache
from initramfs import Initramfs
from problem import Problem, need

ROOT_RECIPE = 1  # count up when build_root() changes what it makes
KERNEL_RECIPE = 1  # count up when build_kernel() changes what it makes

ROOT_SUITE = "trixie"
ROOT_SIZE = "4G"
KERNELS = {"6.1": "bookworm", "6.12": "trixie"}
KERNEL_PACKAGE = "linux-image-cloud-amd64"

SMALL = """apparmor busybox-static crun iproute2 kmod libcap2 libseccomp2 libyajl2 mount passwd
    procps python3 python3-pytest runc strace uidmap util-linux""".split()
FLAVOURS = {
    "small": SMALL,
    "systemd": SMALL + "dbus dbus-user-session libpam-systemd systemd systemd-sysv udev".split(),
}
EXTRAS = {
    "engines": """aardvark-dns ca-certificates catatonit containerd criu docker-buildx docker-cli
        docker.io fuse-overlayfs iptables libcriu2 nftables passt podman slirp4netns""".split(),
    "lsm": "policycoreutils selinux-policy-default".split(),
}
UNREAD = ("/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/man/*")
BOOT_MODULES = ("virtio_pci", "virtio_blk", "virtio_console")


def root(flavour, extras=()):
    """Return the path of the root file system's image, building it if it is not there."""
    return cache.entry(flavour, root_recipe(flavour, extras), build_root) / "root.ext4"


def kernel(version):
    """Return the directory with vmlinuz, initramfs and modules.ext4, building it if missing."""
    return cache.entry("kernel", kernel_recipe(version), build_kernel)


def root_recipe(flavour, extras):
    """Extras are names in EXTRAS or of Debian packages."""
    packages = set(FLAVOURS[flavour])
    for extra in extras:
        packages.update(EXTRAS.get(extra, [extra]))
    return {
        "version": ROOT_RECIPE,
        "suite": ROOT_SUITE,
        "flavour": flavour,
        "extras": sorted(extras),
        "packages": sorted(packages),
    }


def kernel_recipe(version):
    return {
        "version": KERNEL_RECIPE,
        "suite": KERNELS[version],
        "kernel": version,
        "packages": sorted([KERNEL_PACKAGE, "busybox-static"]),
    }


def current_entries():
    """Return the names of the cache's entries that the present recipes make, extras left out."""
    roots = [cache.entry_path(flavour, root_recipe(flavour, ())) for flavour in FLAVOURS]
    kernels = [cache.entry_path("kernel", kernel_recipe(version)) for version in KERNELS]
    return {path.name for path in roots + kernels}


def build_root(target, recipe):
    """Make root.ext4 in the directory target."""
    tree = target / "tree"
    options = [f"--dpkgopt=path-exclude={pattern}" for pattern in UNREAD]
    mmdebstrap("essential", recipe, tree, options)
    subprocess.run(["chroot", tree, "useradd", "-m", "-s", "/bin/bash", "user"], check=True)
    (tree / "etc/hostname").write_text("hoy-vm\n")
    (tree / "etc/hosts").write_text("127.0.0.1 localhost hoy-vm\n::1 localhost\n")
    (tree / "usr/lib/modules").mkdir(exist_ok=True)
    make_ext4(target / "root.ext4", ROOT_SIZE, tree)
    shutil.rmtree(tree)


def build_kernel(target, recipe):
    """Make vmlinuz, initramfs and modules.ext4 in the directory target."""
    tree = target / "tree"
    mmdebstrap("extract", recipe, tree, [])
    release = next((tree / "boot").glob("vmlinuz-*")).name.partition("-")[2]
    shutil.move(tree / "boot" / f"vmlinuz-{release}", target / "vmlinuz")
    # An extracted tree lacks the links that make /bin, /lib part of /usr, in the older suite.
    modules = next(tree.glob("usr/lib/modules"), tree / "lib/modules")
    base = target / "base"
    (base / "lib").mkdir(parents=True)
    shutil.move(modules, base / "lib/modules")
    subprocess.run(["depmod", "-b", base, release], check=True)
    busybox = next(tree.glob("usr/bin/busybox"), tree / "bin/busybox")
    content = initramfs_base(base, release, busybox.read_bytes())
    (target / "initramfs").write_bytes(content)
    make_ext4(target / "modules.ext4", "256M", base / "lib/modules")
    shutil.rmtree(tree)
    shutil.rmtree(base)


def initramfs_base(base, release, busybox):
    """Return the fixed part of the initramfs: busybox, and the modules that reach the disks."""
    archive = Initramfs()
    for mount_point in ("dev", "proc", "root", "sys"):
        archive.directory(mount_point)
    archive.file("bin/busybox", busybox, 0o755)
    for applet in "cp insmod mount sh sleep switch_root".split():
        archive.symlink(f"bin/{applet}", "busybox")
    load = []
    for module in BOOT_MODULES:
        command = ["modprobe", "-d", base, "-S", release, "--show-depends", module]
        lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        for line in lines.splitlines():
            action, path = line.split()[:2]
            if action == "insmod" and path not in load:
                load.append(path)
    for path in load:
        data = Path(path).read_bytes()
        name = Path(path).name
        if name.endswith(".xz"):
            name, data = name[:-3], lzma.decompress(data)
        archive.file(f"modules/{name}", data)
    names = [Path(path).name.removesuffix(".xz") for path in load]
    archive.file("modules/order", "".join(name + "\n" for name in names))
    return archive.bytes()


def mmdebstrap(variant, recipe, tree, options):
    """Put the recipe's packages into the new directory tree."""
    need("mmdebstrap", "mke2fs", "depmod")
    if os.geteuid() != 0:
        raise Problem("building an image needs root: the files in it belong to root")
    command = ["mmdebstrap", "--quiet", f"--variant={variant}", "--components=main"]
    command += [f"--include={','.join(recipe['packages'])}", "--dpkgopt=force-unsafe-io"]
    command += [f"--aptopt={option}" for option in host_apt_options()]
    command += options + [recipe["suite"], str(tree), mirror()]
    # The system's own locale may not exist in the new system.
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=2, env=environment)
    if done.returncode != 0:
        raise Problem(f"mmdebstrap failed: {shlex.join(command)}")


def make_ext4(image, size, tree):
    """Make a sparse image of the given size that holds what is in the directory tree."""
    image.touch()  # mke2fs says so when it creates a file
    options = ["-q", "-t", "ext4", "-O", "^has_journal", "-m", "0"]
    subprocess.run(["mke2fs", *options, "-d", tree, image, size], check=True)


def mirror():
    """Return $HOY_VM_MIRROR, or the Debian mirror that this machine's apt uses, or Debian's own."""
    if os.environ.get("HOY_VM_MIRROR"):
        return os.environ["HOY_VM_MIRROR"]
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Identifier: Packages"]
    lines = subprocess.run(command, stdout=subprocess.PIPE, text=True).stdout
    for uri in lines.splitlines():
        if uri.rstrip("/").endswith("/debian"):
            return uri
    return "http://deb.debian.org/debian"


def host_apt_options():
    """Return what this machine's apt is told about proxies and the age of mirrors."""
    lines = subprocess.run(["apt-config", "dump"], stdout=subprocess.PIPE, text=True).stdout
    wanted = ("Acquire::http", "Acquire::Check-", "Acquire::Retries")
    return [line for line in lines.splitlines() if line.startswith(wanted) and '""' not in line]
