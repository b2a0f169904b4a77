"""Whole packages: every object of a site is edited by one command, and the packages are used.

The files are hard links to a root's, as an installer with a cache makes them, so that this shows as
well that the other names of a file stay what they were.
"""

import filecmp
import subprocess

import judge
from interpreter import Interpreter

TENSORFLOW = """
import tensorflow as tf
result = [float(tf.reduce_sum(tf.linalg.matmul(tf.ones([64, 64]), tf.ones([64, 64])))), tf.__version__]
"""
WHEELS = """
import io
import cv2, duckdb, h5py, lightgbm, lxml.etree, matplotlib, numba, numpy, orjson, pandas, polars, psycopg2
import pyarrow.compute, scipy.linalg, shapely, sklearn.svm, uvloop, xgboost, zmq, onnxruntime, tokenizers
import cryptography.hazmat.bindings._rust, grpc, faiss, sentencepiece, pyproj, rasterio, PIL.Image
numbers = numpy.arange(12.0).reshape(3, 4)
image = io.BytesIO()
PIL.Image.new("RGB", (8, 8), "red").save(image, "PNG")
result = [
    scipy.linalg.svdvals(numbers).round(6).tolist(),
    pandas.DataFrame(numbers).sum().tolist(),
    sklearn.svm.SVC().fit(numbers, [0, 1, 1]).predict(numbers).tolist(),
    pyarrow.compute.sum(pyarrow.array([1, 2, 3])).as_py(),
    duckdb.sql("select 6 * 7").fetchall(),
    numba.njit(lambda n: n + 1)(41),
    lxml.etree.fromstring("<a><b/></a>")[0].tag,
    shapely.Point(0, 0).buffer(1).area,
    cv2.resize(numbers, (2, 2)).shape,
    polars.DataFrame({"a": [1, 2]})["a"].sum(),
    len(image.getvalue()),
]
"""
WHEELS_AARCH64 = """
import numpy, scipy.linalg, pandas, sklearn.svm, PIL.Image, lxml.etree, pyarrow, h5py, psycopg2, shapely, zmq, grpc
result = scipy.linalg.svdvals(numpy.arange(12.0).reshape(3, 4)).round(6).tolist()
"""
CODE = {
    ("x86_64", "corpus/sites/tensorflow-2.21"): TENSORFLOW,
    ("aarch64", "corpus/sites/tensorflow-2.21"): TENSORFLOW,
    ("aarch64", "corpus/sites/tensorflow-2.18"): TENSORFLOW,
    ("x86_64", "corpus/sites/wheels"): WHEELS,
    ("aarch64", "corpus/sites/wheels"): WHEELS_AARCH64,
}
ENTRY = "$ORIGIN/../no-such-directory/" + "an-entry-that-fits-nowhere-" * 40


def use(base, tree, work, tfpatch, machine, site):
    """Uses the packages of a site before and after all its objects are edited, and reverts that."""
    objects = [path for path in (tree / site).rglob("*") if elf(path)]
    before = value(tree, machine, site)
    store = work / "store"
    store.mkdir(parents=True)
    command = [tfpatch, "rpath", "add", "--entry", ENTRY, "--store", store, "--record", "keep", "--no-sync"]
    done = subprocess.run([*command, *objects], capture_output=True, text=True)
    edited = [path for path in objects if not filecmp.cmp(path, base / path.relative_to(tree), shallow=False)]
    after = value(tree, machine, site)
    subprocess.run([tfpatch, "revert", "--store", store, "--no-sync", *edited], capture_output=True)
    damaged = [str(path) for path in objects if not same_file(path, base / path.relative_to(tree))]
    if not before["ok"] or before != after:
        damaged.append(f"before {before}, after {after}")
    if len(edited) < len(objects):
        damaged.append(f"{len(objects) - len(edited)} of {len(objects)} objects are not edited: {done.stderr[-400:]}")
    return {"machine": machine, "site": site, "objects": len(edited), "result": after.get("result"), "damaged": damaged}


def value(tree, machine, site):
    with Interpreter(tree, machine) as interpreter:
        return interpreter.python("/" + site, CODE[machine, site])


def elf(path):
    if path.is_symlink() or not path.is_file():
        return False
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF" and judge.facts(path)["dynamic"]


def same_file(path, other):
    here, there = path.stat(), other.stat()
    same = (here.st_mode, here.st_mtime_ns) == (there.st_mode, there.st_mtime_ns)
    return same and filecmp.cmp(path, other, shallow=False)
