"""What musl's ld.so does, asked in a root."""

import os
import re
import subprocess
from dataclasses import dataclass, field

from objects import LD_SO

LISTED = re.compile(r"\t(.*) => (.*) \((?:0x)?[0-9a-f]+\)")
ERROR = re.compile(r"Error loading shared library (.*?): ([A-Z][a-z ]*) \(needed by (.*?)\)\n", re.DOTALL)
# Those of aarch64 begin at 257; of its own machine musl lacks some smaller ones.
FOREIGN = re.compile(r"Error relocating (.*): unsupported relocation type \d{3,}")
OPEN = re.compile(r'\d+ +open(?:at)?\((?:AT_FDCWD, )?"((?:[^"\\]|\\.)*)", ')


@dataclass
class Answer:
    """What is loaded, in order; what is missing, with the reason and who needs it; what is for another machine."""

    status: int
    loaded: list[str] = field(default_factory=list)
    missing: list[tuple[str, str, str]] = field(default_factory=list)
    foreign: set[str] = field(default_factory=set)


def listed(root, program, variables):
    """What `ld-musl --list` says of a program."""
    output = run(root, [LD_SO, "--list", program], variables)
    # First it prints the name that the program has for the loader, and that it is called by then.
    itself, _, listed = output.stdout.partition(" (0x")
    found = LISTED.findall(listed)
    return answer(output, [absolute(path) for _, path in found if path not in (LD_SO, itself.strip())])


def started(root, command, variables):
    """What a program has loaded that prints it, or what it misses."""
    output = run(root, command, variables)
    # The program itself comes first.
    return answer(output, [absolute(path) for path in output.stdout.splitlines()[1:] if path != LD_SO])


def opened(root, program, variables, log):
    """The paths that `ld-musl --list` opens, in order."""
    trace = ["strace", "-qq", "-f", "-s", "5000", "-e", "trace=open,openat,execve", "-o", log]
    command = [*trace, "/usr/sbin/chroot", root, LD_SO, "--list", program]
    subprocess.run(command, env=variables, capture_output=True, timeout=60, check=False)
    _, _, after = log.read_text(errors="surrogateescape").partition(f'execve("{LD_SO}"')
    paths = [escaped.encode().decode("unicode_escape") for escaped in OPEN.findall(after)]
    return [absolute(path) for path in paths[1:]]


def run(root, command, variables):
    def enter():
        os.chroot(root)
        os.chdir("/")

    return subprocess.run(
        command,
        env=variables,
        preexec_fn=enter,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=60,
        check=False,
    )


def answer(output, loaded):
    missing = [(name, reason, absolute(needer)) for name, reason, needer in ERROR.findall(output.stderr)]
    foreign = {absolute(path) for path in FOREIGN.findall(output.stderr)}
    return Answer(output.returncode, loaded, missing, foreign)


def absolute(path):
    """As it is from the root, where everything is started; nothing is tidied up."""
    return path if path.startswith("/") else f"/{path}"
