"""Runs the corpus: see scripts/corpus/elf."""

import argparse
import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import case as one_case
import roots as corpus
import table
from interpreter import Interpreter

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent.parent
# Seconds for one object, all its loads, strips and edits together.
LIMIT = {"x86_64": 1200, "aarch64": 3600}


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/corpus/elf")
    parser.add_argument("--sample", type=int, metavar="N", help="at most N objects of small packages, chosen by hash")
    parser.add_argument("--only", default="", metavar="TEXT", help="only objects with TEXT in their name")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N", help="work on N objects at once")
    return parser.parse_args()


def main():
    options = arguments()
    base = Path(os.environ.get("TFPATCH_CORPUS", PROJECT / "target/corpus")).resolve()
    base /= f"sample-{options.sample}" if options.sample else "all"
    base.mkdir(parents=True, exist_ok=True)
    tfpatch = program()
    tools = PROJECT / "target/tools"
    os.environ["PATH"] = f"{tools / 'corpus-path'}:{os.environ['PATH']}"
    roots = corpus.Roots(base, tools, options.sample, say)
    objects = [one for one in roots.build() if options.only in one["name"]]
    parts = [tfpatch, *sorted(HERE.glob("*.py"))]
    digest = hashlib.sha256(b"".join(part.read_bytes() for part in parts)).hexdigest()[:16]
    run = Run(roots, tfpatch, base / "cases" / digest)
    cases = run.all(objects, options.jobs)
    (base / "corpus.json").write_text(json.dumps(cases, indent=1))
    passed = table.report(cases)
    print(f"every case: {base / 'corpus.json'}")
    sys.exit(not passed)


def program():
    """The program to be tried."""
    return Path(subprocess.run([PROJECT / "scripts/tools/program"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip())


class Run:
    """Works through the objects; each outcome is kept, so that a second run goes on from there."""

    def __init__(self, roots, tfpatch, outcomes):
        self.roots, self.tfpatch, self.outcomes = roots, tfpatch, outcomes
        self.outcomes.mkdir(parents=True, exist_ok=True)

    def kept(self, one):
        return self.outcomes / (corpus.rank(one["name"])[:32] + ".json")

    def all(self, objects, jobs):
        todo = [one for one in objects if not self.kept(one).exists()]
        say(f"{len(objects)} objects, {len(objects) - len(todo)} of them done before, {jobs} at once")
        following = multiprocessing.Value("i", 0)
        workers = [multiprocessing.Process(target=Worker(self, number).work, args=(todo, following)) for number in range(jobs)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        if any(worker.exitcode for worker in workers):
            sys.exit("scripts/corpus/elf: a worker has ended early")
        return [json.loads(self.kept(one).read_text()) for one in objects]


class Worker:
    """A process that takes one object after the other, with trees and interpreters of its own."""

    def __init__(self, run, number):
        self.run, self.roots = run, run.roots
        self.number, self.trees, self.interpreters = number, {}, {}

    def work(self, todo, following):
        while True:
            with following.get_lock():
                index = following.value
                following.value += 1
            if index >= len(todo):
                break
            outcome = self.process(todo[index])
            self.run.kept(todo[index]).write_text(json.dumps(outcome))
            if outcome["damaged"]:
                say(f"DAMAGED {outcome['name']}: {'; '.join(outcome['damaged'])[:600]}")
            if (index + 1) % 50 == 0:
                say(f"{index + 1} of {len(todo)}")
        for machine in list(self.trees):
            self.close(machine)
            shutil.rmtree(self.trees[machine])

    def process(self, one):
        """One object, in a process of its own with a limit."""
        machine, base = one["machine"], self.roots.path(one["machine"])
        self.open(machine)
        tree, work = self.trees[machine], self.roots.base / f"work-{self.number}"
        shutil.rmtree(work, ignore_errors=True)
        (work / "store").mkdir(parents=True)
        case = one_case.Case(tree, base, work, self.run.tfpatch, self.interpreters[machine], one)
        process = multiprocessing.Process(target=carry_out, args=(case, work / "outcome.json"))
        process.start()
        process.join(LIMIT[machine])
        if process.is_alive():
            os.killpg(process.pid, signal.SIGKILL)
            process.join()
        if process.exitcode == 0:
            outcome = json.loads((work / "outcome.json").read_text())
        else:
            # A case that is not carried to its end shows nothing, and counts as damage.
            outcome = {"damaged": [f"the case ended with {process.exitcode} before its end"]}
            self.close(machine)
        one_case.restore(tree, base, work, one["path"])
        shutil.rmtree(work)
        return one | outcome

    def open(self, machine):
        """The tree of a machine and the interpreters in it, which stay for the objects to come."""
        if machine not in self.trees:
            self.trees[machine] = self.roots.base / f"tree-{self.number}-{machine}"
            corpus.clone(self.roots.path(machine), self.trees[machine])
        if machine not in self.interpreters:
            sizes = [None, 65536] if machine == "aarch64" else [None]
            self.interpreters[machine] = {
                ("", size): Interpreter(self.trees[machine], machine, page_size=size) for size in sizes
            }

    def close(self, machine):
        for interpreter in self.interpreters.pop(machine, {}).values():
            interpreter.close()


def carry_out(case, outcome):
    """The process of one object."""
    os.setsid()
    started = time.monotonic()
    found = case.run()
    outcome.write_text(json.dumps(found | {"seconds": round(time.monotonic() - started, 1)}))


if __name__ == "__main__":
    main()
