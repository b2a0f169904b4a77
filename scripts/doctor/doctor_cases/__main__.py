"""Runs the cases: see scripts/doctor/cases."""

import argparse
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import case
import expected
import groups
import judge
import table
from environment import Place

PROJECT = Path(__file__).resolve().parent.parent.parent.parent


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/doctor/cases")
    parser.add_argument("--quick", action="store_true", help="only cases without a large download")
    parser.add_argument("--only", default="", metavar="TEXT", help="only cases with TEXT in their name or cause")
    parser.add_argument("--list", action="store_true", help="list the cases and what is expected of them")
    parser.add_argument("--keep", action="store_true", help="leave the environments behind")
    return parser.parse_args()


def program():
    """The program to be tried."""
    return Path(subprocess.run([PROJECT / "scripts/tools/program"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip())


def main():
    options = arguments()
    sys.stdout.reconfigure(line_buffering=True)
    groups.load()
    expectations = expected.read(PROJECT / "fixtures/cases")
    unmatched = expectations.keys() ^ case.CASES.keys()
    if unmatched:
        sys.exit(f"scripts/doctor/cases: case without expectation, or the reverse: {', '.join(sorted(unmatched))}")
    chosen = [
        one
        for name, one in case.CASES.items()
        if (one.quick or not options.quick) and options.only in f"{name} {expectations[name].cause}"
    ]
    if not chosen:
        sys.exit("scripts/doctor/cases: no such case")
    if options.list:
        for one in chosen:
            print(f"{one.name:<58} {expectations[one.name].cause:<20} {one.about}")
        return
    base = PROJECT / "target/cases"
    base.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("UV_CACHE_DIR", str(base / "cache"))
    tfpatch = program()

    def tried(one):
        started = time.monotonic()
        place = Place(base / one.name.replace("/", "-"), PROJECT)
        wrong = judge.judge(tfpatch, one, expectations[one.name], place)
        if not options.keep:
            shutil.rmtree(place.path)
        return one, expectations[one.name], wrong, time.monotonic() - started

    outcomes = []
    # Half of a case is waiting: for the disk, and for what is downloaded.
    with ThreadPoolExecutor(max_workers=(os.cpu_count() or 1) * 3 // 2) as pool:
        for one, expectation, wrong, seconds in pool.map(tried, chosen):
            outcomes.append((one, expectation, wrong))
            print(f"{'WRONG' if wrong else 'right'}  {seconds:5.1f} s  {one.name}: {expectation.cause}")
            for line in wrong:
                print(f"       {line}")
    sys.exit(not table.report(outcomes))


if __name__ == "__main__":
    main()
