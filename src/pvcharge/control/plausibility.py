"""Whether a source's instants can be true, by what others tell of the same time.

Means over a quarter of an hour from the maker's cloud come too late to drive well, but they know the signs
and sizes of the grid power over that time. A live meter whose own mean over the same interval is the
opposite, or a multiple, or lacks just what the charger drew, is mounted or set up wrongly; to follow it
would be worse than to follow nothing.
"""

from collections import deque
from collections.abc import Sequence

from pvcharge.control.align import ChargerPowerLog
from pvcharge.model import Distrust

WITNESSES = 2  # so many quarter hours in a row must tell the same
CONTRADICTIONS = 4  # and so many where no cause is known
CLEAR_W = 300.0  # a mean below this proves neither sign nor size
TOLERANCE_W = 150.0  # between two meters' means, clocks and rounding included,
TOLERANCE = 0.15  # or this share of the greater of them
CHARGES_W = 500.0  # what a charger must draw to be missed
# Of a wrong unit, of current transformers on some phases only, or of some with a wrong ratio.
FACTORS = (1000.0, 100.0, 10.0, 5.0, 3.0, 2.0, 1.5, 2 / 3, 1 / 2, 1 / 3, 1 / 5, 1 / 10, 1 / 100, 1 / 1000)
FACTOR_TOLERANCE = 0.07
PLAIN = 7.0  # a factor so large, or its inverse so small, cannot be an offset; others need means that differ
DIFFERENT = 1.2  # by this ratio

_Witness = tuple[Distrust | None, float, float]  # the probable cause, own and told mean power in W


class Plausibility:
    """Compares one source's instants with the means of others."""

    def __init__(self) -> None:
        self._grid = ChargerPowerLog()
        self._since_s: float | None = None
        self._witnesses: deque[_Witness] = deque(maxlen=CONTRADICTIONS)
        self.doubt: Distrust | None = None

    def add(self, at_s: float, grid_w: float) -> None:
        """Take an instant of the source into account."""
        if self._since_s is None:
            self._since_s = at_s
        self._grid.add(at_s, grid_w)

    def compare(self, start_s: float, end_s: float, grid_w: float, charger_w: float) -> None:
        """Compare with the mean grid power that another source tells of an interval.

        Args:
            start_s: of the interval, in seconds of the epoch.
            end_s: of the interval.
            grid_w: as told by the other source.
            charger_w: what the charger drew in it on average.
        """
        if self._since_s is None or self._since_s > start_s:
            return
        own_w = self._grid.mean_w(start_s, end_s)
        if own_w is None:
            return
        if _alike(own_w, grid_w):
            if max(abs(own_w), abs(grid_w)) >= CLEAR_W:
                self._hear((None, own_w, grid_w))
            return
        if abs(grid_w) >= CLEAR_W:
            self._hear((_cause(own_w, grid_w, charger_w), own_w, grid_w))

    def _hear(self, witness: _Witness) -> None:
        self._witnesses.append(witness)
        newest = list(self._witnesses)[-WITNESSES:]
        causes = {cause for cause, _, _ in newest}
        if len(newest) == WITNESSES and len(causes) == 1:
            (cause,) = causes
            if cause is None:
                self.doubt = None
            elif cause is not Distrust.CONTRADICTED and (cause is not Distrust.SCALED or _proves(newest)):
                self.doubt = cause
        if len(self._witnesses) == CONTRADICTIONS and all(cause for cause, _, _ in self._witnesses):
            self.doubt = self.doubt or Distrust.CONTRADICTED


def _proves(witnesses: Sequence[_Witness]) -> bool:
    """Whether it is the factor that is constant, and not the difference."""
    factors = [own_w / told_w for _, own_w, told_w in witnesses]
    told_w = [abs(told_w) for _, _, told_w in witnesses]
    plain = min(factors) >= PLAIN or max(factors) <= 1 / PLAIN
    same = max(factors) / min(factors) - 1.0 <= FACTOR_TOLERANCE
    return same and (plain or max(told_w) / min(told_w) >= DIFFERENT)


def _alike(one_w: float, other_w: float) -> bool:
    greater_w = max(abs(one_w), abs(other_w))
    return abs(one_w - other_w) <= max(TOLERANCE_W, TOLERANCE * greater_w)


def _cause(own_w: float, told_w: float, charger_w: float) -> Distrust:
    """Return the likeliest reason why a source tells this where another tells that."""
    if _alike(own_w, -told_w):
        return Distrust.BACKWARDS
    if charger_w >= CHARGES_W and _alike(own_w, told_w - charger_w):
        return Distrust.OTHER_METER
    factor = own_w / told_w
    if any(abs(factor / known - 1.0) <= FACTOR_TOLERANCE for known in FACTORS):
        return Distrust.SCALED
    return Distrust.CONTRADICTED
