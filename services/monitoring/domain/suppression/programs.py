"""Linear programs, and those in whole numbers, by HiGHS: one thread and one seed, so that equal input gives an equal
answer. The library is read when the first program is made: who publishes nothing does not pay for it."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_BY_ROWS, _LEAST, _FEASIBLE = 2, 1, 2
_OPTIONS = {"output_flag": False, "threads": 1, "parallel": "off", "random_seed": 1}
# A relation is kept to within this, in units of a figure; what is claimed is checked in whole numbers besides.
_WITHIN = {"primal_feasibility_tolerance": 1e-9, "dual_feasibility_tolerance": 1e-9}
_OF_WHOLE = {"mip_rel_gap": 0.0, "mip_feasibility_tolerance": 1e-9}


class Line(NamedTuple):
    """lower <= sum of factor x column <= upper"""

    columns: Sequence[int]
    factors: Sequence[float]
    lower: float = 0.0
    upper: float = 0.0


class Solved(NamedTuple):
    """`values` by column: None where there are none, where the cost has no end, or where the time was over.

    `duals` by line, of a program without whole numbers. `bound`: nothing that the lines allow costs
    less; minus infinity where nothing is known.
    """

    values: Floats | None
    duals: Floats
    cost: float
    bound: float


class Program:
    """Columns between bounds, held together by lines; asked again and again for the least cost."""

    def __init__(self, lower: Floats, upper: Floats, lines: Sequence[Line], whole: bool = False) -> None:
        import highspy

        # Not `Highs`, which is around it and writes who made it to standard output; its stubs hide it.
        library: Any = highspy
        self.size, self._whole = len(lower), whole
        self._every = np.arange(self.size, dtype=np.int32)
        self._status = library.HighsModelStatus
        self._highs: Any = library._Highs()
        for name, value in {**_OPTIONS, **_WITHIN, **(_OF_WHOLE if whole else {"presolve": "off"})}.items():
            self._highs.setOptionValue(name, value)
        starts = np.cumsum([0, *(len(line.columns) for line in lines)])
        passed = self._highs.passModel(
            self.size,
            len(lines),
            int(starts[-1]),
            _BY_ROWS,
            _LEAST,
            0.0,
            np.zeros(self.size),
            lower,
            upper,
            np.array([line.lower for line in lines], dtype=float),
            np.array([line.upper for line in lines], dtype=float),
            starts,
            np.array([column for line in lines for column in line.columns], dtype=np.int32),
            np.array([factor for line in lines for factor in line.factors], dtype=float),
            np.full(self.size, int(whole), dtype=np.int32),
        )
        if passed == library.HighsStatus.kError:
            raise ValueError("the library does not take this program")

    def add(self, line: Line) -> None:
        columns, factors = np.array(line.columns, dtype=np.int32), np.array(line.factors, dtype=float)
        self._highs.addRow(line.lower, line.upper, len(columns), columns, factors)

    def bound(self, column: int, lower: float, upper: float) -> None:
        self._highs.changeColBounds(column, lower, upper)

    def bounds(self, lower: Floats, upper: Floats) -> None:
        self._highs.changeColsBounds(self.size, self._every, lower, upper)

    def start(self, values: Floats) -> None:
        """A choice to begin with."""
        self._highs.setSolution(self.size, self._every, values)

    def least(self, costs: Floats, seconds: float = inf, apart: float = 0.0) -> Solved:
        """The columns whose costs come to the least; of whole numbers, within `apart` of it."""
        self._highs.changeColsCost(self.size, self._every, costs)
        if seconds < inf:
            # The library counts the seconds of all runs of one program together.
            self._highs.setOptionValue("time_limit", self._highs.getRunTime() + max(seconds, 0.0))
        self._highs.setOptionValue("mip_abs_gap", apart)
        self._highs.run()
        status, info = self._highs.getModelStatus(), self._highs.getInfo()
        solution = self._highs.getSolution()
        done = status == self._status.kOptimal
        found = solution.value_valid and (done or (self._whole and info.primal_solution_status == _FEASIBLE))
        cost = float(info.objective_function_value)
        return Solved(
            values=np.array(solution.col_value) if found else None,
            duals=np.array(solution.row_dual) if done and solution.dual_valid else np.zeros(0),
            cost=cost,
            bound=float(info.mip_dual_bound) if self._whole else cost if done else -inf,
        )
