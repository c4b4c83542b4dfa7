"""Time of one call on CoDeNet's public engine: two loops side by side, calibrated to five calls.

High-level synthesis made its 1x1 convolution and its line buffer into loops that fill and empty
their pipelines for every pixel, which Dovetail's engine does not do.  The structure is that of the
public code: a pixel's beats are read, then multiplied once for each group of outputs; beside that
the line buffer takes a pixel, then gives its windows.  How long a loop takes to fill is not
published, so five constants are solved from five measured calls; every other call is a prediction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dovetail.arch.deform_board import DeformBoard, call_of
from dovetail.arch.deform_call import DeformCall

LANES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicEngine:
    """The constants, in cycles.

    Attributes
    ----------
    call_cycles : float
        Of each call, before anything moves.
    pass_cycles : float
        To fill the 1x1 loop, for each pixel and each group of outputs.
    write_cycles, read_cycles : float
        To fill the line buffer's loops: for each pixel that it takes, and each that it gives.
    window_cycles : float
        For each beat of windows.
    """

    call_cycles: float
    pass_cycles: float
    write_cycles: float
    read_cycles: float
    window_cycles: float

    def cycles(self, call: DeformCall) -> float:
        """Time of ``call``: its weights, then the slower of the two loops."""
        pixels, ins, outs = _sizes(call)
        array = pixels * (outs + self.pass_cycles)  # copied through where there is no 1x1
        weights = 0.0
        if call.pointwise:
            array = pixels * (ins + ins * outs + self.pass_cycles * (outs + 1))
            weights = _weight_cycles(call)
        lines = pixels * (outs + self.write_cycles)
        if call.depthwise:
            given = call.out_height * call.out_width
            lines += given * (outs * self.window_cycles + self.read_cycles)
        return self.call_cycles + weights + max(array, lines)


def calibrated(board: DeformBoard) -> PublicEngine:
    """Solve the constants from the calls that ``board`` names for it."""
    measured = board.calls
    cycles = {
        row: measured.milliseconds(row) * board.clock_mhz * 1e3
        for row in (*measured.pointwise_bound, *measured.window_bound)
    }
    coefficients, values = [], []
    for row in measured.pointwise_bound:
        call = call_of(row)
        pixels, ins, outs = _sizes(call)
        coefficients.append([1, pixels * (outs + 1)])
        values.append(cycles[row] - _weight_cycles(call) - pixels * (ins + ins * outs))
    call_cycles, pass_cycles = np.linalg.solve(coefficients, values)
    coefficients, values = [], []
    for row in measured.window_bound:
        call = call_of(row)
        pixels, _, outs = _sizes(call)
        given = call.out_height * call.out_width
        coefficients.append([pixels, given, given * outs])
        values.append(cycles[row] - call_cycles - _weight_cycles(call) - pixels * outs)
    write_cycles, read_cycles, window_cycles = np.linalg.solve(coefficients, values)
    return PublicEngine(
        call_cycles=float(call_cycles),
        pass_cycles=float(pass_cycles),
        write_cycles=float(write_cycles),
        read_cycles=float(read_cycles),
        window_cycles=float(window_cycles),
    )


def _sizes(call: DeformCall) -> tuple[int, int, int]:
    """Pixels, and beats of each before and after the 1x1 convolution."""
    return call.height * call.width, call.in_groups(LANES), call.out_groups(LANES)


def _weight_cycles(call: DeformCall) -> int:
    """A 64-bit beat of 16 weights a cycle, before anything is computed."""
    return call.in_groups(LANES) * call.out_groups(LANES) * LANES
