"""A few factors learned from what is seen, one observation at a time."""

from collections.abc import Sequence
from math import sqrt
from typing import Annotated, Self

from pydantic import Field, model_validator

from pvcharge.control.learned import Kept, fitting

ROUNDING = 1e-9  # the least share of a square that is more than rounding
MOST = 1e16  # beyond what any sum can be
CORRELATED = 1.0 + 1e-6  # at most, but for rounding

_Sum = Annotated[float, Field(ge=-MOST, le=MOST)]


class KeptFit(Kept):
    """The sums from which the factors follow: of squares (below the diagonal and on it), of products."""

    squares: tuple[tuple[_Sum, ...], ...]
    products: tuple[_Sum, ...]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        squares = self.squares
        if [len(row) for row in squares] != list(range(1, len(self.products) + 1)):
            raise ValueError(f"squares are no triangle of {len(self.products)} rows")
        for i, row in enumerate(squares):
            if row[i] < 0:
                raise ValueError(f"squares.{i}.{i} is negative")
            for j, square in enumerate(row):
                if abs(square) > CORRELATED * sqrt(row[i]) * sqrt(squares[j][j]) + ROUNDING:
                    raise ValueError(f"squares.{i}.{j} is more than the squares on the diagonal allow")
        return self


class Fit:
    """Weighted least squares with forgetting, drawn towards zero; no more than a small matrix is kept."""

    def __init__(self, size: int, ridge: float) -> None:
        self._ridge = ridge
        self._squares = [[0.0] * size for _ in range(size)]
        self._products = [0.0] * size
        self.factors = [0.0] * size

    def value(self, features: Sequence[float]) -> float:
        """Return what is expected."""
        return sum(factor * feature for factor, feature in zip(self.factors, features, strict=True))

    def learn(self, features: Sequence[float], value: float, weight: float, keep: float) -> None:
        """Learn from one observation.

        Args:
            features: as many as the size.
            value: what was seen with them.
            weight: how much it counts.
            keep: the share of everything before that is kept.
        """
        for i, feature in enumerate(features):
            row, weighted = self._squares[i], weight * feature
            for j in range(i + 1):
                row[j] = row[j] * keep + weighted * features[j]
            self._products[i] = self._products[i] * keep + weighted * value
        self.factors = self._solved()

    def fade(self, keep: float) -> None:
        """Keep a share only of everything learned, as if time had gone by."""
        self._squares = [[square * keep for square in row] for row in self._squares]
        self._products = [product * keep for product in self._products]
        self.factors = self._solved()

    def learned(self) -> KeptFit | None:
        """Return what is to be kept; None if it is beyond all reason."""
        triangle = tuple(tuple(row[: i + 1]) for i, row in enumerate(self._squares))
        return fitting(KeptFit, squares=triangle, products=tuple(self._products))

    def recall(self, kept: KeptFit) -> None:
        """Go on from what was kept of a fit of the same size."""
        size = len(kept.products)
        self._squares = [[*row, *[0.0] * (size - len(row))] for row in kept.squares]
        self._products = list(kept.products)
        self.factors = self._solved()

    def _solved(self) -> list[float]:
        """Solve by Cholesky's method; the ridge keeps the matrix definite."""
        lower: list[list[float]] = []
        solved: list[float] = []
        for i, squares in enumerate(self._squares):
            row: list[float] = []
            for j, other in enumerate(lower):
                row.append((squares[j] - _product(row, other)) / other[j])
            square = squares[i] + self._ridge
            row.append(sqrt(max(square - _product(row, row), ROUNDING * square)))
            lower.append(row)
            solved.append((self._products[i] - _product(row, solved)) / row[i])
        size = len(solved)
        for i in reversed(range(size)):
            solved[i] -= sum(lower[k][i] * solved[k] for k in range(i + 1, size))
            solved[i] /= lower[i][i]
        return solved


def _product(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the scalar product over the shorter of two."""
    return sum(a * b for a, b in zip(one, other, strict=False))
