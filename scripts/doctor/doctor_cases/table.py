"""The table of a run, and the verdict."""

from expected import SOUND


def report(outcomes):
    """Prints how many cases of each cause are right, and returns whether all are."""
    rows = {}
    for _, expectation, wrong in outcomes:
        right, total = rows.get(expectation.cause, (0, 0))
        rows[expectation.cause] = right + (not wrong), total + 1
    print()
    for cause, (right, total) in sorted(rows.items(), key=lambda row: (row[0] == SOUND, row[0])):
        print(f"{'sound environments' if cause == SOUND else cause:<22} {right:>3} of {total:>3} right")
    right = sum(not wrong for _, _, wrong in outcomes)
    print(f"{'all':<22} {right:>3} of {len(outcomes):>3} right")
    return right == len(outcomes)
