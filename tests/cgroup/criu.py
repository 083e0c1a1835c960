"""What tests with CRIU share."""

import ctypes
import os
import struct
import subprocess

import pytest

from limits import needs

# Of x86-64; linux/perf_event.h.
SYS_PERF_EVENT_OPEN = 298
PERF_TYPE_SOFTWARE, PERF_COUNT_SW_DUMMY, PERF_ATTR_SIZE = 1, 9, 112


def open_perf_event():
    """An event of this process that counts nothing, or None where that is not allowed."""
    attributes = bytearray(PERF_ATTR_SIZE)
    struct.pack_into("IIQ", attributes, 0, PERF_TYPE_SOFTWARE, PERF_ATTR_SIZE, PERF_COUNT_SW_DUMMY)
    buffer = (ctypes.c_char * PERF_ATTR_SIZE).from_buffer(attributes)
    fd = ctypes.CDLL(None).syscall(SYS_PERF_EVENT_OPEN, buffer, 0, -1, -1, 8)  # close-on-exec
    return fd if fd >= 0 else None


@pytest.fixture(scope="module", autouse=True)
def criu():
    """CRIU works. The first event of perf, such as CRIU's breakpoints, has the kernel patch its
    scheduler, which does not always survive that under QEMU's emulation: once is enough."""
    done = subprocess.run(["criu", "check"], capture_output=True, check=False)
    needs(done.returncode == 0, "CRIU")
    event = open_perf_event()
    yield
    if event is not None:
        os.close(event)
