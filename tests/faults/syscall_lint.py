"""Finds path-based access to a container's root in a trace of `strace -f -y`.

Between the clone that makes init's mount namespace and pivot_root, the root file system is hostile and
may be changed by others at any time. Whatever is named there is named by a descriptor and one name that is
not followed, or by openat2 with RESOLVE_IN_ROOT or RESOLVE_BENEATH. The lint needs no exploit: a call that
would be open to one is enough.

    python3 syscall_lint.py TRACE ROOTFS     prints the findings
"""

import re
import sys

# PID, name, arguments as far as they are printed at the call's entry.
CALL = re.compile(r"^(?P<pid>\d+) +(?P<name>\w+)\((?P<arguments>.*)$")
# An argument: descriptor with its path, string, or a word with nested brackets left as it is.
DIRFD = re.compile(r"^(?P<fd>AT_FDCWD|\d+)<(?P<path>[^>]*)>(?:\(deleted\))?$")
STRING = re.compile(r'^"(?P<text>(?:[^"\\]|\\.)*)"(?:\.\.\.)?$')

# Calls that take a path and no descriptor; which arguments are paths in the container.
PATH_CALLS = {name: (0,) for name in (
    "open", "creat", "stat", "lstat", "access", "mkdir", "rmdir", "unlink", "chmod", "chown", "lchown",
    "mknod", "readlink", "truncate", "chdir", "chroot", "statfs", "utime", "utimes", "setxattr", "getxattr",
    "lsetxattr", "lgetxattr", "removexattr", "umount2", "uselib", "swapon", "acct", "execve")}
PATH_CALLS |= {name: (0, 1) for name in ("rename", "link", "pivot_root")} | {"symlink": (1,), "mount": (1,)}
# Calls with descriptor and path: where the pair stands.
AT_CALLS = {name: (0,) for name in (
    "openat", "openat2", "newfstatat", "fstatat64", "statx", "mkdirat", "mknodat", "unlinkat", "fchmodat",
    "fchmodat2", "fchownat", "faccessat", "faccessat2", "readlinkat", "utimensat", "name_to_handle_at",
    "open_tree", "mount_setattr", "execveat", "fspick")}
AT_CALLS |= {name: (0, 2) for name in ("renameat", "renameat2", "linkat", "move_mount")}
AT_CALLS |= {"symlinkat": (1,)}
# They never follow the last component, whatever their flags say.
NEVER_FOLLOW = {"mkdirat", "mknodat", "unlinkat", "symlinkat", "renameat", "renameat2", "readlinkat",
                "open_tree_nofollow"}
NO_FOLLOW = ("O_NOFOLLOW", "AT_SYMLINK_NOFOLLOW", "MOVE_MOUNT_T_EMPTY_PATH")
SAFE_RESOLVE = ("RESOLVE_IN_ROOT", "RESOLVE_BENEATH")


def split(arguments):
    """The arguments of a call; brackets, braces and strings are not split."""
    found, depth, start, in_string, escaped = [], 0, 0, False, False
    for position, letter in enumerate(arguments):
        if in_string:
            in_string = escaped or letter != '"'
            escaped = letter == "\\" and not escaped
        elif letter == '"':
            in_string = True
        elif letter in "([{<":
            depth += 1
        elif letter in ")]}>":
            depth -= 1
            if depth < 0:
                found.append(arguments[start:position].strip())
                return found
        elif letter == "," and depth == 0:
            found.append(arguments[start:position].strip())
            start = position + 1
    rest = arguments[start:].split("<unfinished")[0].strip()
    return found + ([rest] if rest else [])


def text_of(argument):
    match = STRING.match(argument)
    return match["text"] if match else None


def is_below(path, rootfs):
    return path.startswith(rootfs + "/")


def check_path_call(name, arguments, rootfs):
    """A call that takes paths only: none of them may lead into the root, and mount(2) none at all."""
    for index in PATH_CALLS[name]:
        path = text_of(arguments[index]) if index < len(arguments) else None
        if name == "mount" and path is not None and not path.startswith("/proc/thread-self/fd/"):
            return "mount(2) by path"
        if path is not None and is_below(path, rootfs):
            return "a path below the root"
    return None


def check_pair(name, fd, directory, path, arguments, rootfs):
    """One pair of a descriptor and a path."""
    if path == "":
        return None
    if path.startswith("/"):
        return "an absolute path below the root" if is_below(path, rootfs) else None
    inside = directory == rootfs or is_below(directory, rootfs)
    if fd == "AT_FDCWD" and not inside:
        return None
    if name == "openat2" and any(word in " ".join(arguments) for word in SAFE_RESOLVE):
        return None
    if "/" in path.rstrip("/") or path == "..":
        return "several components in one path"
    if path != "." and name not in NEVER_FOLLOW and not any(
            word in " ".join(arguments) for word in NO_FOLLOW):
        return "a name that is followed if it is a link"
    return None


def check_at_call(name, arguments, rootfs):
    for index in AT_CALLS[name]:
        if index + 1 >= len(arguments):
            continue
        match, path = DIRFD.match(arguments[index]), text_of(arguments[index + 1])
        if match and path is not None:
            found = check_pair(name, match["fd"], match["path"], path, arguments, rootfs)
            if found:
                return found
    return None


def is_start(name, arguments):
    return name in ("clone", "clone3", "unshare") and "CLONE_NEWNS" in arguments


def findings(lines, rootfs):
    """The calls of a trace that name something in the root by a path; (what is wrong, the line)."""
    runtime, inside, found = None, False, []
    for line in lines:
        match = CALL.match(line)
        if not match:
            continue
        runtime = runtime or match["pid"]
        name, arguments = match["name"], split(match["arguments"])
        if is_start(name, match["arguments"]):
            inside = True
        elif name == "pivot_root" or name == "chroot":
            return found
        elif inside and match["pid"] != runtime or inside and rootfs in line:
            problem = None
            if name in PATH_CALLS:
                problem = check_path_call(name, arguments, rootfs)
            elif name in AT_CALLS:
                problem = check_at_call(name, arguments, rootfs)
            if problem:
                found.append((problem, line.strip()))
    assert inside, "the trace has no clone of a mount namespace"
    raise AssertionError("the trace has no pivot_root")


def is_of_the_program(name, line):
    """What is looked for as the program itself would, which then may do as it likes: no link of /proc."""
    return name == "chdir" or "AT_FDCWD" in line and (
        name == "openat2" and "RESOLVE_NO_MAGICLINKS" in line or name == "openat" and "O_PATH" in line)


def findings_after_join(lines):
    """The same for a process that joins a running container, until it executes: "/" is the hostile root."""
    before, joined, executed, found = set(), set(), set(), []
    for line in lines:
        match = CALL.match(line)
        if not match or match["pid"] in executed:
            continue
        name, arguments = match["name"], split(match["arguments"])
        if not joined:
            before.add(match["pid"])
        elif match["pid"] not in before:
            joined.add(match["pid"])  # a child of one that has joined
        if name == "setns" and "CLONE_NEWNS" in match["arguments"]:
            joined.add(match["pid"])
        elif name in ("execve", "execveat"):
            executed.add(match["pid"])
        elif match["pid"] in joined and not is_of_the_program(name, line):
            check = check_path_call if name in PATH_CALLS else check_at_call if name in AT_CALLS else None
            problem = check(name, arguments, "") if check else None
            found += [(problem, line.strip())] if problem else []
    assert joined, "the trace has no setns to a mount namespace"
    return found


def main():
    with open(sys.argv[1], encoding="utf-8", errors="surrogateescape") as trace:
        found = findings(trace, sys.argv[2].rstrip("/"))
    for problem, line in found:
        print(f"{problem}: {line}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
