"""Runs programs in a root, by a small static program of its own.

A process of Python's would have to be copied for every one of them, and a dynamic program, such as
chroot(8), would heed the variables that are meant for what it starts.
"""

import subprocess

SOURCE = r"""
#define _GNU_SOURCE
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(int count, char **arguments) {
    uid_t user = count > 3 ? atoi(arguments[2]) : 0;
    if (count < 4 || chroot(arguments[1]) || chdir("/")) return perror("chroot"), 126;
    if (user && (setgroups(0, 0) || setresgid(user, user, user) || setresuid(user, user, user)))
        return perror("setresuid"), 126;
    execv(arguments[3], arguments + 3);
    return perror(arguments[3]), 126;
}
"""


def compiled(directory):
    """The program, built anew below a directory: call it once, before any process uses it."""
    program = directory / "chroot"
    command = ["gcc", "-x", "c", "-", "-Os", "-static", "-o", program]
    subprocess.run(command, input=SOURCE, text=True, check=True)
    return program


def run(program, root, command, variables, limit, user=0):
    """What became of a command in a root, started by a user."""
    done = subprocess.run(
        [program, root, str(user), *command], env=variables, capture_output=True, timeout=limit, errors="surrogateescape"
    )
    # The loader ends with 127.
    if done.returncode == 126:
        raise OSError(done.stderr.strip())
    return done
