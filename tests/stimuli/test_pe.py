"""stimuli/pe.py: the ports of a PE are those of its row in a whole column, register by register."""

import numpy as np
import pytest

from dovetail.stimuli import stimulus

ROWS, ROW = 32, 16
CYCLES = 700


def column(product_sums: list[list[int]], lasts: list[int]) -> list[dict[str, int]]:
    """Drain chain of a column in which row 0 has a segment's last k in each cycle of ``lasts``.

    Returns what the PE in row ``ROW`` sees and holds in each cycle from cycle ``ROW`` on.
    """
    drained = [0] * ROWS
    shifting = [0] * (ROWS + 1)  # shift_i of each row
    seen = []
    for cycle in range(ROW + CYCLES):
        # The control leaves the last row one cycle after it was there.
        drain = int(cycle - ROWS in lasts)
        seen.append(
            {
                "drain_i": drain,
                "shift_i": shifting[ROW],
                "sum_i": drained[ROW - 1],
                "sum_o": drained[ROW],
            }
        )
        before, moving = list(drained), list(shifting)
        for row in range(ROWS):
            if moving[row] or drain:
                drained[row] = before[row - 1] if row else 0
            if cycle - row in lasts:
                drained[row] = product_sums[lasts.index(cycle - row)][row]
            shifting[row + 1] = int(moving[row] or drain)
    return seen[ROW:]


@pytest.mark.parametrize("size", [1, 8, 32, 64, 128])
def test_the_drain_chain_is_that_of_a_row_in_the_middle(size: int) -> None:
    given = stimulus("mixpe.group_sum", kind="random", size=size, cycles=CYCLES)
    last = (given.inputs["control_i"] >> np.uint64(2) & np.uint64(1)).astype(bool)
    lasts = np.flatnonzero(last).tolist()
    assert np.diff(lasts).min() >= ROWS
    assert lasts[0] == size - 1
    # Sums of the rows above are unknown here: name them, and compare who holds whose.
    named = [[1 + 100 * index + row for row in range(ROWS)] for index in range(len(lasts))]
    seen = column(named, lasts)
    for port in ("drain_i", "shift_i"):
        got = given.inputs[port].tolist()
        assert got == [state[port] for state in seen]
    sums = {0: 0}
    above, own = given.inputs["sum_i"].tolist(), given.expected["sum_o"].tolist()
    for cycle, state in enumerate(seen):
        assert sums.setdefault(state["sum_i"], above[cycle]) == above[cycle]
        if given.check["sum_o"][cycle]:
            assert sums.setdefault(state["sum_o"], own[cycle]) == own[cycle]
    assert len(set(sums.values())) > 10
