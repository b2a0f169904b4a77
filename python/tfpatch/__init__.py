"""The tfpatch command, as a wheel: `tfpatch`, or `python -m tfpatch`."""
