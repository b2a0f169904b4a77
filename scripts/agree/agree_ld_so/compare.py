"""Where a prediction of tfpatch and an account of ld.so differ."""

import os

from loader import is_loader

MISSING = ": cannot open shared object file: "


class View:
    """A prediction as `tfpatch tree --format json` gives it, beside the root it was made for."""

    def __init__(self, report, root, program):
        self.objects, self.root, self.program = report["objects"], root, program
        self.preload = report.get("preload", [])

    def inside(self, path):
        """A path of the root as one of this system; links are followed inside the root only."""
        here, parts = "/", [part for part in path.split("/") if part]
        for _ in range(200):
            if not parts:
                break
            part = parts.pop(0)
            if part in (".", ".."):
                here = os.path.dirname(here) if part == ".." else here
                continue
            there = os.path.join(here, part)
            if os.path.islink(self.root + there):
                target = os.readlink(self.root + there)
                here = "/" if target.startswith("/") else here
                parts = [one for one in target.split("/") if one] + parts
            else:
                here = there
        return self.root + here

    def same(self, one, other):
        try:
            return os.path.samefile(self.inside(one), self.inside(other))
        except OSError:
            return False

    def in_directory(self, paths):
        """Those whose directory is there: the loader remembers absent ones, and skips them."""
        absolute = (os.path.join("/", path) for path in paths)
        return [path for path in absolute if os.path.isdir(self.inside(os.path.dirname(path)))]

    def requests(self):
        """(asker, need) for all that is not loaded yet when it is asked for, in order."""
        for need in self.preload:
            if need["rule"] != "loaded":
                yield self.program, need
        for one in self.objects:
            for need in one["needed"]:
                if need["rule"] not in ("loaded", "weak_absent"):
                    yield one["path"], need

    def words(self):
        return [words for one in self.objects for words in one.get("words", [])]


def differences(view, account, opened=None):
    """Differences as sentences, and how many dependencies were compared.

    `opened` is the path of what was opened in a running process; else a program was traced, which
    goes on after what is missing.
    """
    found, compared = [], 0
    asked = list(account.requests)
    if opened is not None:
        # The object itself.
        asked = asked[1:]
    predicted = list(view.requests())
    position = 0
    for request in asked:
        if position == len(predicted):
            found.append(f"{request.asker} asks for {request.name}, and was not expected to")
            continue
        asker, need = predicted[position]
        position += 1
        compared += 1
        if os.path.join("/", request.asker) != asker or (request.name != need["name"] and "$" not in need["name"]):
            found.append(f"{request.asker} asks for {request.name}, and not {asker} for {need['name']}")
            return found, compared
        found += of_request(view, request, need)
    # A process ends at the first error, and a prediction does not.
    ended = is_error(account.said) or (opened is not None and account.said)
    if position < len(predicted) and not ended:
        asker, need = predicted[position]
        found.append(f"{asker} does not ask for {need['name']}")
    if not ended:
        compared += sum(need["rule"] == "loaded" for one in view.objects for need in one["needed"])
    found += of_words(view, account, predicted[:position], opened)
    if account.loaded is not None and not ended:
        own = [one["path"] for one in view.objects[1:] if not is_loader(one["path"])]
        if own != account.loaded:
            found.append(f"loaded: {account.loaded}, predicted {own}")
    return found, compared


def is_default(path):
    return path.startswith(("/lib/", "/usr/lib/"))


def of_request(view, request, need):
    """Differences in where a name is looked for, and in what is found."""
    found = []
    if "/" in request.name:
        real = request.name
    else:
        steps = [step["path"] for step in need["tried"]]
        # For an object with DF_1_NODEFLIB what the cache says is printed, and then not opened.
        tried = [path for path in request.tried if path != request.cached or path in steps or not is_default(path)]
        real = tried[-1] if tried else None
        tried, steps = view.in_directory(tried), view.in_directory(steps)
        if tried != steps:
            found.append(f"{request.name} is tried as {tried}, predicted {steps}")
    fatal = need.get("fatal")
    if request.mapped and fatal and fatal["path"] == os.path.join("/", real):
        # It is refused after its map is begun; the words are compared.
        pass
    elif request.mapped:
        if need["found"] != os.path.join("/", real):
            found.append(f"{request.name} is {real}, predicted {need['found']}")
    elif need["found"] is not None and (real is None or not view.same(need["found"], real)):
        # It leads to what is loaded already, or to nothing.
        found.append(f"{request.name} is not loaded, predicted {need['found']}")
    return found


def of_words(view, account, predicted, opened):
    """Differences in what ld.so complains of."""
    said, found = account.said, []
    # What cannot be preloaded is ignored.
    predicted = [(asker, need) for asker, need in predicted if need not in view.preload]
    fatal = [need["fatal"] for _, need in predicted if need.get("fatal")]
    for one in fatal[:1]:
        if f"{one['path']}: {one['message']}" not in said and one["message"] not in said:
            found.append(f"expected: {one['path']}: {one['message']}; ld.so: {said}")
    words = view.words()
    known = [need["name"] for _, need in predicted if need["found"] is None]
    for line in said.splitlines():
        if "version `" in line and "not found (required by" in line:
            if not any(line.endswith(words_of) for words_of in words):
                found.append(f"not expected: {line}")
        elif is_error(line) or opened is not None:
            text = line.rpartition("error while loading shared libraries: ")[2]
            is_missing = MISSING in text and text.partition(MISSING)[0] in known
            is_class = "wrong ELF class" in text and known
            expected = any(one["message"] in text for one in fatal) or any(message(w) in text for w in words)
            if not (is_missing or is_class or expected or "undefined symbol" in text or "symbol lookup error" in text):
                found.append(f"not expected: {line}")
    # Opening ends with the first complaint, and what is missing comes before any other.
    if not fatal and not known or opened is None:
        for words_of in words if opened is None else words[:1]:
            if message(words_of) not in said and not (opened is None and is_error(said)):
                found.append(f"expected: {words_of}; ld.so: {said}")
    if opened is not None and known and not said:
        found.append(f"it loads, although {known} were not to be found")
    return found


def message(words):
    """The words without the object that they begin with."""
    return words if "version `" in words else words.partition(": ")[2]


def is_error(text):
    return any(
        mark in text
        for mark in ("error while loading shared libraries", "Inconsistency detected", "CPU ISA level", "symbol lookup error")
    )
