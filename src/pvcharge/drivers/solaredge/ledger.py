"""Keeps the request budget on disk, so that a restart does not forget what was spent."""

import asyncio
from datetime import datetime, tzinfo
from pathlib import Path

import structlog
from pydantic import ValidationError

from pvcharge.drivers.base import PermanentError, TransientError
from pvcharge.drivers.solaredge.budget import Budget, BudgetState, CycleBudget, DayBudget
from pvcharge.drivers.solaredge.settings import SolarEdgeSettings
from pvcharge.storage import read_json, write_json

log = structlog.get_logger(__name__)

PATIENCE_S = 2.0  # real seconds for the disk; longer, and a reading would wait for it


class Ledger:
    """Spends from the budget; every request is written down before it is sent.

    Args:
        settings: which API, and how much of it.
        state_dir: where the counter is kept.
        timezone: of the site, whose midnight begins a billing cycle.
    """

    def __init__(self, settings: SolarEdgeSettings, state_dir: Path, timezone: tzinfo) -> None:
        self.budget = _budget(settings, timezone)
        self._path = state_dir / f"solaredge-{settings.site_id}-{settings.api}-budget.json"
        self._loaded = False
        self._complained = False
        self._saving: asyncio.Future[None] | None = None

    @property
    def loaded(self) -> bool:
        """Whether the requests before this start are known yet."""
        return self._loaded

    async def spend(self, now: datetime, *, urgent: bool) -> None:
        """Take one request from the budget.

        Raises:
            TransientError: nothing is left; says when that changes.
            PermanentError: the counter cannot be read.
        """
        await self._load()
        wait_s = (self.budget.frees_at(now, urgent=urgent) - now).total_seconds()
        if wait_s > 0:
            raise TransientError(
                f"SolarEdge request budget: {self.budget.left(now)} of {self.budget.limit} left, nothing "
                "to spend now; reads go on by themselves when requests come back",
                retry_after_s=wait_s,
            )
        self.budget.count(now)
        await self._save()

    async def exhaust(self, now: datetime) -> float:
        """Take over that the server says nothing is left; return the seconds until that changes."""
        self.budget.exhaust(now)
        await self._save()
        return (self.budget.frees_at(now, urgent=True) - now).total_seconds()

    async def _load(self) -> None:
        if self._loaded:
            return
        try:
            document = await asyncio.to_thread(read_json, self._path)
            self.budget.state = BudgetState.model_validate(document or {})
        except OSError as error:
            raise PermanentError(f"cannot read {self._path}: {error.strerror}") from error
        except ValidationError:
            log.warning("request counter makes no sense and starts anew", file=str(self._path))
        self._loaded = True

    async def _save(self) -> None:
        """Write the counter; a disk that is full, or hangs for longer than a moment, stops no charging."""
        if self._saving is None or self._saving.done():
            document = self.budget.state.model_dump(mode="json")
            loop = asyncio.get_running_loop()
            self._saving = loop.run_in_executor(None, write_json, self._path, document)
            self._saving.add_done_callback(self._note)
        await asyncio.wait((self._saving,), timeout=PATIENCE_S)
        if not self._saving.done():
            self._complain("the disk hangs")

    def _note(self, saving: "asyncio.Future[None]") -> None:
        error = None if saving.cancelled() else saving.exception()
        if error is None:
            self._complained = False
        else:
            self._complain(getattr(error, "strerror", None) or type(error).__name__)

    def _complain(self, error: str) -> None:
        if not self._complained:
            log.warning("cannot save the request counter", file=str(self._path), error=error)
        self._complained = True


def _budget(settings: SolarEdgeSettings, timezone: tzinfo) -> Budget:
    limit = settings.calls_per_month if settings.api == "v2" else settings.calls_per_day
    reserve = round(limit * settings.reserve_pct / 100)
    if settings.api == "v1":
        return DayBudget(limit, reserve, BudgetState())
    return CycleBudget(limit, reserve, BudgetState(), day=settings.billing_day, timezone=timezone)
