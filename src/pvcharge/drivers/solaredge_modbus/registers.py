"""Numbers and texts out of a block of registers, as SunSpec and SolarEdge's batteries write them.

What a device does not implement it says by a pattern of bits; that, and whatever cannot be true, is read
as None. Nothing here raises, whatever the registers hold.
"""

from dataclasses import dataclass
from struct import pack, unpack

NO_INT16 = 0x8000  # the patterns for "not implemented"
NO_UINT16 = 0xFFFF
NO_UINT32 = 0xFFFF_FFFF
NO_UINT64 = 0xFFFF_FFFF_FFFF_FFFF
_LARGEST_EXPONENT = 10
_LARGEST_FLOAT = 1e9  # a battery tells nothing larger; the largest float of all means "no value"


@dataclass(frozen=True, slots=True)
class Block:
    """Registers that were read in one request.

    A value and its scale factor must come from the same block, since the factor changes with the magnitude.

    Attributes:
        start: address of the first, base 0 as on the wire.
        words: their contents, 0..65535.
    """

    start: int
    words: tuple[int, ...]

    def uint16(self, address: int) -> int | None:
        """Return an unsigned number."""
        word = self._word(address)
        return None if word == NO_UINT16 else word

    def int16(self, address: int) -> int | None:
        """Return a signed number."""
        word = self._word(address)
        return None if word == NO_INT16 else _signed(word)

    def uint32(self, address: int) -> int | None:
        """Return an unsigned number of two registers."""
        number = self._word(address) << 16 | self._word(address + 1)
        return None if number == NO_UINT32 else number

    def acc32(self, address: int) -> int | None:
        """Return a lifetime counter, which is 0 while it is not known."""
        return self.uint32(address) or None

    def scaled(self, number: int | None, factor_address: int) -> float | None:
        """Return a number times ten to the power that the register at `factor_address` holds."""
        exponent = self.int16(factor_address)
        if number is None or exponent is None or abs(exponent) > _LARGEST_EXPONENT:
            return None
        return number * 10.0**exponent

    def text(self, address: int, registers: int) -> str:
        """Return the printable ASCII characters before the first NUL, without spaces around."""
        words = (self._word(address + offset) for offset in range(registers))
        letters = b"".join(pack(">H", word) for word in words).partition(b"\0")[0]
        return "".join(chr(letter) for letter in letters if 0x20 <= letter < 0x7F).strip()  # noqa: PLR2004

    def float32_low_first(self, address: int) -> float | None:
        """Return a float whose low word comes first."""
        raw = pack(">HH", self._word(address + 1), self._word(address))
        number: float = unpack(">f", raw)[0]
        return number if abs(number) <= _LARGEST_FLOAT else None  # neither is NaN

    def uint32_low_first(self, address: int) -> int | None:
        """Return an unsigned number whose low word comes first."""
        number = self._word(address + 1) << 16 | self._word(address)
        return None if number == NO_UINT32 else number

    def uint64_low_first(self, address: int) -> int | None:
        """Return an unsigned number of four registers whose lowest word comes first."""
        number = sum(self._word(address + place) << 16 * place for place in range(4))
        return None if number == NO_UINT64 else number

    def _word(self, address: int) -> int:
        return self.words[address - self.start]


def _signed(word: int) -> int:
    return word - 0x1_0000 if word & 0x8000 else word
