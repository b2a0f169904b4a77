"""What tfpatch says, beside what musl's ld.so does."""

import json
import subprocess
from dataclasses import dataclass

from objects import LD_SO
from oracle import absolute

# musl's words for what a search ended with. Where it looked nowhere, they are about the last file that it
# tried to read, which may be its own list of directories.
REASONS = {
    "absent": {"No such file or directory", "Not a directory", "Filename too long", "Symbolic link loop", "Is a directory"},
    "unreadable": {"Symbolic link loop", "No such file or directory"},
    "not_a_library": {"Exec format error", "Is a directory"},
    "wrong_class": {"Exec format error"},
}


@dataclass
class Tree:
    """The report of `tfpatch tree`."""

    status: int
    objects: list

    @property
    def loaded(self):
        return [one["path"] for one in self.objects if one["path"] != LD_SO]

    def needs(self):
        return [(one["path"], need) for one in self.objects for need in one["needed"]]

    def missing(self):
        return [(need["name"], path) for path, need in self.needs() if need["found"] is None]

    def tried(self):
        return [step["path"] for _, need in self.needs() for step in need["tried"]]


def tree(tfpatch, root, files, variables, *options):
    command = [tfpatch, "tree", "--format", "json", "--root", root, "--no-env", *options, *files]
    command += [f"--env={key}={value}" for key, value in variables.items()]
    output = subprocess.run(command, capture_output=True, timeout=60, check=False)
    if output.returncode not in (0, 1):
        raise RuntimeError(f"{command} ends with {output.returncode}: {output.stderr.decode()}")
    return Tree(output.returncode, json.loads(output.stdout)["objects"])


def differences(said, answer):
    """Between a tree and what `--list` says of the same program."""
    found = []
    # The loader does not know the program's inode, and loads it again for one that needs it; a report
    # has each path once.
    loaded = [path for path in answer.loaded if path != said.loaded[0]]
    answer.missing = list(dict.fromkeys(answer.missing))
    if said.loaded[1:] != loaded:
        found.append(f"loaded: musl {loaded}, tfpatch {said.loaded[1:]}")
    foreign, missing = set(), []
    for path, need in said.needs():
        if need["found"] is not None:
            continue
        last = need["tried"][-1] if need["tried"] else None
        if last and last["outcome"] == "wrong_machine":
            foreign.add(last["path"])
        elif last or not answer.foreign:
            missing.append((need["name"], path, last and last["outcome"]))
    if foreign != answer.foreign:
        found.append(f"for another machine: musl {sorted(answer.foreign)}, tfpatch {sorted(foreign)}")
    if [(name, path) for name, path, _ in missing] != [(name, needer) for name, _, needer in answer.missing]:
        found.append(f"missing: musl {answer.missing}, tfpatch {missing}")
    else:
        for (name, path, outcome), (_, reason, _) in zip(missing, answer.missing):
            if outcome and reason not in REASONS.get(outcome, {reason}):
                found.append(f"{path} misses {name}: musl {reason}, tfpatch {outcome}")
    return found


def differences_when_started(said, answer):
    """Between a tree and the program that was started."""
    if (said.status == 0) != (answer.status == 0):
        return [f"started: ends with {answer.status} ({answer.missing}), tfpatch with {said.status}"]
    if answer.status == 0 and said.loaded[1:] != answer.loaded:
        return [f"started: loaded {answer.loaded}, tfpatch {said.loaded[1:]}"]
    return []


def differences_when_opened(said, before, answer):
    """Between a tree of what a program opens, and what it has loaded then or what it says is missing."""
    if (said.status == 0) != (answer.status == 0):
        return [f"opened: ends with {answer.status} ({answer.missing}), tfpatch with {said.status}"]
    if answer.status == 0 and before.loaded[1:] + said.loaded != answer.loaded:
        return [f"opened: loaded {answer.loaded}, tfpatch {before.loaded[1:]} and then {said.loaded}"]
    # The first that is missing is the last that musl looks for.
    if answer.missing and said.missing()[0] != (answer.missing[0][0], answer.missing[0][2]):
        return [f"opened: misses {answer.missing}, tfpatch {said.missing()}"]
    return []


def differences_of_opens(said, opened, length=512):
    """Between the places that were tried and the paths that were opened."""
    tried = [absolute(path) for path in said.tried() if len(path) < length]
    return [] if tried == opened else [f"opened paths: musl {opened}, tfpatch {tried}"]
