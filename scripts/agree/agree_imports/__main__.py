"""Spoils environments and compares; see scripts/agree/imports."""

import argparse
import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import environments
import mutations
from judge import Verdict

PROJECT = Path(__file__).resolve().parent.parent.parent.parent
WORK = PROJECT / "target/agree-imports"
# Of these a mutation is one, a third of the time a pair.
PAIRS = 1 / 3
# The largest share of an environment.
MOST = 4
# How often a mutation is tried that an environment has nothing for.
TRIES = 40


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/agree/imports")
    parser.add_argument("--seed", type=int, nargs="+", default=[1], metavar="S")
    parser.add_argument("--count", type=int, default=100, metavar="N")
    parser.add_argument("--sample", type=int, metavar="N")
    parser.add_argument("--only", choices=[*mutations.KINDS, mutations.PAIR], metavar="KIND")
    parser.add_argument("--in", dest="within", nargs="+", default=[""], metavar="TEXT")
    parser.add_argument("--redo", type=int, action="append", metavar="N")
    parser.add_argument("--gpu", action="store_true")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--jobs", type=int, default=2, metavar="N")
    return parser.parse_args()


def chosen(asked):
    """The environments of the table that are asked for, and the numbers of their mutations. Those are the same
    whatever is left out by name, so that one can be made again."""
    table = [it for it in environments.table() if asked.gpu or not it.get("gpu")]
    table = [it for it in table if it.get("small") or not asked.sample]
    shares = [it["name"] for turn in range(MOST) for it in table if turn < it["share"]]
    numbers = [it for it in range(1, (asked.sample or asked.count) + 1) if not asked.redo or it in asked.redo]
    every = [(seed, number) for seed in asked.seed for number in numbers]
    for entry in table:
        own = [(seed, number) for seed, number in every if shares[(number + seed) % len(shares)] == entry["name"]]
        if own and any(text in entry["name"] for text in asked.within):
            yield entry, own


def spoil(environment, asked, seed, number):
    """The mutation of a number: the first kind by chance that the environment has something for."""
    for attempt in range(TRIES):
        chance = random.Random(f"{seed} {number} {attempt}")
        single = chance.choices(list(mutations.SINGLE), list(mutations.SINGLE.values()))[0].__name__
        kind = asked.only or (mutations.PAIR if chance.random() < PAIRS else single)
        if spoilt := mutations.spoil(environment, kind, chance):
            return spoilt
    return None


class Figures:
    """What is said in the end."""

    def __init__(self):
        self.mutations, self.differing, self.outcomes, self.kinds = 0, 0, Counter(), Counter()
        self.verdicts, self.packages = 0, set()

    def add(self, verdict):
        kinds = {kind for kind, _ in verdict.differences}
        self.mutations += 1
        self.differing += bool(kinds)
        self.verdicts += not kinds & {"missed", "false error", "refused"}
        self.outcomes[verdict.outcome] += 1
        self.kinds.update(kinds)

    def tell(self):
        told = ", ".join(f"{count} {name}" for name, count in sorted(self.outcomes.items()))
        share = 100 * self.verdicts / max(self.mutations, 1)
        print(f"{self.mutations} mutations over {len(self.packages)} packages with native code: {told}")
        print(f"verdicts that agree: {self.verdicts} ({share:.1f} %)")
        for kind in ("missed", "false error", "unnamed", "not cured", "worse", "inexact", "refused", "base"):
            print(f"{kind}: {self.kinds[kind]}")


def keep(environment, name):
    """Leaves what differs where it can be looked at, spoilt as it is."""
    place = WORK / "kept" / f"{environment.name}-{name}"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for directory in (environment.prefix, environment.outside):
        subprocess.run(["cp", "-al", directory, place], check=True)


def of_environment(entry, numbers, asked, figures):
    """All mutations of one environment."""
    environment = environments.Environment(entry, WORK, PROJECT, asked.jobs)
    native = [it.info.split("-")[0] for it in environment.distributions.values() if it.is_native]
    figures.packages.update(native)
    print(f"# {environment.name}: {', '.join(native)}; {len(environment.modules)} imports", flush=True)
    environment.restore()
    base = Verdict(mutations.Spoilt(environment, None), os.environ["TFPATCH"])
    for error in base.findings()[0]:
        figures.kinds["base"] += 1
        print(f"        base: {error['cause']}: {error['message']}", flush=True)
    for seed, number in numbers:
        began = time.monotonic()
        spoilt = spoil(environment, asked, seed, number)
        if spoilt is None:
            print(f"{seed}.{number:<4} nothing in {environment.name} to spoil", flush=True)
            continue
        verdict = Verdict(spoilt, os.environ["TFPATCH"]).judge()
        figures.add(verdict)
        seconds = time.monotonic() - began
        word = f"{'DIFFERS' if verdict.differences else 'agrees':8}{verdict.outcome:7}"
        where = f"({environment.name}, {seconds:.0f} s)"
        print(f"{seed}.{number:<4} {word} {spoilt.kind}  {'; '.join(spoilt.done)}  {where}", flush=True)
        for kind, words in verdict.differences:
            print(f"        {kind}: {words}", flush=True)
        if verdict.differences and asked.keep:
            keep(environment, f"{seed}.{number}")
    if not environment.is_unharmed():
        figures.kinds["inexact"] += 1
        print(f"        inexact: a file of {environment.name} was changed through a link to it", flush=True)
    shutil.rmtree(environment.place)


def main():
    asked = arguments()
    if asked.list:
        for name, kind in mutations.KINDS.items():
            print(f"{name:18} {kind.__doc__}")
        return 0
    figures = Figures()
    print(f"seed {' '.join(map(str, asked.seed))}, {os.environ['TFPATCH']}", flush=True)
    for entry, numbers in chosen(asked):
        of_environment(entry, numbers, asked, figures)
    figures.tell()
    return int(figures.mutations == 0 or figures.differing > 0 or figures.kinds.total() > 0)


if __name__ == "__main__":
    sys.exit(main())
