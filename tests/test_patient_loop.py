"""The loop in which tests run: a machine that stands still is no fault of what they test."""

import asyncio
import time

import pytest

from support.patient_loop import MOMENT_S, PatientLoop

GAP_S = 10 * MOMENT_S


async def test_tests_run_in_it() -> None:
    """All tests that await anything do."""
    assert isinstance(asyncio.get_running_loop(), PatientLoop)


async def test_gap_does_not_end_a_wait() -> None:
    """Who has stood still with the machine has not been late."""
    async with asyncio.timeout(GAP_S / 2):
        time.sleep(GAP_S)  # noqa: ASYNC251 - the machine stands still
        await asyncio.sleep(MOMENT_S)


async def test_waiting_takes_its_time() -> None:
    """What nobody answers is given up."""
    loop = asyncio.get_running_loop()
    began_s, real_s = loop.time(), time.monotonic()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(GAP_S):
            await asyncio.Event().wait()
    assert loop.time() - began_s >= GAP_S
    assert time.monotonic() - real_s >= GAP_S


async def test_answer_that_no_timer_waits_for_takes_its_time() -> None:
    """Time goes on while another thread or process is waited for."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    await loop.run_in_executor(None, time.sleep, GAP_S)
    assert loop.time() - began_s >= GAP_S - MOMENT_S
