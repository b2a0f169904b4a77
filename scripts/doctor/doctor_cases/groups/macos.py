"""Trees of macOS: nothing here can run them, dyld is simulated."""

import threading

from case import Trial, case
from environment import run

# An instruction of arm64.
RETURN = b"\xc0\x03\x5f\xd6"


BUILDING = threading.Lock()
BUILT = set()


def objects(project, built):
    """Small Mach-O files of every kind, for Apple's processors; built once for all cases."""
    with BUILDING:
        if built not in BUILT:
            run("bash", project / "fixtures/macho/build.sh", built)
            BUILT.add(built)
    return built


def tree(place, library, beside="first", code=None):
    """liba.dylib, with libb.dylib in a directory beside it."""
    built = objects(place.project, place.path.parent / "macho")
    content = (code or (lambda path: path.read_bytes()))(built / library)
    other = (built / "arm64/libb.dylib").read_bytes()
    return Trial(place.files("tree", {"lib/liba.dylib": content, f"lib/{beside}/libb.dylib": other}))


@case(quick=True)
def unsigned(place):
    """a library for Apple's processors has no signature"""
    return tree(place, "arm64/unsigned")


@case(quick=True)
def edited_by_others(place):
    """a search path was changed, and the signature not renewed"""
    edit = lambda path: path.read_bytes().replace(b"@loader_path/secnd", b"@loader_path/other")
    return tree(place, "arm64/signed", code=edit)


@case(quick=True)
def deep_in_the_code(place):
    """code was changed far behind the load commands: --deep reads all pages"""

    def edit(path):
        content = path.read_bytes()
        # The first return of a function becomes a jump to itself.
        assert content.index(RETURN) > 4096
        return content.replace(RETURN, b"\x00\x00\x00\x14", 1)

    trial = tree(place, "arm64/signed", code=edit)
    trial.options = ["--deep"]
    return trial


@case(quick=True)
def elsewhere(place):
    """the library lies in a directory that no search path names"""
    return tree(place, "arm64/signed", beside="third")


@case(quick=True)
def entries_twice(place):
    """an entry of a search path stands there twice"""
    return tree(place, "duplicates")


@case(quick=True)
def entries_twice_for_a_newer_mac(place):
    """an entry stands there twice, and dyld of macOS 15.4 refuses what was built for it"""
    trial = tree(place, "duplicates-15.4")
    trial.options = ["--loader", "dyld@15.4"]
    return trial


@case(quick=True)
def dead_entries(place):
    """entries of a search path lead nowhere"""
    return tree(place, "dead", beside=".")


@case(quick=True)
def one_dead_entry(place):
    """one of two entries leads nowhere"""
    return tree(place, "arm64/signed")


@case(quick=False)
def metal_12_with_220(place):
    """tensorflow-metal 1.2.0 with TensorFlow 2.20.0: the symbols that it binds are gone"""
    return Trial(place.tree("aarch64-apple-darwin", "tensorflow==2.20.0", "tensorflow-metal==1.2.0").site)


@case(quick=False)
def metal_12_with_218(place):
    """tensorflow-metal 1.2.0 with TensorFlow 2.18.0: found once TensorFlow is imported"""
    return Trial(place.tree("aarch64-apple-darwin", "tensorflow==2.18.0", "tensorflow-metal==1.2.0").site)


@case(quick=True)
def numpy(place):
    """numpy for macOS"""
    return Trial(place.tree("aarch64-apple-darwin", "numpy==2.1.3").site)
