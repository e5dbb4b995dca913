"""Which readings count, when the controller has found that a source tells what cannot be true."""

from pvcharge.model import UNTRUE, Decision, Distrust, PowerFlow

NOT_COUNTED = UNTRUE | {Distrust.FROZEN}


class Belief:
    """Follows the decisions: what the controller does not believe shall not be counted either.

    While the source that is trusted most tells what cannot be true, only the one that drives instead counts.
    Nothing of this is kept over a restart, for a new controller begins to compare anew, too.
    """

    def __init__(self) -> None:
        self._only: str | None = None

    def take(self, decision: Decision) -> None:
        """Take a decision into account."""
        self._only = decision.source if decision.distrust in NOT_COUNTED else None

    def counts(self, flow: PowerFlow) -> bool:
        """Whether a reading is to be counted."""
        return self._only is None or flow.source == self._only
