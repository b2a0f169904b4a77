"""Ways to spoil an environment, and some that only look like it."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from importing import is_module

# Parts of the C library, without which nothing starts.
GLIBC = ("ld-linux", "libc.so", "libm.so", "libpthread", "libdl.so", "librt", "libutil")


class NotPossibleError(Exception):
    """This environment has nothing that could be spoilt in this way."""


class Spoilt:
    """An environment being spoilt: what was done, the variables that belong to it, the packages that
    are meant to be gone, and the chance."""

    def __init__(self, environment, random):
        self.environment, self.random = environment, random
        self.prefix, self.outside, self.site = environment.prefix, environment.outside, environment.site
        self.done, self.variables, self.gone = [], {}, set()

    def say(self, words):
        self.done.append(words.replace(f"{self.site}/", "").replace(f"{self.prefix.parent}/", ""))

    def choose(self, candidates):
        candidates = list(candidates)
        if not candidates:
            raise NotPossibleError
        return self.random.choice(candidates)

    def libraries(self):
        """Shared libraries that are no modules, in the places where they were."""
        found = []
        for directory, _, names in os.walk(self.site):
            for name in sorted(names):
                file = Path(directory, name)
                if ".so" in name and not file.is_symlink() and is_elf(file) and not is_module(file):
                    found.append(file)
        return sorted(found)

    def library(self):
        """One of them; most of the time one that an import loads."""
        every = self.libraries()
        loaded = [file for file in every if str(file) in self.environment.mapped]
        return self.choose(loaded if loaded and self.random.random() < 0.85 else every)

    def distribution(self):
        """One with native code whose files are its own."""
        every = self.environment.distributions
        owners = [root for it in every.values() for root in it.roots]
        own = (it for it in every.values() if it.is_native and all(owners.count(root) == 1 for root in it.roots))
        return self.choose(it for it in own if (self.site / it.info).is_dir())

    def prepend(self, variable, directory):
        """Puts a directory before what a variable has."""
        old = self.variables.get(variable) or self.environment.variables.get(variable)
        self.variables[variable] = f"{directory}:{old}" if old else str(directory)


def is_elf(file):
    with open(file, "rb") as opened:
        return opened.read(4) == b"\x7fELF"


def soname(file):
    """What a library calls itself."""
    read = subprocess.run(["readelf", "-dW", file], capture_output=True, text=True, check=False).stdout
    named = re.search(r"\(SONAME\).*\[(.*)\]", read)
    return named[1] if named else file.name


def move(spoilt):
    """One library is moved to another directory of the environment."""
    library = spoilt.library()
    places = [spoilt.prefix / "lib/elsewhere", spoilt.prefix / "lib", spoilt.site / "shared_libs"]
    beside = [directory for directory in spoilt.site.glob("*.libs") if directory != library.parent]
    place = spoilt.choose(places + beside)
    relocate(spoilt, library, place / library.name)


def relocate(spoilt, file, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(target):
        raise NotPossibleError
    shutil.move(file, target)
    spoilt.say(f"{file} is in {target.parent}")


def move_out(spoilt):
    """One library lies outside."""
    library = spoilt.library()
    relocate(spoilt, library, spoilt.outside / "lib" / library.name)


def remove(spoilt):
    """One library is gone."""
    library = spoilt.library()
    library.unlink()
    spoilt.say(f"{library} is gone")


def move_directory(spoilt):
    """A directory of libraries has another name."""
    directory = spoilt.library().parent
    if any(is_module(file) for file in directory.iterdir() if file.is_file() and ".so" in file.name):
        raise NotPossibleError
    beside = directory.with_name(directory.name.replace(".", "_") + "_moved")
    place = spoilt.choose([spoilt.prefix / "lib" / directory.name, beside])
    relocate(spoilt, directory, place)


def version(spoilt, leaves):
    """A library has a longer name, and its own is a link to it, as such libraries are installed."""
    library = spoilt.library()
    longer = library.with_name(f"{library.name}.7.1")
    library.rename(longer)
    leaves(library, longer.name)
    spoilt.say(f"{library} is {longer.name}")


def keep_link(spoilt):
    """A library lies behind a link."""
    version(spoilt, lambda library, name: library.symlink_to(name))
    spoilt.say("and a link to it")


def drop_link(spoilt):
    """The link to a library is gone."""
    version(spoilt, lambda library, name: None)
    spoilt.say("and nothing else")


def flatten_link(spoilt):
    """The link to a library has become a small file, as some archives make it."""
    version(spoilt, lambda library, name: library.write_text(name))
    spoilt.say("and a file that holds this name")


def link_package(spoilt, place):
    """A package is a link to a directory elsewhere; its directory of libraries may have gone along."""
    distribution = spoilt.distribution()
    # One that has become a link is not moved again.
    there = [root for root in distribution.roots if (spoilt.site / root).is_dir() and not (spoilt.site / root).is_symlink()]
    roots = [root for root in there if not root.endswith(".dist-info")]
    package = spoilt.choose(root for root in roots if not root.endswith(".libs"))
    libraries = [root for root in roots if root.endswith(".libs")]
    along = spoilt.choose([[], libraries]) if libraries else []
    place.mkdir(parents=True, exist_ok=True)
    for root in [package, *along]:
        shutil.move(spoilt.site / root, place / root)
    (spoilt.site / package).symlink_to(place / package)
    spoilt.say(f"{package} is a link into {place}" + (f", {along[0]} lies there" if along else ""))


def package_link_in(spoilt):
    """A package is a link inside of the environment."""
    link_package(spoilt, spoilt.prefix / "lib/packages")


def package_link_out(spoilt):
    """A package is a link that leads out."""
    link_package(spoilt, spoilt.outside / "packages")


def link_site(spoilt, place):
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(spoilt.site, place)
    spoilt.site.symlink_to(place)
    spoilt.say(f"site-packages is a link to {place}")


def site_link_in(spoilt):
    """site-packages is a link inside of the environment."""
    if spoilt.site.is_symlink():
        raise NotPossibleError
    link_site(spoilt, spoilt.prefix / "share/packages")


def site_link_out(spoilt):
    """site-packages is a link that leads out."""
    if spoilt.site.is_symlink():
        raise NotPossibleError
    link_site(spoilt, spoilt.outside / "share/packages")


def move_distribution(spoilt, place):
    """A distribution is moved to another directory; its libraries may have stayed."""
    distribution = spoilt.distribution()
    libraries = [root for root in distribution.roots if root.endswith(".libs")]
    stay = spoilt.choose([[], libraries]) if libraries else []
    place.mkdir(parents=True, exist_ok=True)
    for root in distribution.roots:
        if root not in stay and (spoilt.site / root).exists():
            shutil.move(spoilt.site / root, place / root)
    spoilt.say(f"{distribution.info} is in {place}" + (f" without {stay[0]}" if stay else ""))


def pth(spoilt):
    """A distribution is in a directory that a .pth names."""
    place = spoilt.choose([spoilt.prefix / "share/site", spoilt.outside / "site"])
    move_distribution(spoilt, place)
    # A pair may have one already.
    with (spoilt.site / "more.pth").open("a") as lines:
        lines.write(f"{place}\n")


def target_directory(spoilt):
    """A distribution is in a directory on PYTHONPATH, as `pip install --target` leaves it."""
    place = spoilt.outside / "target"
    move_distribution(spoilt, place)
    spoilt.prepend("PYTHONPATH", place)


def second(spoilt):
    """Another release of a package is in another directory, before the first one or after it."""
    source = spoilt.environment.second
    if not source.is_dir():
        raise NotPossibleError
    place = spoilt.outside / "second"
    subprocess.run(["cp", "-al", source, place], check=True)
    if spoilt.choose(["before", "after"]) == "before":
        spoilt.prepend("PYTHONPATH", place)
        spoilt.say(f"{place} on PYTHONPATH holds another release")
    else:
        (spoilt.site / "second.pth").write_text(f"{place}\n")
        spoilt.say(f"{place}, which a .pth names, holds another release")


def companion(spoilt):
    """A distribution with native code that another one requires is not installed."""
    every = spoilt.environment.distributions
    wanted = {name for it in every.values() for name in it.requires}
    native = (name for name, it in every.items() if it.is_native and (spoilt.site / it.info).is_dir())
    name = spoilt.choose(name for name in native if name in wanted)
    for file in every[name].files:
        (spoilt.site / file).unlink(missing_ok=True)
    # What Python wrote goes too, and directories that are empty then.
    for root in every[name].roots:
        for directory, _, _ in sorted(os.walk(spoilt.site / root), reverse=True):
            shutil.rmtree(Path(directory, "__pycache__"), ignore_errors=True)
            if not os.listdir(directory):
                os.rmdir(directory)
    spoilt.gone.update(root.split(".")[0] for root in every[name].roots)
    spoilt.say(f"{name} is not installed")


def copy(spoilt, library, place):
    """A file with a library's name: without its symbols, without its versions, for another machine, or the
    library itself."""
    kind = spoilt.choose(["empty", "old", "foreign", "same"])
    place.mkdir(parents=True)
    name = soname(library)
    if kind == "same":
        shutil.copy(library, place / name)
    else:
        (place / "versions").write_text("OLD_0.1 { global: nothing; };\n")
        compiler = "aarch64-linux-gnu-gcc" if kind == "foreign" else "gcc"
        versions = [f"-Wl,--version-script={place}/versions"] if kind == "old" else []
        command = [compiler, "-shared", "-fPIC", "-nostdlib", f"-Wl,-soname,{name}", *versions, "-x", "c", "-"]
        subprocess.run([*command, "-o", place / name], input=b"int nothing;", check=True)
        (place / "versions").unlink()
    return f"{kind} copy of {name}"


def variable(spoilt):
    """LD_LIBRARY_PATH leads to another copy of a library of the environment or of the system."""
    mapped = map(Path, sorted(spoilt.environment.mapped))
    system = [file for file in mapped if file.is_relative_to("/usr/lib") and not file.name.startswith(GLIBC)]
    library = spoilt.choose(system) if system and spoilt.random.random() < 0.5 else spoilt.library()
    place = spoilt.outside / f"variable{len(spoilt.done)}"
    made = copy(spoilt, library, place)
    spoilt.prepend("LD_LIBRARY_PATH", place)
    spoilt.say(f"LD_LIBRARY_PATH leads to the {made}")


def record(spoilt):
    """The RECORD of a distribution is gone, or all that says that it is installed."""
    distribution = spoilt.distribution()
    info = spoilt.site / distribution.info
    if spoilt.choose([True, True, False]):
        (info / "RECORD").unlink(missing_ok=True)
        spoilt.say(f"{info}/RECORD is gone")
    else:
        shutil.rmtree(info)
        spoilt.say(f"{info} is gone")


# How often each is made.
SINGLE = {
    move: 2,
    move_out: 1,
    remove: 1,
    move_directory: 3,
    keep_link: 2,
    drop_link: 3,
    flatten_link: 3,
    package_link_in: 3,
    package_link_out: 3,
    site_link_in: 1,
    site_link_out: 1,
    pth: 4,
    target_directory: 4,
    second: 2,
    companion: 3,
    variable: 4,
    record: 2,
}
KINDS = {kind.__name__: kind for kind in SINGLE}
PAIR = "pair"


def spoil(environment, kind, random):
    """Spoils an environment that is as it was made; what was done, or nothing where this cannot be done to it."""
    kinds, weights = list(SINGLE), list(SINGLE.values())
    chosen = random.choices(kinds, weights, k=2) if kind == PAIR else [KINDS[kind]]
    environment.restore()
    spoilt = Spoilt(environment, random)
    try:
        for mutation in chosen:
            mutation(spoilt)
    except NotPossibleError:
        return None
    spoilt.kind = "+".join(mutation.__name__ for mutation in chosen)
    return spoilt
