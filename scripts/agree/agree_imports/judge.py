"""What tfpatch says and does, beside the truth."""

import json
import os
import re
import subprocess
from pathlib import Path

import tree
from guards import is_guarded
from importing import clean

# What the loader's words name: a file that it did not find, or could not use.
NAMED = [
    re.compile(r"([^\s'\"/]+\.so[^\s'\":/]*): cannot open shared object file"),
    re.compile(r"([^\s'\"/]+\.so[^\s'\":/]*): (?:file too short|invalid ELF header|undefined symbol)"),
]


class Verdict:
    """Everything that was seen of one mutation, and what of it differs."""

    def __init__(self, spoilt, tfpatch):
        self.spoilt, self.tfpatch, self.environment = spoilt, tfpatch, spoilt.environment
        self.differences, self.outcome, self.guarded = [], "", False

    def differs(self, kind, words):
        self.differences.append((kind, words))

    def say(self, command, *options):
        """Runs it; its status and its report."""
        words = [self.tfpatch, command, self.environment.prefix, "--format", "json", *options]
        ran = subprocess.run(words, env=clean({}), cwd="/", capture_output=True, text=True, errors="replace", check=False)
        if ran.returncode not in (0, 1) or not ran.stdout:
            self.differs("refused", f"{command} ends with {ran.returncode}: {(ran.stdout + ran.stderr)[:600]}")
        return ran.returncode, json.loads(ran.stdout or "{}")

    def simulated(self):
        """The variables, which are not to spoil tfpatch itself."""
        variables = self.environment.variables | self.spoilt.variables
        return [word for name, value in variables.items() for word in ("--env", f"{name}={value}")]

    def findings(self):
        """The errors, and everything that is said, as one text."""
        found = self.say("doctor", *self.simulated())[1].get("findings", [])
        return [finding for finding in found if finding["severity"] == "error"], json.dumps(found)

    def imports(self):
        """What failed of what worked while nothing was wrong, and is meant to be there."""
        failed = self.environment.imports(self.spoilt.variables).failed
        wanted = {name for name in self.environment.modules if name.split(".")[0] not in self.spoilt.gone}
        return {name: words for name, words in failed.items() if name in wanted}

    def snapshot(self):
        return tree.snapshot([self.environment.prefix, self.environment.outside], self.environment.known)

    def judge(self):
        before, (errors, told), failed = self.snapshot(), self.findings(), self.imports()
        self.compare(errors, told, failed)
        # As the report says how to repair it.
        asked = "--allow-absolute"
        options = [asked] if any(asked in finding["cure"] for finding in errors) else []
        status, _ = self.say("fix", *self.simulated(), *options)
        after = self.snapshot()
        still = failed
        if after != before:
            still = self.repaired(failed, status)
            self.say("revert")
            if changed := tree.difference(before, self.snapshot()):
                self.differs("inexact", f"after revert {len(changed)} files differ: {', '.join(changed[:4])}")
        elif failed and errors and (status == 0 or all(finding["fixable"] for finding in errors)):
            self.differs("not cured", f"fix ends with {status} and changes nothing; {errors[0]['message']}")
        self.outcome = "guarded" if self.guarded else "sound" if not failed else "cured" if not still else "broken"
        return self

    def compare(self, errors, told, failed):
        """The doctor's verdict, and the words of both."""
        if failed and not errors and not self.does_without(told, failed):
            name, words = next(iter(failed.items()))
            self.differs("missed", f"{len(failed)} imports fail, and no error is reported: {name}: {last(words)}")
        elif errors and not failed:
            self.differs("false error", errors[0]["cause"] + ": " + errors[0]["message"])
        elif errors:
            missing = unnamed(told, failed)
            if missing:
                name, module = next(iter(missing.items()))
                more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
                self.differs("unnamed", f"{name}{more}: {module}: {last(failed[module])}; told: {errors[0]['message'][:200]}")

    def does_without(self, told, failed):
        """Are all modules that fail such as their packages do without, and is what they lack told, though not
        as an error?"""
        site = self.environment.sound / self.environment.site.relative_to(self.environment.prefix)
        self.guarded = not unnamed(told, failed) and all("/" not in name and is_guarded(site, name) for name in failed)
        return self.guarded

    def repaired(self, failed, status):
        """After a fix that has changed something; what still fails."""
        still = self.imports()
        worse = [name for name in still if name not in failed]
        if worse:
            self.differs("worse", f"{worse[0]} fails since fix: {last(still[worse[0]])}")
        elif still and status == 0:
            name, words = next(iter(still.items()))
            self.differs("not cured", f"fix ends with 0, and {len(still)} imports fail: {name}: {last(words)}")
        elif not still and status == 1:
            errors, _ = self.findings()
            if errors:
                self.differs("false error", f"after fix all is imported; {errors[0]['cause']}: {errors[0]['message']}")
            else:
                self.differs("false error", "fix ends with 1, and afterwards doctor has no error")
        return still


def named(words):
    """The files that the loader's words name."""
    return {os.path.basename(Path(found)) for line in words for pattern in NAMED for found in pattern.findall(line)}


def unnamed(told, failed):
    """The files that the loader's words name and that nothing tells of, each with a module that fails. Some packages
    put words of their own before the loader's, without a space."""
    wanted = {name: module for module, words in failed.items() for name in named(words)}
    is_told = lambda name: any(part in told for part in (name, name[name.rfind(".lib") + 1 :]))
    return {name: module for name, module in wanted.items() if not is_told(name)}


def last(words):
    """The error that led to the others, on one line."""
    return " ".join(words[-1].split())[-300:]
