# Imports the modules that it is given, one after another, and writes to a file what came of each: a line
# before each import and one after it, so that it is known which one ended the process. Nothing is imported
# for that itself, and nothing of ours is left where modules look.
import sys

out, names = open(sys.argv[1], "a"), sys.argv[2:]
sys.argv[:] = ["-c"]
if sys.path[:1] == [""]:
    del sys.path[0]


def say(*fields):
    escaped = [field.encode("unicode_escape").decode("ascii") for field in fields]
    out.write("\t".join(escaped) + "\n")
    out.flush()


def object_of(error):
    # The file that could not be loaded stands in the first of the errors that followed from one another.
    path, seen = "", set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        path = getattr(error, "path", None) or path
        error = error.__cause__ or error.__context__
    return path if isinstance(path, str) else ""


for name in names:
    say("begin", name)
    try:
        __import__(name)
    except BaseException as error:
        say("failed", name, type(error).__name__, str(error)[:4000], object_of(error))
    else:
        say("imported", name)

# What a module does at the end is no matter, and may wait for ever.
out.close()
sys.stderr.flush()
sys.modules["os"]._exit(0)
