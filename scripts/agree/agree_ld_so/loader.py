"""What the real ld.so says that it does, read from LD_DEBUG and from its list of what it loads."""

import dataclasses
import os
import re

LINE = re.compile(r"^ *\d+:\t(.*)$")
REQUEST = re.compile(r"file=(.*) \[\d+\];  (?:needed|dynamically loaded) by (.*) \[\d+\]")
MAPPED = re.compile(r"file=(.*) \[\d+\];  generating link map")
TRYING = re.compile(r" +trying file=(.*)")
LISTED = re.compile(r"\t(?:(.*) => )?(.*?)(?: \(0x[0-9a-f]+\))?$")


@dataclasses.dataclass
class Request:
    """A name that is not loaded yet, who asks for it, and where it is looked for."""

    name: str
    asker: str
    tried: list = dataclasses.field(default_factory=list)
    # The one among them that the cache gave.
    cached: str | None = None
    mapped: bool = False


@dataclasses.dataclass
class Account:
    """What one process, or one dlopen, did."""

    requests: list
    # The loader's own words, without what LD_DEBUG prints.
    said: str
    # The paths of what is loaded, in order, where they were listed.
    loaded: list | None = None


def account(text):
    """The requests in what was printed up to the first constructor, and the rest of it."""
    requests, said, over, in_cache = [], [], False, False
    for line in text.splitlines():
        debug = LINE.match(line)
        if not debug:
            said.append(line)
            continue
        event = debug[1]
        over = over or event.startswith("calling init: ")
        if over:
            continue
        if found := REQUEST.fullmatch(event):
            requests.append(Request(found[1], found[2]))
        elif found := TRYING.fullmatch(event):
            if requests:
                requests[-1].tried.append(found[1])
                requests[-1].cached = found[1] if in_cache else requests[-1].cached
            in_cache = False
        elif MAPPED.fullmatch(event) and requests:
            requests[-1].mapped = True
        else:
            in_cache = event.startswith(" search cache=")
    return Account(requests, "\n".join(said))


def listed(text):
    """The paths in a list of LD_TRACE_LOADED_OBJECTS, without the kernel's object and the loader."""
    paths = []
    for line in text.splitlines():
        found = LISTED.fullmatch(line)
        if not found or found[2] in ("not found", "statically linked"):
            continue
        if not found[2].startswith("linux-vdso.so") and not is_loader(found[2]):
            paths.append(os.path.join("/", found[2]))
    return paths


def is_loader(path):
    return os.path.basename(path).startswith("ld-linux")
