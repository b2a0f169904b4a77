"""Runs the corpus: see scripts/corpus-elf."""

import argparse
import hashlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import case as one_case
import roots as corpus
import table
import whole

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
# Seconds for one object, all its loads, strips and edits together.
LIMIT = {"x86_64": 1200, "aarch64": 3600}


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/corpus-elf")
    parser.add_argument("--sample", type=int, metavar="N", help="N objects of small packages, chosen by hash")
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
    os.environ["PATH"] = f"{tools / 'path-corpus'}:{os.environ['PATH']}"
    roots = corpus.Roots(base, tools, options.sample, say)
    objects = [one for one in roots.build() if options.only in one["name"]]
    digest = hashlib.sha256(tfpatch.read_bytes() + (HERE / "case.py").read_bytes()).hexdigest()[:16]
    run = Run(roots, tfpatch, base / "cases" / digest)
    cases = run.all(objects, options.jobs)
    packages = [] if options.sample or options.only else run.packages()
    (base / "corpus.json").write_text(json.dumps({"cases": cases, "packages": packages}, indent=1))
    passed = table.report(cases, packages)
    print(f"every case: {base / 'corpus.json'}")
    sys.exit(not passed)


def program():
    """The program to be tried: $TFPATCH, or a release build of this checkout."""
    if "TFPATCH" in os.environ:
        return Path(os.environ["TFPATCH"]).resolve()
    subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=PROJECT, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", PROJECT / "target"))
    return target / "release/tfpatch"


class Run:
    """Works through the objects; each outcome is kept, so that a second run goes on from there."""

    def __init__(self, roots, tfpatch, outcomes):
        self.roots, self.tfpatch, self.outcomes = roots, tfpatch, outcomes
        self.outcomes.mkdir(parents=True, exist_ok=True)
        self.lock = threading.Lock()
        self.done, self.found = 0, []

    def all(self, objects, jobs):
        waiting = queue.Queue()
        for one in objects:
            waiting.put(one)
        say(f"{len(objects)} objects, {jobs} at once")
        threads = [threading.Thread(target=self.work, args=(number, waiting, len(objects)), daemon=True) for number in range(jobs)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sorted(self.found, key=lambda found: found["name"])

    def work(self, number, waiting, total):
        """One worker: it has trees of its own, in which it moves and replaces names."""
        trees = {}
        while True:
            try:
                one = waiting.get_nowait()
            except queue.Empty:
                break
            kept = self.outcomes / (corpus.rank(one["name"])[:32] + ".json")
            if kept.exists():
                outcome = json.loads(kept.read_text())
            else:
                machine = one["machine"]
                if machine not in trees:
                    trees[machine] = self.roots.base / f"tree-{number}-{machine}"
                    corpus.clone(self.roots.path(machine), trees[machine])
                outcome = self.process(one, trees[machine], self.roots.base / f"work-{number}")
                kept.write_text(json.dumps(outcome))
            with self.lock:
                self.found.append(outcome)
                self.done += 1
                if outcome["damaged"]:
                    say(f"DAMAGED {one['name']}: {'; '.join(outcome['damaged'])[:600]}")
                if self.done % 50 == 0 or self.done == total:
                    say(f"{self.done} of {total}")
        for tree in trees.values():
            shutil.rmtree(tree)

    def process(self, one, tree, work):
        """One object, in a process of its own with a limit."""
        base = self.roots.path(one["machine"])
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        command = [sys.executable, "-B", HERE / "case.py", tree, base, work, self.tfpatch, json.dumps(one)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
        try:
            stdout, stderr = process.communicate(timeout=LIMIT[one["machine"]])
            outcome = json.loads(stdout) if process.returncode == 0 else None
            why = stderr[-1500:]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            outcome, why = None, "took too long"
        one_case.restore(tree, base, work, one["path"])
        shutil.rmtree(work, ignore_errors=True)
        # A case that could not be carried to its end shows nothing, and counts as damage.
        return outcome or one | {"damaged": [f"the case did not end: {why}"]}

    def packages(self):
        """Whole packages, each in trees of its own."""
        found = []
        for machine, site in whole.CODE:
            say(f"the packages of {machine}/{site}, all of their objects edited")
            tree, work = self.roots.base / "tree-packages", self.roots.base / "work-packages"
            shutil.rmtree(work, ignore_errors=True)
            corpus.clone(self.roots.path(machine), tree)
            found.append(whole.use(self.roots.path(machine), tree, work, self.tfpatch, machine, site))
            shutil.rmtree(tree)
            shutil.rmtree(work)
        return found


if __name__ == "__main__":
    main()
