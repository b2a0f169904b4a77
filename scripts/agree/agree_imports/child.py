# Imports modules and runs code, and writes a line of JSON before and after each: what came of it, with the
# words of all errors that led to it; and what the process has loaded. The first, a package, is imported here. The others
# are imported in processes of their own where they are few: what one has loaded hides what the next one lacks.
import json
import os
import signal
import sys

out, (first, *others) = open(sys.argv[1], "a"), json.loads(sys.argv[2])
FEW = 100
# Seconds for one of them.
LIMIT = 100
sys.argv[:] = ["-c"]
if sys.path[:1] in ([""], [os.path.dirname(os.path.abspath(__file__))]):
    del sys.path[0]


def say(*fields):
    out.write(json.dumps(fields) + "\n")
    out.flush()


def words(error):
    said, seen = [], set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        said.append(f"{type(error).__name__}: {str(error)[:6000]}")
        error = error.__cause__ or error.__context__
    return said


def attempt(name):
    say("begin", name)
    try:
        if name.replace(".", "_").isidentifier():
            __import__(name)
        else:
            exec(name, {})
    except BaseException as error:
        say("failed", name, words(error))
    else:
        say("imported", name, [])


def loaded():
    files = ((name, getattr(module, "__file__", None) or "") for name, module in list(sys.modules.items()))
    say("modules", [name for name, file in files if ".so" in file])
    with open("/proc/self/maps") as maps:
        say("mapped", sorted({line.split(None, 5)[5].strip() for line in maps if ".so" in line and "/" in line}))


def apart(name):
    child = os.fork()
    if child == 0:
        signal.alarm(LIMIT)
        attempt(name)
        loaded()
        # What a module does at the end is no matter, and may wait for ever.
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status:
        say("failed", name, [f"ended with {status}"])


attempt(first)
for name in others:
    if len(others) <= FEW:
        apart(name)
    else:
        attempt(name)
loaded()
os._exit(0)
