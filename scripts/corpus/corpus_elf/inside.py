"""Runs inside a root, in its interpreter: loads objects and starts programs, and says how it went.

Each line of standard input is a request as JSON, each line of standard output the answer. Every load
happens in a fork of an interpreter that has loaded nothing else, so that a crash costs one answer.
Only what python3-minimal has is used.
"""

import ctypes
import json
import os
import resource
import select
import signal
import sys
import time

NOBODY = 65534


class Info(ctypes.Structure):
    """The beginning of struct dl_phdr_info, see dl_iterate_phdr(3)."""

    _fields_ = [("addr", ctypes.c_void_p), ("name", ctypes.c_char_p)]


def loaded():
    """The paths of all objects that the loader has mapped, in its order; with pages of 4K only."""
    names = []
    if resource.getpagesize() != 4096:
        # The emulator crashes in callbacks where pages have another size.
        return names

    def note(info, _size, _data):
        names.append(os.fsdecode(info.contents.name or b""))
        return 0

    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(Info), ctypes.c_size_t, ctypes.c_void_p)
    ctypes.CDLL(None).dl_iterate_phdr(kind(note), None)
    # What has no path is the program itself and the kernel's own object.
    return [os.path.normpath(name) for name in names if "/" in name]


def load(request):
    """dlopen with all symbols bound, and a look for the function that makes a Python module."""
    try:
        library = ctypes.CDLL(request["path"], mode=os.RTLD_NOW)
    except OSError as error:
        return {"ok": False, "error": str(error)}
    module = request.get("module")
    return {
        "ok": True,
        "libraries": loaded(),
        "module": bool(module) and hasattr(library, "PyInit_" + module),
    }


def program(request):
    """Starts a program as nobody, with its output in a pipe. Never returns."""
    os.chdir("/")
    os.setsid()
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"}
    environment |= request["env"]
    try:
        os.execve(request["argv"][0], request["argv"], environment)
    except OSError as error:
        os.write(2, f"exec: {error.strerror}\n".encode())
    os._exit(126)


def ended(child, end):
    """The status of a child, or None where it still runs at the end."""
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return status
        if time.monotonic() > end:
            return None
        time.sleep(0.001)


def forked(request):
    """Does one request in a child, and returns its output, its status and whether it was in time."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        null = os.open("/dev/null", os.O_RDWR)
        os.dup2(null, 0)
        if request["do"] == "program":
            os.dup2(write, 1)
            os.dup2(write, 2)
            program(request)
        os.dup2(null, 1)
        os.dup2(null, 2)
        data = json.dumps(load(request)).encode()
        while data:
            data = data[os.write(write, data) :]
        os._exit(0)
    os.close(write)
    output, late = b"", False
    end = time.monotonic() + request["timeout"]
    while True:
        ready, _, _ = select.select([read], [], [], max(0, end - time.monotonic()))
        # Some write without end.
        late = not ready or time.monotonic() > end
        part = b"" if late else os.read(read, 1 << 16)
        if not part:
            break
        output = (output + part)[: 1 << 20]
    # A daemon may hold the pipe after its parent has ended, and a program may wait without it.
    status = None if late else ended(child, end)
    if status is None:
        late = True
        try:
            os.kill(child, signal.SIGKILL)
        except ProcessLookupError:
            pass
        _, status = os.waitpid(child, 0)
    os.close(read)
    return output, os.waitstatus_to_exitcode(status), late


def answer(request):
    output, status, late = forked(request)
    if late:
        return {"ok": False, "error": "timeout", "late": True}
    if request["do"] == "program":
        return {"ok": True, "status": status, "text": output.decode(errors="replace")}
    try:
        return json.loads(output)
    except ValueError:
        return {"ok": False, "error": f"ended with {status}"}


# An emulator keeps what it has translated; what happens here once is fast in every fork.
library = ctypes.CDLL("libgomp.so.1")
loaded()
ctypes.CDLL(None).dlclose(ctypes.c_void_p(library._handle))
for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
