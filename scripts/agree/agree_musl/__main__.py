"""Compares tfpatch with musl: see scripts/agree/musl."""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

import compare
import oracle
from objects import LD_SO, Object, Workshop
from scenarios import PATH_FILE, Copy, Directory, Link, scenarios

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent.parent
BASE = PROJECT / "target/agree-musl"
MUSL = Path("/lib/ld-musl-x86_64.so.1").resolve()
# Debian's objects that are loaded by musl although they were built for glibc.
DEBIAN = Path("/usr/lib/x86_64-linux-gnu")


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/agree/musl")
    parser.add_argument("--sample", type=int, metavar="N", help="N scenarios of two rules and N objects of each root, chosen by hash")
    parser.add_argument("--only", default="", metavar="TEXT", help="only what has TEXT in its name")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N", help="work on N things at once")
    return parser.parse_args()


def main():
    options = arguments()
    started = time.monotonic()
    if os.environ.get("AGREE_MUSL_INSIDE") != "1":
        # Mounts of /proc go away with the namespace.
        os.environ["AGREE_MUSL_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, "-B", HERE, *sys.argv[1:]])
    tfpatch = program()
    BASE.mkdir(parents=True, exist_ok=True)
    workshop = Workshop(BASE / "objects")
    workers = SimpleQueue()
    for number in range(options.jobs):
        workers.put(Worker(BASE / f"root-{number}", tfpatch, workshop))

    def with_worker(work):
        worker = workers.get()
        try:
            return work(worker)
        finally:
            workers.put(worker)

    chosen = [one for one in scenarios() if options.only in one.name]
    single = [one for one in chosen if one.name.count(": ") < 2]
    if options.sample is not None:
        pairs = [one for one in chosen if one.name.count(": ") == 2]
        chosen = single + sample(pairs, options.sample, lambda one: one.name)
    # Linking is what takes longest, so every object is made once, before.
    wanted = {what for one in chosen for what in one.files.values() if isinstance(what, Object)}
    names = {name for one in wanted for name in one.needed}
    with ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(workshop.stub, names))
        list(pool.map(workshop.file, wanted))
        print(f"{len(wanted)} objects linked, {time.monotonic() - started:.0f} s", flush=True)
        found = list(pool.map(lambda one: with_worker(lambda worker: worker.scenario(one)), chosen))
        print(f"{len(chosen)} scenarios, {len(single)} of them of one rule, {time.monotonic() - started:.0f} s", flush=True)
        roots = [wheels(BASE), debian(BASE)]
        for name, root, files, flags in roots:
            files = [file for file in files if options.only in file]
            files = sample(files, options.sample, str)
            found += pool.map(lambda file: real(tfpatch, name, root, file, flags), files)
            print(f"{len(files)} objects of {name}, {time.monotonic() - started:.0f} s", flush=True)
    differing = [one for one in found if one[1]]
    for name, differences, _ in differing:
        print(f"DIFFERS {name}")
        for difference in differences:
            print(f"    {difference}")
    needs = sum(one[2] for one in found)
    print(f"{len(found)} compared, {needs} dependencies, {len(differing)} differ, {time.monotonic() - started:.0f} s")
    sys.exit(bool(differing))


def sample(all, count, name):
    """So many of them, the same ones each time; all without a count."""
    digest = lambda one: hashlib.sha256(name(one).encode()).digest()
    return all if count is None else sorted(all, key=digest)[:count]


def program():
    """The program to be tried."""
    return Path(subprocess.run([PROJECT / "scripts/tools/program"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip())


class Worker:
    """A root that is filled for one scenario after the other."""

    def __init__(self, root, tfpatch, workshop):
        self.root, self.tfpatch, self.workshop = root, tfpatch, workshop
        self.log = root.with_suffix(".strace")
        shutil.rmtree(root, ignore_errors=True)
        (root / "proc").mkdir(parents=True)
        # Without it musl does not know where the program lies.
        subprocess.run(["mount", "-t", "proc", "proc", root / "proc"], check=True)

    def fill(self, files):
        for entry in self.root.iterdir():
            if entry.name != "proc":
                shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        for path, what in {LD_SO: Copy("libc"), **files}.items():
            path = self.root / path.lstrip("/")
            # A file may stand where another one's directory would.
            if any((self.root / parent).is_file() for parent in path.parents):
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            match what:
                case bytes():
                    if path.is_dir():
                        shutil.rmtree(path)
                    path.write_bytes(what)
                case Link(to):
                    path.unlink(missing_ok=True)
                    path.symlink_to(to)
                case Directory():
                    path.unlink(missing_ok=True)
                    path.mkdir()
                case Copy():
                    shutil.copy(MUSL, path)
                case Object():
                    shutil.copy(self.workshop.file(what), path)

    def scenario(self, one):
        try:
            return self.try_scenario(one)
        except Exception as error:  # noqa: BLE001, what goes wrong with one belongs to it
            return one.name, [f"{type(error).__name__}: {error}"], 0

    def try_scenario(self, one):
        self.fill(one.files)
        variables = {}
        if one.library_path is not None:
            variables["LD_LIBRARY_PATH"] = one.library_path
        if one.preload is not None:
            variables["LD_PRELOAD"] = one.preload
        said = compare.tree(self.tfpatch, self.root, [one.start], variables)
        found = compare.differences(self.root, said, oracle.listed(self.root, "/app/main", variables), "/app/main")
        answer = oracle.started(self.root, [one.start], variables)
        found += compare.differences_when_started(said, answer)
        if one.name.count(": ") < 2 and one.preload is None:
            opened = oracle.opened(self.root, "/app/main", variables, self.log)
            opened = [path for path in opened if path != PATH_FILE]
            found += compare.differences_of_opens(said, opened)
        if one.opens and answer.status == 0:
            then = compare.tree(self.tfpatch, self.root, [one.opens], variables, "--main", one.start)
            answer = oracle.started(self.root, [one.start, one.opens], variables)
            found += compare.differences_when_opened(then, said, answer)
        return one.name, found, len(said.needs())


def real(tfpatch, name, root, file, flags):
    try:
        said = compare.tree(tfpatch, root, [file], {}, *flags)
        found = compare.differences(root, said, oracle.listed(root, file, {}), file)
        return f"{name}: {file}", found, len(said.needs())
    except Exception as error:  # noqa: BLE001, what goes wrong with one belongs to it
        return f"{name}: {file}", [f"{type(error).__name__}: {error}"], 0


def wheels(base):
    """A root with musl and the wheels of the list, and their shared objects."""
    root, wanted = base / "wheels", HERE / "wheels.txt"
    done = root / "site" / "installed.txt"
    if not done.exists() or done.read_bytes() != wanted.read_bytes():
        shutil.rmtree(root, ignore_errors=True)
        uv = [PROJECT / "target/tools/bin/uv", "pip", "install", "--quiet", "--only-binary=:all:", "--no-deps"]
        uv += ["--python-platform=x86_64-unknown-linux-musl", "--python-version=3.11", "--link-mode=copy"]
        subprocess.run([*uv, f"--target={root / 'site'}", "-r", wanted], check=True)
        (root / "lib").mkdir()
        shutil.copy(MUSL, root / LD_SO.lstrip("/"))
        done.write_bytes(wanted.read_bytes())
    return "wheels for musllinux", root, objects(root, root / "site"), []


def debian(base):
    """A root with musl that is told to look where Debian's libraries for glibc are, and some of them."""
    root = base / "debian"
    shutil.rmtree(root, ignore_errors=True)
    directory = root / DEBIAN.relative_to("/")
    directory.mkdir(parents=True)
    libraries = sorted(path for path in DEBIAN.glob("*.so*") if path.resolve().is_file())
    for path in libraries:
        # The files are not written to, and 300 MB need not be copied.
        if not path.is_symlink():
            os.link(path, directory / path.name) if can_link(path, base) else shutil.copy(path, directory)
        elif path.resolve().parent == DEBIAN:
            (directory / path.name).symlink_to(path.readlink())
    (root / "lib").mkdir()
    shutil.copy(MUSL, root / LD_SO.lstrip("/"))
    (root / "etc").mkdir()
    (root / PATH_FILE.lstrip("/")).write_text(f"{DEBIAN}\n")
    files = objects(root, directory)
    # Spread over the alphabet.
    return "Debian, built for glibc", root, files[:: max(1, len(files) // 150)], ["--loader", "musl"]


def can_link(path, base):
    return path.stat().st_dev == base.stat().st_dev


def objects(root, directory):
    """The paths in a root of what is ELF below a directory, links left out."""
    found = []
    for path in sorted(directory.rglob("*.so*")):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                # 64 bits, a shared object.
                start = file.read(18)
            if start[:5] == b"\x7fELF\x02" and start[16:18] == b"\x03\x00":
                found.append(f"/{path.relative_to(root)}")
    return found


if __name__ == "__main__":
    main()
