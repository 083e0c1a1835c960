"""Writes an initramfs: a cpio archive of the "newc" kind, as the kernel unpacks it.

The kernel unpacks several of them one after the other, so a fixed part can be kept and another
one be appended for each boot.
"""

import os
import stat


class Initramfs:
    """Collects files; bytes() is the archive."""

    def __init__(self):
        self._data = bytearray()
        self._inode = 0
        self._directories = set()

    def file(self, path, data, mode=0o644):
        """Add a file and the directories above it; data is bytes or text."""
        self._directories_above(path)
        self._add(path, stat.S_IFREG | mode, data.encode() if isinstance(data, str) else data)

    def symlink(self, path, target):
        """Add a symbolic link and the directories above it."""
        self._directories_above(path)
        self._add(path, stat.S_IFLNK | 0o777, target.encode())

    def directory(self, path):
        """Add a directory and those above it."""
        self._directories_above(path)
        if path not in self._directories:
            self._directories.add(path)
            self._add(path, stat.S_IFDIR | 0o755, b"")

    def bytes(self):
        """Return the archive, ended."""
        ended = Initramfs()
        ended._data += self._data
        ended._add("TRAILER!!!", 0, b"")
        return bytes(ended._data)

    def _directories_above(self, path):
        above = os.path.dirname(path)
        if above:
            self.directory(above)

    def _add(self, path, mode, data):
        self._inode += 1
        name = path.encode() + b"\0"
        # inode, mode, uid, gid, links, mtime, size, 2 of device, 2 of node, name's size, check
        fields = (self._inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0)
        self._data += b"070701" + b"".join(b"%08X" % field for field in fields) + name
        self._pad()
        self._data += data
        self._pad()

    def _pad(self):
        self._data += b"\0" * (-len(self._data) % 4)
