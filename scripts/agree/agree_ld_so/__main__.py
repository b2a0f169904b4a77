"""Compares tfpatch with ld.so: see scripts/agree/glibc."""

import argparse
import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import chroot
import corpus
import glibcs
import scenarios
from objects import Builder
from stage import Stage

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent.parent
# Small wheels with extension modules and libraries of their own.
WHEELS = ["ml-dtypes==0.6.0", "pillow==13.0.0"]


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/agree/glibc")
    parser.add_argument("--sample", type=int, metavar="N", help="N objects of this system, two wheels, and every scenario on its glibc alone")
    parser.add_argument("--only", default="", metavar="TEXT", help="only objects and scenarios with TEXT in their name")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N", help="compare N at once")
    return parser.parse_args()


def program():
    """The program to be tried."""
    return subprocess.run([PROJECT / "scripts/tools/program"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def main():
    options = arguments()
    base = PROJECT / "target/agree"
    base.mkdir(parents=True, exist_ok=True)
    scratch = base / "scratch"
    scratch.mkdir(exist_ok=True)
    # On a disk, making and clearing roots takes most of the time.
    subprocess.run(["mount", "-t", "tmpfs", "tfpatch-agree", scratch], check=True)
    enter = chroot.compiled(scratch)
    # Before there is much in memory that has to be copied for every process.
    with multiprocessing.Pool(options.jobs, begin, (base, scratch, enter, program())) as pool:
        compare_all(options, base, enter, pool)


def compare_all(options, base, enter, pool):
    tasks, began = [], time.monotonic()
    for name, root, listed in roots(base, enter, options.sample):
        tasks += [(name, corpus_task, root, path, kind) for path, kind in listed if options.only in path]
    for name, root in glibcs.bases(base, options.sample is None).items():
        made = [one for one in scenarios.all_of() if options.only in one.name]
        if not glibcs.takes_masks(root):
            made = [one for one in made if one.mask is None]
        tasks += [(f"scenarios, {name}", scenario_task, root, one.name, one) for one in made]
    say(f"{len(tasks)} objects and scenarios, {options.jobs} at once")
    rows, failed = {}, 0
    for group, name, found, compared in pool.imap_unordered(carry_out, tasks, chunksize=8):
        row = rows.setdefault(group, [0, 0, 0])
        row[0], row[1], row[2] = row[0] + 1, row[1] + compared, row[2] + bool(found)
        failed += bool(found)
        if sum(row[0] for row in rows.values()) % 500 == 0:
            say(f"{sum(row[0] for row in rows.values())} of {len(tasks)}")
        for line in found:
            print(f"DIFFERS {group}: {name}: {line}", flush=True)
    width = max(map(len, rows), default=0) + 2
    print("\n" + " " * width + "compared  dependencies  differences")
    for group, (count, compared, differ) in rows.items():
        print(f"{group.ljust(width)}{count:8}{compared:14}{differ:13}")
    total = sum(row[0] for row in rows.values())
    print(f"\n{total} compared, {sum(row[1] for row in rows.values())} dependencies, {failed} differ, {time.monotonic() - began:.0f} s")
    sys.exit(bool(failed) or not total)


def roots(base, enter, sample):
    """Name, root, and the objects in it."""
    if sample is not None:
        python = os.path.realpath("/usr/bin/python3")
        here = corpus.Root("/", enter, None, python)
        listed = here.objects(["usr/bin", "usr/sbin", "usr/lib/x86_64-linux-gnu"])
        listed = sorted(listed, key=lambda one: corpus.rank(one[0]))[:sample]
        yield "objects of this system", here.path, listed
        site = base / "site"
        uv = PROJECT / "target/tools/bin/uv"
        command = [uv, "pip", "install", "-q", "--no-deps", "--python", python, "--target", site]
        subprocess.run([*command, "--only-binary", ":all:", *WHEELS], check=True)
        yield "wheels", here.path, here.objects([site], site=True)
        return
    root = whole_corpus()
    subprocess.run(["mount", "--bind", "/proc", root / "proc"], check=True)
    here = corpus.Root(root, enter, None, None)
    yield "Debian packages", str(root), here.objects(["usr/bin", "usr/sbin", "usr/lib", "usr/libexec", "usr/games"])
    yield "wheels", str(root), here.objects(["corpus/sites"], site=True)


def whole_corpus():
    """The root of scripts/corpus/elf for x86-64, or one of its kind made here."""
    sys.path.insert(0, str(HERE.parent.parent / "corpus/corpus_elf"))
    from roots import Roots

    base = Path(os.environ.get("TFPATCH_CORPUS", PROJECT / "target/corpus")).resolve()
    if (base / "all/objects.json").exists():
        return base / "all/root-x86_64"
    directory = base / "x86_64"
    directory.mkdir(parents=True, exist_ok=True)
    tools = PROJECT / "target/tools"
    os.environ["PATH"] = f"{tools / 'corpus-path'}:{os.environ['PATH']}"
    made = Roots(directory, tools, None, say, ["x86_64"])
    made.build()
    return made.path("x86_64")


# In the processes that do the work.

STATE = {}


def begin(base, scratch, enter, tfpatch):
    own = scratch / str(os.getpid())
    STATE.update(scratch=own, enter=enter, tfpatch=tfpatch, builder=Builder(base / "built"), roots={}, stages={})


def carry_out(task):
    group, work, *rest = task
    name = rest[1]
    try:
        found, compared = work(*rest)
    except Exception as error:
        found, compared = [f"{type(error).__name__}: {error}"], 0
    return group, name, found, compared


def corpus_task(path, name, kind):
    if path not in STATE["roots"]:
        python = os.path.realpath("/usr/bin/python3") if path == "/" else "/usr/bin/python3.11"
        STATE["roots"][path] = corpus.Root(path, STATE["enter"], STATE["tfpatch"], python)
    return STATE["roots"][path].ask(name, kind)


def scenario_task(base, _, scenario):
    if base not in STATE["stages"]:
        scratch = STATE["scratch"] / base.name
        STATE["stages"][base] = Stage(base, scratch, STATE["builder"], STATE["enter"], STATE["tfpatch"])
    return STATE["stages"][base].run(scenario)


if __name__ == "__main__":
    main()
