"""Looks at one case: what the interpreter says, and what the doctor says."""

import json
import subprocess
from pathlib import Path

import environment
from expected import REFUSED, SOUND

# Seconds for one import or one diagnosis.
LIMIT = 900
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "1"}


def judge(tfpatch, case, expectation, place):
    """What is wrong, as lines; none where everything is as expected."""
    try:
        trial = case.build(place)
    except environment.BuildError as error:
        return [f"it could not be built: {error}"]
    try:
        said, wrong = interpreter(trial, expectation)
        wrong += doctor(tfpatch, trial, expectation)
        if expectation.severity == "error" and expectation.says and expectation.explained:
            wrong += explain(tfpatch, trial, expectation, said)
        return wrong
    except subprocess.TimeoutExpired as error:
        return [str(error)]


def interpreter(trial, expectation):
    """What the real interpreter says, and what differs from what was expected of it."""
    if trial.code is None:
        return "", ["an error is expected of an interpreter that never runs"] if expectation.says else []
    python = trial.python or trial.target / "bin/python"
    done = subprocess.run(
        [python, "-c", trial.code],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=LIMIT,
        env=environment.clean(**QUIET, **trial.variables),
    )
    said = done.stdout + done.stderr
    last = said.strip()[-400:]
    fails = expectation.severity == "error" and not expectation.imports
    wrong = [f"the interpreter does not say {words!r}: {last}" for words in expectation.says if words not in said]
    if fails and not expectation.says:
        wrong.append("an error has no words of the interpreter")
    if not fails and done.returncode:
        wrong.append(f"the interpreter fails: {last}")
    return said, wrong


def doctor(tfpatch, trial, expectation):
    """What differs from what was expected of the doctor."""
    command = [tfpatch, "doctor", "--format", "json", *trial.options, trial.target]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=LIMIT, env=environment.clean(**trial.variables)
    )
    if expectation.cause == REFUSED:
        wrong = [] if done.returncode == 2 else [f"the doctor ends with {done.returncode}"]
        return wrong + [f"no {word!r} in: {done.stderr}" for word in expectation.names if word not in done.stderr]
    report = json.loads(done.stdout) if done.stdout else {}
    if "findings" not in report:
        return [f"the doctor ends with {done.returncode}: {(done.stdout + done.stderr).strip()[-400:]}"]
    findings = report["findings"]
    worse = [finding for finding in findings if finding["severity"] != "info"]
    if expectation.cause == SOUND:
        if report["objects"] == 0:
            return ["there is no object to be sound"]
        return [f"the doctor says: {line(finding)}" for finding in worse]
    if not findings:
        return ["the doctor finds nothing"]
    worst = findings[0]
    wrong = []
    if (worst["cause"], worst["severity"]) != (expectation.cause, expectation.severity):
        wrong.append(f"the doctor's worst is: {line(worst)}")
    text = f"{worst['message']} {worst['cure']} {worst['library']}"
    wrong += [f"no {word!r} in: {text}" for word in expectation.names if word not in text]
    return wrong


def explain(tfpatch, trial, expectation, said):
    """What is wrong with the explanation of the interpreter's own words: it is to come to the doctor's
    cause."""
    python = Path(trial.python or trial.target / "bin/python")
    # A shell starts the interpreter of the target where that one does not start by itself.
    prefix = trial.target if python.name == "sh" else python.parent.parent
    done = subprocess.run(
        [tfpatch, "explain", "--format", "json", *trial.options, "-"],
        input=said,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        env=environment.clean(**{"VIRTUAL_ENV": str(prefix)} | trial.variables),
    )
    if done.returncode:
        return [f"explain ends with {done.returncode}: {done.stderr.strip()[-400:]}"]
    first = json.loads(done.stdout)["messages"][0]
    if (first["outcome"], first["cause"]) == ("found", expectation.cause):
        return []
    return [f"explain says {first['cause']}, {first['outcome']}: {first['message']} -> {first['cure']}"]


def line(finding):
    return f"{finding['severity']} {finding['cause']}: {finding['message']} -> {finding['cure']}"
