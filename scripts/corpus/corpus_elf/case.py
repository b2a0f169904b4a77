"""One object of the corpus: edited, loaded, stripped, edited again, put back.

It stands in a tree, which is a clone of a root by hard links. The object is taken out of it and
replaced by a copy of its own, a library that it needs is put where only the new entry leads. What is
moved is written to moved.json in the work directory first, so that `restore` can undo it, however
the case ends.
"""

import filecmp
import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import judge
from interpreter import LOADERS, Interpreter

MISSING = re.compile(r"(?:^|: )([^\s:/]+): cannot open shared object file")
# A longer entry for the second edit, and one for patchelf: neither directory exists.
SECOND = "$ORIGIN/../no-such-directory/" + "a-second-and-longer-entry-" * 6
NOWHERE = "$ORIGIN/../no-such-directory"
# patchelf holds a file in memory several times over, and takes minutes for the largest.
PATCHELF_LIMIT = 200 << 20
CROSS = {"x86_64": "", "aarch64": "aarch64-linux-gnu-"}


class Case:
    """`interpreters` are running ones, by their library path and page size; more may be started."""

    def __init__(self, tree, base, work, tfpatch, interpreters, case):
        self.tree, self.base, self.work, self.tfpatch = tree, base, work, tfpatch
        self.case = case
        self.machine = case["machine"]
        self.where = "/" + case["path"]
        self.file = tree / case["path"]
        self.untouched = base / case["path"]
        self.before = judge.facts(self.untouched)
        self.hidden = self.symbols = None
        self.volatile = self.hangs = False
        self.damaged = []
        self.out = {"rungs": [], "survived": {}}
        self.lent, self.started = interpreters, {}
        self.library_path, self.page_size = "", None
        prefix = CROSS[self.machine]
        self.strips = {
            "strip -g": [f"{prefix}strip", "-g", "-o"],
            "llvm-strip": ["llvm-strip-19", "-o"],
            "eu-strip": ["eu-strip", "-o"],
            "objcopy": [f"{prefix}objcopy"],
        }

    def run(self):
        try:
            self.process()
        finally:
            for interpreter in self.started.values():
                interpreter.close()
        return self.out | {"damaged": self.damaged}

    def process(self):
        natural = self.first_look()
        control = self.hide() if self.ok else None
        if natural:
            control = self.reference
            self.entry = natural
        # Where the entry is what the object needs, the untouched object loads by a variable at most.
        self.out["control"] = control is not None
        first, refusal = self.edit("add", [self.entry])
        if refusal:
            self.out["refused"] = refusal
            return
        saved = self.keep("edited")
        self.judge("the edit", first, self.joined(self.entry))
        self.expect("the edited object", self.load())
        self.out["after"] = self.outcome["ok"]
        second, refusal = self.edit("add", [SECOND])
        if refusal:
            self.damaged.append(f"the second edit is refused: {refusal}")
        else:
            if second["loads"] > max(first["loads"], self.before["loads"] + 1):
                self.damaged.append(f"the second edit adds a LOAD: {second['loads']}")
            self.search_path("the second edit", second, self.joined(self.entry, SECOND))
            self.expect("the object edited twice", self.load())
        self.revert()
        self.fitting()
        self.stripped(saved)
        self.patchelf(saved)
        self.pages(saved)

    # Before any edit

    def first_look(self):
        """Loads the untouched object. The entry that would cure it, where it does not load."""
        self.library_path = ""
        # A copy, as an edited object is one: the interpreter may have the original mapped already.
        self.put(self.untouched)
        self.reference = self.load()
        if self.case["kind"] == "executable" and self.reference["ok"]:
            again = self.load()
            # Some do not even start each time.
            self.volatile = again.get("run") != self.reference["run"]
            self.hangs = self.reference["run"] is None
        self.out["before"] = self.ok = self.reference["ok"]
        self.out["error"] = self.reference.get("error")
        self.entry, self.expected = NOWHERE, self.reference
        return None if self.ok else self.natural()

    def natural(self):
        """The entry that leads to the directory of a library that is out of the object's reach.

        That it cures the object is shown by patchelf: a variable would reach further than a RUNPATH.
        """
        missing = MISSING.search(self.reference["error"])
        if not missing or missing[1] not in self.before["needed"]:
            return None
        for found in sorted((self.base / (self.case["site"] or "usr/lib")).rglob(missing[1])):
            directory = "/" + str(found.parent.relative_to(self.base))
            entry = self.origin(directory)
            self.put(self.untouched)
            if self.patched(self.joined(entry)):
                continue
            outcome = self.load()
            if outcome["ok"]:
                self.expected = outcome
                return entry
        return None

    def untouched_survives(self, change):
        """Whether the untouched object, with everything in its place, loads after the same change.

        Asked only where the edited object does not: most of a run would go into this otherwise.
        """
        hidden, self.hidden = self.hidden, None
        undo(self.tree, self.base, self.work)
        self.library_path = self.origin_path(self.entry) if self.out["control"] and not hidden else ""
        survives = change()
        self.library_path = ""
        if hidden:
            self.move(Path(hidden[0]) / self.out["hidden"])
        return survives

    def hide(self):
        """Moves a library that the object needs where nothing leads; the object must fail then."""
        own = {Path(name).name for name in self.interpreter().load("libc.so.6")["libraries"]}
        for name in self.before["needed"]:
            found = [path for path in self.expected["libraries"] if Path(path).name == name]
            if name in own or not found:
                continue
            self.move(Path(found[0]))
            control = self.load()
            missing = not control["ok"] and MISSING.search(control["error"])
            if missing and missing[1] == name:
                self.out["hidden"] = name
                self.entry = self.origin(self.hidden[1])
                return control
            self.unhide()
        return None

    def move(self, library):
        """Moves one name of a library into a new directory beside its own."""
        directory = library.parent.with_name(library.parent.name + ".hidden")
        self.hidden = str(library.parent), str(directory)
        there, here = self.tree / str(directory)[1:], self.tree / str(library)[1:]
        (self.work / "moved.json").write_text(json.dumps([str(library)[1:], str(directory)[1:]]))
        there.mkdir()
        os.link(os.path.realpath(here), there / library.name)
        here.unlink()
        # A library that looks for its own beside itself must find it from there as well.
        if any("$ORIGIN" in path for _, path in judge.facts(there / library.name)["search"]):
            for name in os.listdir(here.parent):
                if not (there / name).exists():
                    (there / name).symlink_to(f"../{here.parent.name}/{name}")

    def unhide(self):
        undo(self.tree, self.base, self.work)
        self.hidden = None

    # Edits, and what must hold after each

    def edit(self, action, new):
        """Edits the object by the real program. The facts afterwards, or the reason of a refusal."""
        words = [word for entry in new for word in ("--entry", entry)]
        if not self.out["rungs"] or action == "set":
            self.put(self.untouched)
        untouched = os.stat(self.file)
        before = judge.facts(self.file)
        done = self.command("rpath", action, *words, "--record", "keep")
        if done.returncode:
            if not filecmp.cmp(self.file, self.untouched, shallow=False) and before == self.before:
                self.damaged.append("refused, and changed")
            return None, (done.stderr.strip() or done.stdout.strip())[-400:]
        now = os.stat(self.file)
        if (now.st_mode, now.st_uid, now.st_gid) != (untouched.st_mode, untouched.st_uid, untouched.st_gid):
            self.damaged.append("the edit changes mode or owner")
        after = judge.facts(self.file)
        self.out["rungs"].append(judge.rung(before, after))
        return after, None

    def command(self, *words):
        command = [self.tfpatch, *words, "--no-sync", "--store", self.work / "store", self.file]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, errors="replace")

    def joined(self, *new):
        """The search path that an edit must leave, tag and all."""
        tag, old = self.before["search"][-1] if self.before["search"] else ("DT_RUNPATH", "")
        return [[tag, ":".join([*filter(None, [old]), *new])]]

    def search_path(self, what, facts, wanted):
        """The same search path through PT_DYNAMIC and through the sections; the rest as it was."""
        if facts["search"] != wanted:
            self.damaged.append(f"{what}: the search path is {facts['search']}, not {wanted}")
        for key in "needed", "soname", "machine", "type":
            if facts[key] != self.before[key]:
                self.damaged.append(f"{what}: {key} is {facts[key]}, was {self.before[key]}")
        if self.before["sections"] and self.before["sections"]["search"] == self.before["search"]:
            sections = facts["sections"]
            if not sections or any(sections[key] != facts[key] for key in ("search", "needed", "soname")):
                self.damaged.append(f"{what}: sections and segments tell of different tables: {sections}")

    def judge(self, what, facts, wanted):
        self.search_path(what, facts, wanted)
        for kind in judge.complaints, judge.lint:
            for line in judge.worse(kind, self.untouched, self.file):
                self.damaged.append(f"{what}: {line}")
        self.symbols = self.symbols or judge.symbols(self.untouched)
        if judge.symbols(self.file) != self.symbols:
            self.damaged.append(f"{what}: dynamic symbols or versions are not the same")

    def expect(self, what, outcome):
        """The outcome must be that of the untouched object, with everything where it was."""
        self.outcome = outcome
        if not same(outcome, self.expected, self.volatile):
            self.damaged.append(f"{what}: {brief(outcome)}; expected {brief(self.expected)}")

    def fitting(self):
        """An edit that fits: the old entries once each, and the new one where there is room."""
        if not self.before["search"]:
            return
        tag, old = self.before["search"][-1]
        entries = list(dict.fromkeys(entry for entry in old.split(":") if entry))
        alive = [entry for entry in entries if self.alive(entry)]
        choices = [[self.entry, *entries], [self.entry, *alive], entries[:-1] + [entries[-1] + "/"], entries]
        fits = lambda new: new and len(":".join(new)) <= len(old) and ":".join(new) != old
        new = next(filter(fits, choices), None)
        if not new:
            return
        if self.out["control"] and self.entry not in new:
            self.unhide_for_good()
        facts, refusal = self.edit("set", new)
        if refusal:
            self.damaged.append(f"an edit that fits is refused: {refusal}")
            return
        self.judge("the fitting edit", facts, [[tag, ":".join(new)]])
        outcome = self.load()
        # Dead entries were left out, and the path to a sibling may have another spelling.
        self.expect("the object with a fitting edit", outcome)
        self.revert()
        self.hide_again()

    def alive(self, entry):
        return (self.tree / self.origin_path(entry).lstrip("/")).is_dir()

    def unhide_for_good(self):
        if self.hidden:
            self.again = self.out["hidden"], self.hidden[0]
            self.unhide()
        else:
            self.library_path = self.origin_path(self.entry) if self.out["control"] else ""

    def hide_again(self):
        self.library_path = ""
        if getattr(self, "again", None):
            name, directory = self.again
            self.again = None
            self.move(Path(directory) / name)

    def revert(self):
        """Puts the untouched bytes, mode and times back, however many edits there were."""
        for _ in range(3):
            if self.command("revert").returncode:
                break
        now, then = os.stat(self.file), os.stat(self.untouched)
        for field in "st_size", "st_mode", "st_uid", "st_gid", "st_mtime_ns":
            if getattr(now, field) != getattr(then, field):
                self.damaged.append(f"after revert {field} is {getattr(now, field)}")
        if not filecmp.cmp(self.file, self.untouched, shallow=False):
            self.damaged.append("revert leaves other bytes")

    # What others do to the edited object

    def stripped(self, edited):
        """Each strip of the edited object must load, where that of the untouched one does."""
        for name, command in self.strips.items():
            wrong = self.strip(command, edited, self.joined(self.entry))
            untouched = lambda: not self.strip(command, self.untouched, self.before["search"])
            self.judge_change(name, wrong, untouched)

    def strip(self, command, source, search):
        """Puts a stripped copy at the object's place and loads it. What is wrong with it, or None."""
        copy = self.work / "stripped"
        names = [copy, source] if "-o" in command else [source, copy]
        done = subprocess.run([*command, *names], capture_output=True, timeout=600, text=True)
        if done.returncode:
            return f"fails: {done.stderr[-300:]}"
        self.put(copy)
        found = judge.facts(copy)["search"]
        if found != search:
            return f"leaves the search path {found}"
        outcome = self.load()
        return None if same(outcome, self.expected, self.volatile) else brief(outcome)

    def patchelf(self, edited):
        """What patchelf reads in the edited object, and whether its own edit of that loads."""
        done = subprocess.run(["patchelf", "--print-rpath", edited], capture_output=True, text=True)
        if done.stdout.rstrip("\n") != self.joined(self.entry)[0][1]:
            self.damaged.append(f"patchelf reads {(done.stdout or done.stderr).strip()}")
        if self.before["size"] < PATCHELF_LIMIT:
            wrong = self.set_by_patchelf(edited, self.joined(self.entry, SECOND))
            untouched = lambda: not self.set_by_patchelf(self.untouched, self.joined(NOWHERE, SECOND))
            self.judge_change("patchelf", wrong, untouched)

    def set_by_patchelf(self, source, wanted):
        """Lets patchelf edit a copy of an object at its place and loads it. What is wrong, or None."""
        self.put(source)
        wrong = self.patched(wanted)
        if wrong:
            return wrong
        outcome = self.load()
        return None if same(outcome, self.expected, self.volatile) else brief(outcome)

    def patched(self, wanted):
        """Lets patchelf set the search path of the object at its place. What is wrong, or None."""
        [[tag, path]] = wanted
        force = ["--force-rpath"] if tag == "DT_RPATH" else []
        command = ["patchelf", *force, "--set-rpath", path, self.file]
        done = subprocess.run(command, capture_output=True, timeout=300, text=True)
        return f"fails: {done.stderr[-300:]}" if done.returncode else None

    def judge_change(self, name, wrong, untouched):
        """Keeps how the edited object fared, and how the untouched one, where that was asked."""
        if not wrong:
            self.out["survived"][name] = True
        elif self.untouched_survives(untouched):
            self.out["survived"][name] = False
            self.damaged.append(f"{name}: {wrong}; expected {brief(self.expected)}")
        else:
            self.out["survived"][name] = None

    def pages(self, edited):
        """What is aligned to 64K pages must load where pages have 64K."""
        if self.machine != "aarch64" or self.before["align"] < 65536 or not self.ok:
            return
        self.page_size = 65536
        wrong = self.loads_at_all(edited)
        self.judge_change("64K pages", wrong, lambda: not self.loads_at_all(self.untouched))

    def loads_at_all(self, source):
        self.put(source)
        outcome = self.load()
        return None if outcome["ok"] else brief(outcome)

    # Hands

    def load(self):
        """How the object at its place loads; for an executable, how it runs."""
        interpreter = self.interpreter()
        if self.case["kind"] == "library":
            name = Path(self.where).name.split(".")[0]
            outcome = interpreter.load(self.where, name)
        else:
            outcome = self.start(interpreter)
        return self.as_if_not_moved(outcome)

    def start(self, interpreter):
        variables = {"LD_LIBRARY_PATH": self.library_path} if self.library_path else {}
        loader = LOADERS[self.machine]
        listed = interpreter.run([loader, "--list", self.where], variables)
        text = listed.get("text", "")
        missing = re.search(r"^\s*(\S+) => not found", text, re.M)
        if missing or listed.get("status") or not listed["ok"]:
            error = f"{missing[1]}: cannot open shared object file" if missing else text
            return {"ok": False, "error": error or listed.get("error") or f"status {listed.get('status')}"}
        libraries = [os.path.normpath(path) for path in re.findall(r"=> (/\S+)", text)]
        run = None
        if not self.hangs:
            done = interpreter.run([self.where, "--version"], variables | {"LD_BIND_NOW": "1"})
            if done["ok"]:
                run = [done["status"], hashlib.sha256(done["text"].encode()).hexdigest()]
        return {"ok": True, "libraries": libraries, "run": run}

    def as_if_not_moved(self, outcome):
        if self.hidden:
            there, here = self.hidden[1] + "/", self.hidden[0] + "/"
            outcome = json.loads(json.dumps(outcome).replace(there, here))
        return outcome

    def interpreter(self):
        """A new one for each library path: LD_LIBRARY_PATH is read when a process starts."""
        key = self.library_path, self.page_size
        for known in self.lent, self.started:
            if key in known:
                return known[key]
        self.started[key] = Interpreter(self.tree, self.machine, *key)
        return self.started[key]

    def put(self, file):
        """Puts a copy of a file at the object's place. Running processes keep the old one."""
        new = self.file.with_name(self.file.name + ".new")
        shutil.copy2(file, new)
        os.chmod(new, os.stat(self.untouched).st_mode & 0o7777)
        os.replace(new, self.file)

    def keep(self, name):
        shutil.copy2(self.file, self.work / name)
        return self.work / name

    def origin(self, directory):
        return "$ORIGIN/" + os.path.relpath(directory, os.path.dirname(self.where))

    def origin_path(self, entry):
        return os.path.normpath(entry.replace("$ORIGIN", os.path.dirname(self.where)))


def same(outcome, expected, volatile):
    """Whether two loads ended alike: with the same objects mapped, or with the same error."""
    if outcome["ok"] != expected["ok"]:
        return False
    if not outcome["ok"]:
        return outcome["error"] == expected["error"]
    if set(outcome["libraries"]) != set(expected["libraries"]):
        return False
    if volatile:
        return True
    return outcome.get("run") == expected.get("run") and outcome.get("module") == expected.get("module")


def brief(outcome):
    return outcome["error"][:300] if not outcome["ok"] else f"loads ({len(outcome['libraries'])} objects, {outcome.get('run')})"


def undo(tree, base, work):
    """Makes the tree what it was before a library was moved."""
    moved = work / "moved.json"
    if not moved.exists():
        return
    library, directory = json.loads(moved.read_text())
    if not os.path.lexists(tree / library):
        os.link(base / library, tree / library, follow_symlinks=False)
    shutil.rmtree(tree / directory, ignore_errors=True)
    moved.unlink()


def restore(tree, base, work, path):
    """Makes the tree what it was before a case, however that ended."""
    undo(tree, base, work)
    (tree / path).with_name((tree / path).name + ".new").unlink(missing_ok=True)
    (tree / path).unlink(missing_ok=True)
    os.link(base / path, tree / path)
