"""Inputs that once broke a parser, or reach far into one, and what is made of them: none breaks it."""

from hashlib import sha256
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from targets import TARGETS
from targets.base import Target

CORPUS = Path(__file__).parents[2] / "fuzz" / "corpus"
MOST_BYTES = 300_000
SLOW = {
    "config_toml",
    "config_environment",
    "web_line",
    "kept",
    "wattpilot",
    "mqtt_house",
}  # milliseconds each


def kept(target: str) -> list[Path]:
    """Return the files that are kept of a target, those that once broke it among them."""
    return [path for path in sorted((CORPUS / target).rglob("*")) if path.is_file()]


@pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)
def test_nothing_that_is_kept_breaks_its_parser(target: Target) -> None:
    """Neither what was found and mended, nor what reaches far."""
    files = kept(target.name)
    assert files
    for path in files:
        try:
            target.run(path.read_bytes())
        except Exception as error:
            raise AssertionError(f"{path} breaks {target.name}") from error


@pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)
def test_no_change_of_a_good_input_breaks_its_parser(target: Target) -> None:
    """Parts dropped, doubled, moved, and put in the place of others that are nasty."""

    @settings(
        max_examples=60 if target.name in SLOW else 250,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(st.sampled_from(target.seeds), st.integers(1, 4), st.randoms(use_true_random=False))
    def spoil(seed: bytes, times: int, random: Random) -> None:
        for _ in range(times):
            seed = target.mutate(seed, random)
        target.run(seed)

    spoil()


def test_the_corpus_is_small_and_named_by_its_content() -> None:
    """So that it stays in the repository without weight, and no file stands there twice."""
    files = [path for target in TARGETS for path in kept(target)]
    assert sum(path.stat().st_size for path in files) < MOST_BYTES
    for path in files:
        assert path.name == sha256(path.read_bytes()).hexdigest()[:16]
    assert {path.name for path in CORPUS.iterdir()} == set(TARGETS)
