"""How far the surplus strays from what was expected of it, lately and in this house.

Where a Wh bought costs as much as a Wh sold, the surplus to be expected is all that counts. Where it does
not, the level of least cost leans to the cheaper side, the further the less certain the surplus is (a
newsvendor).
"""

from collections import deque

KEPT = 200  # errors, of which the shape is learned
ENOUGH = 8
POINTS = 9  # that stand for the whole distribution, each as likely as the others
RATE = 0.15  # by which an error counts towards the usual one
FIRST_W = 300.0
LEAST_W = 50.0
PENDING = 4
GREATEST_W = 100_000.0  # no house


class Spread:
    """Compares what was expected with what came; times are seconds of the epoch.

    An error counts in units of the usual one of its time: clouds make all of them larger.
    """

    def __init__(self) -> None:
        self._errors: deque[float] = deque(maxlen=KEPT)
        self._expected: deque[tuple[float, float, float]] = deque(maxlen=PENDING)  # when, W, unit in W
        self._points: tuple[float, ...] | None = None  # of the errors, as far as they have been asked for
        self._usual_w = FIRST_W

    def expect(self, at_s: float, expected_w: float) -> None:
        """Remember what is expected, to compare it with what will have come."""
        self._expected.append((at_s, expected_w, self._unit_w))

    def compare(self, at_s: float, cadence_s: float, measured_w: float) -> None:
        """Learn from a reading, by the middle of its interval; it tells of what was expected near it."""
        if abs(measured_w) > GREATEST_W:
            return
        for expected_s, expected_w, unit_w in self._expected:
            by_day = expected_w > 0 or measured_w > 0
            if by_day and abs(at_s - expected_s) <= cadence_s:
                error_w = measured_w - expected_w
                self._errors.append(error_w / unit_w)
                self._usual_w += RATE * (abs(error_w) - self._usual_w)
                self._points = None

    def around(self, expected_w: float) -> tuple[float, ...]:
        """Return equally likely surpluses in rising order, where one is expected."""
        if self._points is None:
            self._points = self._ranked()
        unit_w = self._unit_w
        return tuple(expected_w + point * unit_w for point in self._points)

    def _ranked(self) -> tuple[float, ...]:
        count = len(self._errors)
        if count < ENOUGH:
            return (0.0,)
        ranked = sorted(self._errors)
        return tuple(ranked[int((k + 0.5) * count / POINTS)] for k in range(POINTS))

    @property
    def _unit_w(self) -> float:
        return LEAST_W + self._usual_w
