"""A socket that receives one descriptor at a time, as an engine has one for terminals and pidfds."""

import array
import os
import select
import socket
import time

LIMIT_SECONDS = 30


def read_until(fd, until, seconds=5):
    text, deadline = b"", time.monotonic() + seconds
    while until not in text:
        assert time.monotonic() < deadline, text
        if select.select([fd], [], [], 0.1)[0]:
            try:
                part = os.read(fd, 65536)
            except OSError:
                break
            if not part:
                break
            text += part
    return text


class Receiver:
    def __init__(self, path):
        self.path = str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.bind(self.path)
        self.socket.listen()
        self.socket.settimeout(LIMIT_SECONDS)
        self.payload = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def receive(self):
        """The one descriptor that the next sender sends, with a payload that is not empty."""
        connection, _ = self.socket.accept()
        with connection:
            self.payload, ancillary, _flags, _ = connection.recvmsg(4096, socket.CMSG_SPACE(64))
        fds = array.array("i")
        for _level, _kind, content in ancillary:
            fds.frombytes(content)
        assert self.payload and len(fds) == 1
        return fds[0]


class Console(Receiver):
    """Takes the master of a pty."""

    master = None

    def accept(self):
        self.master = self.receive()
        return self

    def read(self, until=b"\n", seconds=5):
        return read_until(self.master, until, seconds)

    def close(self):
        super().close()
        if self.master is not None:
            os.close(self.master)
