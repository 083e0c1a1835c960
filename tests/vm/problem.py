"""How this harness fails: one line, and the exit status that goes with it."""

import os
import shutil

FAILED = 125  # the harness or the VM failed, not the command in it
TIMED_OUT = 124  # as timeout(1)

TOOLS = {  # program: the Debian package that has it
    "depmod": "kmod",
    "mke2fs": "e2fsprogs",
    "mmdebstrap": "mmdebstrap",
    "qemu-system-x86_64": "qemu-system-x86",
    "setpriv": "util-linux",
}


class Problem(Exception):
    """What went wrong, in one line, and the exit status for it."""

    def __init__(self, text, status=FAILED):
        super().__init__(text)
        self.status = status


def need(*tools):
    """Raise a Problem naming the packages to install unless every one of the tools is there."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    missing = [tool for tool in tools if not shutil.which(tool)]
    if missing:
        packages = " ".join(TOOLS[tool] for tool in missing)
        raise Problem(f"{', '.join(missing)} not found: apt-get install {packages}")
