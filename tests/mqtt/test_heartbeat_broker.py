"""Heartbeats over a real broker, whose ACL denies in silence."""

import asyncio
from pathlib import Path

import pytest

from mqtt.far_ends import running as running_task
from mqtt.links import make_link, running, until
from pvcharge.clock import SystemClock
from pvcharge.mqtt.heartbeat import Heartbeat
from support.broker import running_broker

USERS = {"edge": "correct horse", "cloud": "battery staple"}
EDGE, CLOUD = "pvcharge/home/edge/heartbeat", "pvcharge/home/cloud/heartbeat"
WRITES = f"user edge\ntopic write {EDGE}\ntopic read {CLOUD}\nuser cloud\ntopic write {CLOUD}\n"
READS = f"topic read {EDGE}\n"


async def lives(folder: Path, acl: str) -> tuple[bool, bool]:
    """Run both sides for some periods and return who believes the other to be alive."""
    async with running_broker(folder, users=USERS, acl=acl) as broker:
        edge_link, cloud_link = make_link(broker, user="edge"), make_link(broker, "cloud", user="cloud")
        edge = Heartbeat(edge_link, EDGE, CLOUD, SystemClock(), period_s=0.1)
        cloud = Heartbeat(cloud_link, CLOUD, EDGE, SystemClock(), period_s=0.1)
        async with running(edge_link, cloud_link), running_task(edge.run()), running_task(cloud.run()):
            if READS in acl:
                await until(lambda: edge.alive and cloud.alive)
                assert edge.skew_s is not None
                assert abs(edge.skew_s) < 1
            else:
                await asyncio.sleep(0.5)
            return edge.alive, cloud.alive


async def test_alive_over_a_broker(tmp_path: Path) -> None:
    """Where the ACL allows both directions, both are alive."""
    assert await lives(tmp_path, WRITES + READS) == (True, True)


@pytest.mark.fault("broker", "refuse")
async def test_one_denied_subscription(tmp_path: Path) -> None:
    """Where the cloud may not read, the edge hears it all the same, and yet neither believes in the link."""
    assert await lives(tmp_path, WRITES) == (False, False)
