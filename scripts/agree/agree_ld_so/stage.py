"""Stages: a root of its own for every scenario, with the loader and the libc of one glibc in it."""

import json
import os
import shutil
import subprocess

import chroot
import compare
import loader
from objects import INTERPRETER
from scenarios import PROGRAM

NOBODY = 65534
# A scenario takes milliseconds.
LIMIT = 60


class Stage:
    """Runs scenarios on one glibc: `base` is a root that holds its loader and its libc.

    `scratch` is a directory of this process alone, and `enter` the program of chroot.py.
    """

    def __init__(self, base, scratch, builder, enter, tfpatch):
        self.builder, self.enter, self.tfpatch = builder, enter, tfpatch
        # Beside the root, since a hard link cannot lead to another file system.
        self.base, self.root = scratch / base.name, scratch / "root"
        shutil.copytree(base, self.base, symlinks=True)

    def run(self, scenario):
        """Differences, and how many dependencies were compared."""
        self.clear()
        self.arrange(self.root, scenario)
        return self.ask(str(self.root), scenario)

    def clear(self):
        """Takes away all but /proc, which is mounted once for all scenarios."""
        if not (self.root / "proc/self").exists():
            (self.root / "proc").mkdir(parents=True, exist_ok=True)
            subprocess.run(["mount", "--bind", "/proc", self.root / "proc"], check=True)
        for path in self.root.iterdir():
            if path.is_symlink() or not path.is_dir():
                path.unlink()
            elif path.name != "proc":
                shutil.rmtree(path)

    def arrange(self, root, scenario):
        for directory, _, names in os.walk(self.base):
            there = root / os.path.relpath(directory, self.base)
            there.mkdir(parents=True, exist_ok=True)
            for name in names:
                os.link(os.path.join(directory, name), there / name, follow_symlinks=False)
        for path in ("etc", "tmp"):
            (root / path).mkdir(exist_ok=True)
        for path, shape in scenario.files.items():
            where = root / path.lstrip("/")
            where.parent.mkdir(parents=True, exist_ok=True)
            if shape is None:
                where.mkdir()
            elif isinstance(shape, bytes):
                where.write_bytes(shape)
            else:
                shutil.copy(self.builder.built(shape), where)
                where.chmod(scenario.modes.get(path, 0o755))
        for path, target in scenario.links.items():
            where = root / path.lstrip("/")
            where.parent.mkdir(parents=True, exist_ok=True)
            if target.startswith("="):
                os.link(root / target[1:].lstrip("/"), where)
            else:
                where.symlink_to(target)
        if scenario.cached:
            (root / "etc/ld.so.conf").write_text("".join(f"{path}\n" for path in scenario.cached))
            subprocess.run(["/sbin/ldconfig", "-r", root], check=True, capture_output=True)
        for path in scenario.gone:
            (root / path.lstrip("/")).unlink(missing_ok=True)

    def ask(self, root, scenario):
        if scenario.secure:
            return self.secure(root, scenario)
        done = self.start(root, scenario, {"LD_TRACE_LOADED_OBJECTS": "1", "LD_DEBUG": "libs,files"})
        account = loader.account(done.stderr)
        account.loaded = loader.listed(done.stdout)
        found, compared = self.compared(root, scenario, account)
        # What could not be traced to its end does not start either.
        if scenario.opens and "not found" not in done.stdout and not done.returncode:
            for path in scenario.opens:
                more, count = self.opened(root, scenario, path)
                found, compared = found + more, compared + count
        return found, compared

    def opened(self, root, scenario, path):
        """The same of one object that a process opens."""
        done = self.start(root, scenario, {"LD_DEBUG": "libs,files"}, [path])
        account = of_opening(done.stderr)
        if account is None:
            # The process did not come that far: it must be said why.
            return self.compared(root, scenario, loader.account(done.stderr))
        return self.compared(root, scenario, account, path)

    def secure(self, root, scenario):
        """A set-user-ID program, run by somebody else: it tells what is loaded, or ld.so why not."""
        os.chmod(root + PROGRAM, 0o4755)
        done = self.start(root, scenario, {}, user=NOBODY)
        maps = [line[5:] for line in done.stderr.splitlines() if line.startswith("@map ")]
        loaded = [os.path.join("/", path) for path in maps[1:] if "linux-vdso" not in path and not loader.is_loader(path)]
        report = self.predict(root, scenario)
        view = compare.View(report, root, scenario.program)
        own = [one["path"] for one in view.objects[1:] if not loader.is_loader(one["path"])]
        needs = [need for one in view.objects for need in one["needed"]]
        problems = [need for need in needs if need["found"] is None and need["rule"] != "weak_absent"]
        if maps:
            differ = own != loaded or problems
            return ([f"loaded: {loaded}, predicted {own} and not {problems}"] if differ else []), len(needs)
        words = [compare.message(words) for words in view.words()]
        words += [need["fatal"]["message"] if need.get("fatal") else need["name"] + compare.MISSING for need in problems]
        if any(text in done.stderr for text in words) or ("wrong ELF class" in done.stderr and problems):
            return [], len(needs)
        return [f"ld.so: {done.stderr.strip()}, predicted {own} and {words}"], len(needs)

    def start(self, root, scenario, variables, arguments=(), user=0):
        """Runs the program of a scenario in its root."""
        environment = scenario.environment | variables
        command = [scenario.program, *arguments]
        if scenario.mask is not None and not user:
            command = [INTERPRETER, "--glibc-hwcaps-mask", scenario.mask, *command]

        return chroot.run(self.enter, root, command, environment, LIMIT, user)

    def compared(self, root, scenario, account, opened_path=None):
        report = self.predict(root, scenario, opened_path)
        if isinstance(report, str):
            # Nothing could be loaded at all, and both say why.
            words = report.strip().rpartition(": ")[2]
            said = account.said.strip()
            return ([] if said and words in said else [f"ld.so: {said}; tfpatch: {report}"]), 1
        view = compare.View(report, root, scenario.program)
        return compare.differences(view, account, opened_path)

    def predict(self, root, scenario, opened_path=None):
        """What tfpatch says, as data; its complaint where it has nothing else to say."""
        command = [self.tfpatch, "tree", "--root", root, "--no-env", "--format", "json"]
        for name, value in scenario.environment.items():
            command += ["--env", f"{name}={value}"]
        if scenario.mask is not None:
            command += ["--cpu", scenario.mask.partition(":")[0]]
        command += ["--main", scenario.program, opened_path] if opened_path else [scenario.program]
        done = subprocess.run(command, capture_output=True, timeout=LIMIT)
        # Of an error standard output holds a document as well.
        is_error = done.returncode == 2
        return done.stderr.decode(errors="replace") if is_error else json.loads(done.stdout)


def of_opening(text):
    """The account between the marks of the program, or None where it did not set any."""
    lines = None
    for line in text.splitlines():
        if line.startswith("@open "):
            lines = []
        elif line.startswith(("@done", "@error ")) and lines is not None:
            account = loader.account("\n".join(lines))
            account.said = line[7:]
            return account
        elif lines is not None:
            lines.append(line)
    return None
