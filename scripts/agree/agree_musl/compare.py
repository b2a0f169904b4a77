"""What tfpatch says, beside what musl's ld.so does."""

import errno
import json
import os
import subprocess
from dataclasses import dataclass

from objects import LD_SO
from oracle import absolute
from scenarios import PATH_FILE

# musl's words for what became of a file.
WORDS = {
    errno.ENOENT: "No such file or directory",
    errno.ENOTDIR: "Not a directory",
    errno.ENAMETOOLONG: "Filename too long",
    errno.ELOOP: "Symbolic link loop",
    errno.EISDIR: "Is a directory",
    errno.ENOEXEC: "Exec format error",
}
# Longer paths musl passes over without opening them.
LENGTH = 512
# The rules of lists that come before the list of directories is read.
BEFORE = {"ld_library_path", "rpath", "runpath"}


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


def word(root, path):
    """musl's word for why a file of a root is no library."""
    try:
        with open(f"{root}{path}", "rb"):
            return WORDS[errno.ENOEXEC]
    except OSError as error:
        return WORDS[error.errno]


def reasons(root, steps):
    """musl's words for how a search ended that came to nothing: those for the file it tried last, which may
    be its own list of directories, if it was the first to ask for that. None where it opened nothing."""
    steps = [step for step in steps if step["rule"] == "direct" or len(step["path"]) < LENGTH]
    if not steps:
        return None
    words = {word(root, steps[-1]["path"])}
    ended = steps[-1]["outcome"] != "absent"
    if steps[-1]["rule"] in BEFORE and not ended and os.path.lexists(f"{root}{PATH_FILE}"):
        words.add(word(root, PATH_FILE))
    return words


def differences(root, said, answer, program):
    """Between a tree and what `--list` says of the same program, which is listed as `program`: by a link,
    `--list` would take the link's directory for $ORIGIN, and a started program its own."""
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
        path = program if path == said.loaded[0] else path
        last = need["tried"][-1] if need["tried"] else None
        if last and last["outcome"] == "wrong_machine":
            foreign.add(last["path"])
        elif last or not answer.foreign:
            missing.append((need["name"], path, reasons(root, need["tried"])))
    if foreign != answer.foreign:
        found.append(f"for another machine: musl {sorted(answer.foreign)}, tfpatch {sorted(foreign)}")
    if [(name, path) for name, path, _ in missing] != [(name, needer) for name, _, needer in answer.missing]:
        found.append(f"missing: musl {answer.missing}, tfpatch {missing}")
    else:
        for (name, path, expected), (_, reason, _) in zip(missing, answer.missing):
            if expected and reason not in expected:
                found.append(f"{path} misses {name}: musl {reason}, tfpatch {sorted(expected)}")
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
    # What the program has loaded already is in the tree, and is not loaded again.
    anew = [path for path in said.loaded if path not in before.loaded]
    if answer.status == 0 and before.loaded[1:] + anew != answer.loaded:
        return [f"opened: loaded {answer.loaded}, tfpatch {before.loaded[1:]} and then {said.loaded}"]
    # The first that is missing is the last that musl looks for.
    if answer.missing and said.missing()[0] != (answer.missing[0][0], answer.missing[0][2]):
        return [f"opened: misses {answer.missing}, tfpatch {said.missing()}"]
    return []


def differences_of_opens(said, opened):
    """Between the places that were tried and the paths that were opened."""
    tried = [absolute(path) for path in said.tried() if len(path) < LENGTH]
    return [] if tried == opened else [f"opened paths: musl {opened}, tfpatch {tried}"]
