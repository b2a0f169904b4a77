"""What the corpus consists of, and the roots that it is unpacked into.

A root is a small Debian of one machine with that machine's Python, made of .deb files and nothing of
the host. Debian's objects lie where their packages put them, wheels below /corpus/sites.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from elftools.common.exceptions import ELFError

import judge

HERE = Path(__file__).resolve().parent
LISTS = HERE / "lists"
MIRROR = "http://deb.debian.org/debian bookworm main", "http://deb.debian.org/debian-security bookworm-security main"
DEBIAN = {"x86_64": "amd64", "aarch64": "arm64"}
# What the interpreter needs, and the C++ and OpenMP that wheels take from the system.
BASE = "python3.11-minimal libpython3.11-stdlib libstdc++6 libgomp1 libgcc-s1 zlib1g coreutils".split()

# The sites: directory, source, machine, list of wheels, and where the objects are that count.
SITES = [
    ("tensorflow-2.21", "TensorFlow x86_64", "x86_64", "tensorflow-x86_64-2.21.txt", "tensorflow"),
    ("tensorflow-2.21", "TensorFlow aarch64", "aarch64", "tensorflow-aarch64-2.21.txt", "tensorflow"),
    ("tensorflow-2.18", "TensorFlow aarch64", "aarch64", "tensorflow-aarch64-2.18.txt", "tensorflow"),
    ("wheels", "other wheels", "x86_64", "wheels-x86_64.txt", ""),
    ("wheels", "other wheels", "aarch64", "wheels-aarch64.txt", ""),
]
# At most so many objects of one package, so that no package is the corpus.
CAP = 15


def rank(name):
    """A place in an order that has nothing to do with the name's meaning."""
    return hashlib.sha256(name.encode()).hexdigest()


def entries(name):
    """The lines of a list, and their remarks: what has one is no part of a sample."""
    found = []
    for line in (LISTS / name).read_text().splitlines():
        entry, _, remark = line.partition("#")
        if entry.strip():
            found.append((entry.strip(), remark.strip()))
    return found


def chosen(name, share):
    """The entries of a list: all, or `share` of them for a sample, taken by hash."""
    if share is None:
        return [entry for entry, _ in entries(name)]
    plain = [entry for entry, remark in entries(name) if not remark]
    return sorted(plain, key=rank)[:share]


class Roots:
    """The roots below `base`; `sample` is the number of objects wanted, or None for all."""

    def __init__(self, base, tools, sample, say, machines=tuple(DEBIAN)):
        self.base, self.tools, self.sample, self.say, self.machines = base, tools, sample, say, machines
        # A sample has at most four objects of a package, from three lists.
        self.share = None if sample is None else max(2, sample // 12)

    def path(self, machine):
        return self.base / f"root-{machine}"

    def build(self):
        """Downloads and unpacks what is not there yet, and returns the objects to be processed."""
        index = self.base / "objects.json"
        wanted = [rank("".join(p.read_text() for p in sorted(LISTS.iterdir()))), self.sample, CAP]
        if index.exists():
            made = json.loads(index.read_text())
            if made["of"] == wanted:
                return made["objects"]
        for machine in self.machines:
            shutil.rmtree(self.path(machine), ignore_errors=True)
        objects = []
        for machine in self.machines:
            files = self.debian(machine)
            self.interpreter(machine)
            for site, source, for_machine, wheels, inside in SITES:
                if for_machine == machine and not (self.sample and inside):
                    self.wheels(site, machine, wheels)
                    objects += self.of_site(site, source, machine, inside)
            objects += self.of_debian(machine, files)
        # What is unpacked need not be kept packed as well.
        shutil.rmtree(self.base / "uv")
        for machine in self.machines:
            shutil.rmtree(self.base / f"apt-{machine}")
        objects = self.cut(objects)
        index.write_text(json.dumps({"of": wanted, "objects": objects}))
        return objects

    def debian(self, machine):
        """Unpacks the listed packages of Debian and what they need; returns their files."""
        state = self.base / f"apt-{machine}"
        packages = chosen("debian.txt", self.share) if machine == "x86_64" else []
        configuration = self.apt(state, machine)
        environment = os.environ | {"APT_CONFIG": str(configuration), "DEBIAN_FRONTEND": "noninteractive"}
        apt = lambda *words: subprocess.run(
            ["apt-get", "-q", *words], env=environment, check=True, capture_output=True, text=True
        ).stdout
        apt("update")
        packages = [self.available(package, environment) for package in packages]
        self.say(f"Debian {machine}: {len(packages)} packages and what they need")
        apt("install", "-y", "--download-only", *BASE, *packages)
        root = self.path(machine)
        for name in "bin", "sbin", "lib", "lib64":
            (root / "usr" / name).mkdir(parents=True)
            (root / name).symlink_to(f"usr/{name}")
        names = {package.partition("=")[0] for package in packages}
        files = {}
        for archive in sorted((state / "archives").glob("*.deb")):
            unpack = ["tar", "-x", "-v", "--keep-directory-symlink", "-C", root]
            with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE) as tar:
                listed = subprocess.run(
                    unpack, stdin=tar.stdout, check=True, capture_output=True, text=True
                ).stdout
            package = archive.name.partition("_")[0]
            if package in names:
                files[package] = listed.splitlines()
        shutil.rmtree(root / "usr/share/doc", ignore_errors=True)
        subprocess.run(["ldconfig", "-r", root], check=True, capture_output=True)
        return files

    def apt(self, state, machine):
        """An apt of its own for one machine: the host's packages and sources do not count."""
        for part in "lists/partial", "archives/partial", "empty":
            (state / part).mkdir(parents=True, exist_ok=True)
        (state / "status").touch()
        key = "/usr/share/keyrings/debian-archive-keyring.gpg"
        (state / "sources.list").write_text("".join(f"deb [signed-by={key}] {line}\n" for line in MIRROR))
        configuration = state / "apt.conf"
        configuration.write_text(
            f'Dir::State "{state}"; Dir::State::status "{state}/status"; Dir::State::lists "{state}/lists";\n'
            f'Dir::Cache "{state}"; Dir::Cache::archives "{state}/archives";\n'
            f'Dir::Etc::sourcelist "{state}/sources.list"; Dir::Etc::sourceparts "{state}/empty";\n'
            f'Dir::Etc::preferencesparts "{state}/empty"; Dir::Etc::parts "{state}/empty";\n'
            f'APT::Architecture "{DEBIAN[machine]}"; APT::Architectures {{ "{DEBIAN[machine]}"; }};\n'
            'APT::Install-Recommends "false"; APT::Sandbox::User "root"; Acquire::Languages "none";\n'
        )
        return configuration

    def available(self, package, environment):
        """The pinned version, or the newest of the archive, which the newest of the others need."""
        name, _, version = package.partition("=")
        policy = ["apt-cache", "madison", name]
        versions = subprocess.run(policy, env=environment, capture_output=True, text=True).stdout
        if re.findall(r"\| +(\S+) \|", versions)[:1] == [version]:
            return package
        self.say(f"{package} has left the archive, its successor is taken")
        return name

    def interpreter(self, machine):
        """Puts into a root what the interpreter needs besides its packages."""
        root = self.path(machine)
        for name in "proc", "dev", "tmp", "corpus/sites":
            (root / name).mkdir(parents=True, exist_ok=True)
        for name, minor in ("null", 3), ("zero", 5), ("random", 8), ("urandom", 9):
            os.mknod(root / "dev" / name, 0o20666, os.makedev(1, minor))
            os.chmod(root / "dev" / name, 0o666)
        os.chmod(root / "tmp", 0o1777)
        shutil.copy(HERE / "inside.py", root / "corpus/inside.py")
        if machine == "aarch64":
            emulator(root / "qemu")

    def wheels(self, site, machine, wheels):
        """Installs the listed wheels of a machine, whatever machine this is."""
        listed = chosen(wheels, self.share)
        self.say(f"{len(listed)} wheels for {machine}: {wheels}")
        command = [self.tools / "bin/uv", "pip", "install", "-q", "--no-deps", "--only-binary", ":all:"]
        command += ["--python-version", "3.11", "--python-platform", f"{machine}-manylinux_2_28"]
        command += ["--link-mode", "copy", "--target", self.path(machine) / "corpus/sites" / site]
        environment = os.environ | {"UV_CACHE_DIR": str(self.base / "uv")}
        subprocess.run([*command, *listed], env=environment, check=True)

    def of_site(self, site, source, machine, inside):
        """The objects of a site; a group is what stands in one directory of the site."""
        root = self.path(machine)
        top = root / "corpus/sites" / site
        found = []
        for path in (top / inside).rglob("*"):
            kind = kind_of(path)
            if kind:
                group = "" if inside else path.relative_to(top).parts[0]
                found.append(case(source, machine, path.relative_to(root), kind, group, f"corpus/sites/{site}"))
        return found

    def of_debian(self, machine, files):
        """The objects of the packages that were asked for."""
        root = self.path(machine)
        found = {}
        for package, listed in files.items():
            for name in listed:
                path = Path(os.path.realpath(root / name))
                if "/debug/" in name or not path.is_relative_to(root):
                    continue
                kind = kind_of(root / name)
                if kind:
                    source = "Debian executables" if kind == "executable" else "Debian libraries"
                    where = path.relative_to(root)
                    found[where] = case(source, machine, where, kind, package, "")
        return list(found.values())

    def cut(self, objects):
        """No more than the cap of any group; of these the sample. By hash: a part is a sample, too."""
        taken, groups = [], {}
        for one in sorted(objects, key=lambda one: rank(one["name"])):
            group = one["source"], one["machine"], one["group"]
            groups[group] = groups.get(group, 0) + 1
            cap = 4 if self.sample else CAP
            if not one["group"] or groups[group] <= cap:
                taken.append(one)
        if self.sample:
            taken = taken[: self.sample]
        return taken


def case(source, machine, path, kind, group, site):
    name = f"{machine}/{path}"
    return {"name": name, "source": source, "machine": machine, "path": str(path), "kind": kind, "group": group, "site": site}


def kind_of(path):
    """library or executable, or None for what is no object that a dynamic loader maps."""
    if path.is_symlink() or not path.is_file():
        return None
    with open(path, "rb") as file:
        if file.read(4) != b"\x7fELF":
            return None
    try:
        facts = judge.facts(path)
    except ELFError:
        return None
    if facts["type"] not in ("ET_DYN", "ET_EXEC") or not facts["dynamic"]:
        return None
    return "executable" if facts["interpreter"] and not facts["soname"] else "library"


def emulator(directory):
    """Copies qemu-aarch64 with all that it loads, so that it runs where nothing else of the host is."""
    directory.mkdir()
    program = shutil.which("qemu-aarch64")
    shutil.copy(program, directory / "qemu-aarch64")
    listed = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    for line in listed.splitlines():
        path = next((word for word in line.split() if word.startswith("/")), None)
        if path:
            name = "ld.so" if "ld-linux" in path else Path(path).name
            shutil.copy(path, directory / name)


def clone(root, tree):
    """A tree of hard links to a root's files, in which names can be moved and replaced."""
    shutil.rmtree(tree, ignore_errors=True)
    subprocess.run(["cp", "-al", root, tree], check=True)
