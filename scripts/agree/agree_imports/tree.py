"""The content of directories, to the byte."""

import hashlib
import os
import stat
from pathlib import Path

# What Python and tfpatch write besides.
OWN = ("__pycache__", ".tfpatch")


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def walk(root):
    for entry in os.scandir(root):
        if entry.name in OWN:
            continue
        yield entry
        if entry.is_dir(follow_symlinks=False):
            yield from walk(entry.path)


def snapshot(roots, known):
    """Kind, mode, time and contents of all that lies below directories. `known` has the contents of files by
    their inodes, which are looked at again in the end."""
    found = {}
    for entry in (entry for root in roots if root.is_dir() for entry in walk(root)):
        status = entry.stat(follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            found[entry.path] = os.readlink(entry.path)
        elif stat.S_ISREG(status.st_mode):
            content = known.get(status.st_ino) or digest(entry.path)
            found[entry.path] = (status.st_mode, status.st_mtime_ns, status.st_size, content)
        else:
            found[entry.path] = status.st_mode
    return found


def contents(root):
    """Of every file below a directory, by its inode."""
    return {entry.inode(): digest(entry.path) for entry in walk(root) if entry.is_file(follow_symlinks=False)}


def difference(before, after):
    """The first few paths that two snapshots have differently."""
    paths = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    return [str(Path(path)) for path in paths]
