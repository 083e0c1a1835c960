"""A tree outside of every bundle: whatever a hostile image tries, nothing of it may change."""

import hashlib
import os
import stat


class Canary:
    """Directories, files, a link, a device and a FIFO that images point at."""

    def __init__(self, path):
        self.path = path
        for directory in ("", "dev", "dev/pts", "dev/shm", "proc", "sys", "etc", "tmp", "sub"):
            (path / directory).mkdir()
            (path / directory).chmod(0o755)
        for name in ("file", "etc/passwd", "dev/console", "sub/deep", "null"):
            (path / name).write_text(f"canary of {name}")
            (path / name).chmod(0o644)
        os.mkfifo(path / "fifo", 0o600)
        (path / "link").symlink_to("file")
        self.before = self.record()

    def record(self):
        """Every file with its inode, mode, owner, number of links, times and contents."""
        found = {}
        for directory, names, files in os.walk(self.path):
            for name in [".", *names, *files]:
                path = os.path.join(directory, name)
                status = os.lstat(path)
                text = b""
                if stat.S_ISREG(status.st_mode):
                    with open(path, "rb") as file:
                        text = file.read()
                found[path] = (status.st_ino, status.st_mode, status.st_uid, status.st_gid,
                               status.st_nlink, status.st_mtime_ns, status.st_ctime_ns,
                               hashlib.sha256(text).hexdigest())
        return found

    def check(self):
        assert self.record() == self.before, "the canary has been changed"
