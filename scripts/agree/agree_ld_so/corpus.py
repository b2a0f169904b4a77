"""Real objects: which there are in a root, and what ld.so and tfpatch say of each."""

import hashlib
import json
import os
import shutil
import struct
import subprocess
from pathlib import Path

import chroot
import compare
import loader
from objects import INTERPRETER

HERE = Path(__file__).resolve().parent
LIMIT = 120
EM_X86_64, PT_DYNAMIC, PT_INTERP = 62, 2, 3
SET_ID = 0o6000


def kind_of(path):
    """program or library, or None for what the loader of x86-64 does not map."""
    try:
        if not os.path.isfile(path) or os.path.islink(path):
            return None
        with open(path, "rb") as file:
            head = file.read(64)
            if len(head) < 64 or head[:6] != b"\x7fELF\x02\x01":
                return None
            kind, machine = struct.unpack_from("<HH", head, 16)
            (at,) = struct.unpack_from("<Q", head, 32)
            size, count = struct.unpack_from("<HH", head, 54)
            if kind not in (2, 3) or machine != EM_X86_64 or size != 56:
                return None
            file.seek(at)
            table = file.read(size * count)
    except OSError:
        return None
    segments = [struct.unpack_from("<IIQQQQ", table, start) for start in range(0, len(table) - 55, size)]
    types = {segment[0] for segment in segments if segment[0] != PT_DYNAMIC or segment[5]}
    if PT_DYNAMIC not in types or loader.is_loader(path):
        return None
    return "program" if PT_INTERP in types else "library"


class Root:
    """A root with an interpreter in it; "/" is this system's own. `enter` is the program of chroot.py."""

    def __init__(self, path, enter, tfpatch, python):
        self.path, self.enter, self.tfpatch, self.python = str(path), enter, tfpatch, python
        self.interpreter = None

    def objects(self, directories, site=False):
        """(path inside the root, kind) of what lies below some directories."""
        found = []
        for directory in directories:
            for where, _, names in os.walk(os.path.join(self.path, directory)):
                for name in names:
                    path = os.path.join(where, name)
                    kind = kind_of(path)
                    inside = path if self.path == "/" else path[len(self.path) :]
                    if kind and "/debug/" not in path:
                        found.append((inside, "module" if site and kind == "library" else kind))
        return sorted(set(found))

    def ask(self, path, kind):
        """Differences, and how many dependencies were compared."""
        command = [self.tfpatch, "tree", "--no-env", "--format", "json"]
        command += [] if self.path == "/" else ["--root", self.path]
        command += ["--main", self.python, path] if kind == "module" else [path]
        done = subprocess.run(command, capture_output=True, timeout=LIMIT)
        if done.returncode == 2:
            return [done.stderr.decode(errors="replace").strip()], 0
        program = self.python if kind == "module" else path
        view = compare.View(json.loads(done.stdout), "" if self.path == "/" else self.path, program)
        if kind == "module":
            return compare.differences(view, self.opened(path), path)
        return compare.differences(view, self.traced(path, kind))

    def traced(self, path, kind):
        """A program as the kernel starts it, but for those that it would not, and those that it would
        give more rights: these, and libraries, as `ld.so FILE`."""
        mode = os.stat(os.path.join(self.path, path[1:])).st_mode
        starts = kind == "program" and mode & 0o111 and not mode & SET_ID
        command = [path] if starts else [INTERPRETER, "--list", path]
        environment = {"LD_DEBUG": "libs,files", "LD_TRACE_LOADED_OBJECTS": "1"}
        if command[0] == INTERPRETER:
            del environment["LD_TRACE_LOADED_OBJECTS"]
        done = chroot.run(self.enter, self.path, command, environment, LIMIT)
        account = loader.account(done.stderr)
        account.loaded = loader.listed(done.stdout)
        return account

    def opened(self, path):
        """An object opened by the interpreter."""
        inside = None
        if self.interpreter is None:
            inside = os.path.join(self.path, "tmp", f"tfpatch-agree-{os.getpid()}.py")
            shutil.copy(HERE / "inside.py", inside)
            script = inside if self.path == "/" else inside[len(self.path) :]
            self.interpreter = subprocess.Popen(
                [self.enter, self.path, "0", self.python, "-ISB", script],
                env={"LD_DEBUG": "libs,files"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        print(json.dumps(path), file=self.interpreter.stdin, flush=True)
        text = json.loads(self.interpreter.stdout.readline())
        if inside is not None:
            # It is read by now.
            os.unlink(inside)
        account = loader.account(text)
        marks = [line for line in account.said.splitlines() if line.startswith(("@done", "@error "))]
        # Without a mark a constructor has ended the process: all was loaded before.
        said = marks[-1][7:] if marks else ""
        account.said = "" if "undefined symbol" in said else said
        return account


def rank(name):
    """A place in an order that has nothing to do with the name's meaning."""
    return hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()
