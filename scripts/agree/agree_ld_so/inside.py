"""Runs in the real interpreter: opens objects as an import does, and prints what ld.so says of it.

It is started with LD_DEBUG. Each line of standard input is a path, each line of standard output what
ld.so printed while a fork opened it, as JSON; its last line is @done, or @error and why. No module is
initialised: its function is looked for by a name that it does not have.
"""

import _imp
import importlib.machinery
import json
import os
import select
import signal
import sys
import time

NAME = "tfpatch_no_such_module"
# Seconds for an object and its constructors.
LIMIT = 60


def open_object(path):
    """Never returns."""
    sys.setdlopenflags(os.RTLD_LAZY)
    mark = "@done"
    try:
        _imp.create_dynamic(importlib.machinery.ModuleSpec(NAME, None, origin=path))
    except ImportError as error:
        if NAME not in str(error):
            mark = f"@error {error}"
    os.write(2, f"\n{mark}\n".encode(errors="surrogateescape"))
    os._exit(0)


def forked(path):
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        null = os.open("/dev/null", os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)
        os.dup2(write, 2)
        os.close(read)
        open_object(path)
    os.close(write)
    output, end = b"", time.monotonic() + LIMIT
    while ready := select.select([read], [], [], max(0, end - time.monotonic()))[0]:
        part = os.read(read, 1 << 16)
        if not part or b"\n@done" in output + part or b"\n@error" in output + part:
            output += part
            break
        output += part
    if not ready or b"\n@" in output:
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(read)
    return output.decode(errors="surrogateescape")


for line in sys.stdin:
    print(json.dumps(forked(json.loads(line))), flush=True)
