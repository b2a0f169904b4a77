"""The real interpreter of a root, started in namespaces of its own, where it loads what it is told."""

import json
import os
import select
import signal
import subprocess

# Objects of the interpreter itself; without them there is nobody to ask.
PYTHON = "/usr/bin/python3.11"
INSIDE = "/corpus/inside.py"
LOADERS = {"x86_64": "/lib64/ld-linux-x86-64.so.2", "aarch64": "/lib/ld-linux-aarch64.so.1"}
# The emulator lies in the root, with the host's libraries that it needs (see roots.py).
QEMU = ["/qemu/ld.so", "--library-path", "/qemu", "/qemu/qemu-aarch64"]
# Seconds for one load; the emulator relocates a library of a gigabyte slowly.
TIMEOUT = {"x86_64": 120, "aarch64": 600}


class Interpreter:
    """One process below `unshare`, `chroot` and, for a foreign machine, the emulator."""

    def __init__(self, root, machine, library_path="", page_size=None):
        self.machine = machine
        enter = ["unshare", "--mount", "--pid", "--net", "--ipc", "--fork", "--kill-child"]
        enter += [f"--mount-proc={root}/proc", "chroot", str(root)]
        environment = {"PATH": os.environ["PATH"], "TF_CPP_MIN_LOG_LEVEL": "3"}
        if machine == "aarch64":
            enter += QEMU
            enter += ["-p", str(page_size)] if page_size else []
            enter += ["-E", f"LD_LIBRARY_PATH={library_path}"] if library_path else []
        elif library_path:
            enter += ["/usr/bin/env", f"LD_LIBRARY_PATH={library_path}"]
        self.process = subprocess.Popen(
            [*enter, PYTHON, "-ISB", INSIDE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )

    def ask(self, request):
        request.setdefault("timeout", TIMEOUT[self.machine])
        line = (json.dumps(request) + "\n").encode()
        try:
            self.process.stdin.write(line)
            self.process.stdin.flush()
        except BrokenPipeError:
            return {"ok": False, "error": "the interpreter ended"}
        ready, _, _ = select.select([self.process.stdout], [], [], request["timeout"] + 60)
        answer = self.process.stdout.readline() if ready else b""
        if not answer:
            return {"ok": False, "error": "the interpreter does not answer"}
        return json.loads(answer)

    def load(self, path, module=None):
        """How `dlopen(path, RTLD_NOW)` ends, and which objects are mapped then."""
        return self.ask({"do": "load", "path": path, "module": module})

    def run(self, argv, env, timeout=6):
        """Status and output of a program, run as nobody."""
        return self.ask({"do": "program", "argv": argv, "timeout": timeout, "env": env})

    def close(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
