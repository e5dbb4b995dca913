"""Numbers and texts out of registers: right, or None, and never an exception."""

from math import isfinite
from struct import pack, unpack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvcharge.drivers.solaredge_modbus.registers import Block

WORDS = st.integers(0, 0xFFFF) | st.sampled_from([0, 0x7F80, 0x7FC0, 0x8000, 0xFF7F, 0xFF80, 0xFFFF])


def block(*words: int) -> Block:
    """Return registers from address 100 on."""
    return Block(100, words)


def test_signed_and_unsigned() -> None:
    """Sixteen bits are a number with or without a sign, but for one pattern each."""
    assert (block(0x7FFF).int16(100), block(0xFFFF).int16(100), block(0x8000).int16(100)) == (32767, -1, None)
    assert (block(0x8000).uint16(100), block(0xFFFF).uint16(100)) == (32768, None)
    assert (block(1, 2).uint32(100), block(0xFFFF, 0xFFFF).uint32(100)) == (65538, None)
    assert (block(1, 2).acc32(100), block(0, 0).acc32(100), block(0xFFFF, 0xFFFF).acc32(100)) == (
        65538,
        None,
        None,
    )


@pytest.mark.parametrize(
    ("factor", "value"), [(0, 865), (0xFFFF, 86.5), (2, 86500), (0x8000, None), (11, None), (0xFFF5, None)]
)
def test_scale_factor(factor: int, value: float | None) -> None:
    """A factor that is not told, or beyond what SunSpec allows, makes no value."""
    read = block(865, factor)
    assert read.scaled(read.int16(100), 101) == pytest.approx(value)
    assert read.scaled(None, 101) is None


def test_low_word_first() -> None:
    """Batteries turn the words, not the bytes."""
    high, low = unpack(">HH", pack(">f", 9700.5))
    assert block(low, high).float32_low_first(100) == 9700.5
    assert block(2, 1).uint32_low_first(100) == 65538
    assert block(4, 3, 2, 1).uint64_low_first(100) == 0x1_0002_0003_0004
    assert block(0xFFFF, 0xFFFF).uint32_low_first(100) is None
    assert block(*[0xFFFF] * 4).uint64_low_first(100) is None


@pytest.mark.parametrize(
    "raw", [0x7FC00000, 0x7F7FFFFF, 0xFF7FFFFF, 0x7F800000, 0xFF800000, 0x7FFFFFFF, 0xFFFFFFFF]
)
def test_floats_that_are_none(raw: int) -> None:
    """NaN, the infinities and the largest floats are no values."""
    assert block(raw & 0xFFFF, raw >> 16).float32_low_first(100) is None


def test_texts() -> None:
    """A text ends at its first NUL; spaces around it and what cannot be printed are dropped."""
    words = unpack(">5H", b"SE\x0717K \0AB")
    assert block(*words).text(100, 5) == "SE17K"
    assert block(0xFFFF, 0x8000).text(100, 2) == ""


@given(st.lists(WORDS, min_size=4, max_size=4).map(tuple))
def test_any_registers(words: tuple[int, ...]) -> None:
    """Whatever they hold, they are read as None or as finite numbers; as None in each "not implemented"."""
    read = Block(0, words)
    low_first = words[1] << 16 | words[0]
    assert (read.int16(0) is None) == (words[0] == 0x8000)
    assert (read.uint16(0) is None) == (words[0] == 0xFFFF)
    assert (read.uint32(0) is None) == (words[:2] == (0xFFFF, 0xFFFF))
    assert (read.acc32(0) is None) == (words[:2] in ((0, 0), (0xFFFF, 0xFFFF)))
    assert (read.uint32_low_first(0) is None) == (low_first == 0xFFFFFFFF)
    assert (read.uint64_low_first(0) is None) == (words == (0xFFFF,) * 4)
    number = read.float32_low_first(0)
    assert number is None or (isfinite(number) and abs(number) <= 1e9)
    scaled = read.scaled(read.int16(0), 1)
    assert scaled is None or (words[0] != 0x8000 and isfinite(scaled) and abs(scaled) <= 32768e10)
    assert read.text(0, 4).isprintable()
