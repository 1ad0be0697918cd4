"""Affine maps of spectra, so that whole preprocessing chains fold into one matrix."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Optional, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hyperkd.types import FloatArray


@dataclass(frozen=True, eq=False)
class Affine:
    """The map ``matrix @ spectrum + offset`` from one set of bands to another.

    Attributes:
        matrix: ``(out, in)`` float64.
        offset: ``(out,)`` float64.
        order: ``(in,)`` the order in which the inputs are summed, by default the
            order of the columns. Sums of floats depend on it in their last bits;
            with the bands in the order of their wavelengths, a file gives the
            same bits in whatever order it stores them.
    """

    matrix: FloatArray
    offset: FloatArray
    order: Optional[NDArray[np.intp]] = None

    def __post_init__(self) -> None:
        matrix = np.array(self.matrix, dtype=np.float64)
        offset = np.array(self.offset, dtype=np.float64)
        if matrix.ndim != 2 or offset.shape != matrix.shape[:1]:
            raise ValueError(f"matrix {matrix.shape} and offset {offset.shape} do not fit")
        inputs = np.arange(matrix.shape[1])
        order = inputs if self.order is None else np.array(self.order, dtype=np.intp)
        if not np.array_equal(np.sort(order), inputs):
            raise ValueError(f"the order must name each of the {inputs.size} inputs once")
        for name, array in (("matrix", matrix), ("offset", offset), ("order", order)):
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @classmethod
    def diagonal(cls, scale: ArrayLike, offset: ArrayLike) -> Affine:
        """Return the map ``scale * spectrum + offset``, band by band; both ``(bands,)``."""
        return cls(np.diag(np.asarray(scale, dtype=np.float64)), np.asarray(offset))

    @property
    def used(self) -> NDArray[np.intp]:
        """The inputs whose column is not all zeros, in the order in which they are summed."""
        order = cast("NDArray[np.intp]", self.order)  # always set in __post_init__
        used: NDArray[np.intp] = order[self.matrix[:, order].any(axis=0)]
        return used

    def apply(self, spectra: NDArray[Any]) -> NDArray[Any]:
        """Return the mapped ``spectra``.

        Inputs that have a column of zeros are not looked at, so that the NaN of
        a bad band stays out of the result.

        Args:
            spectra: ``(in, ...)``.

        Returns:
            ``(out, ...)`` float64 for float64 and wide integers, else float32.
        """
        if spectra.shape[:1] != self.matrix.shape[1:]:
            raise ValueError(f"spectra {spectra.shape} do not fit the matrix {self.matrix.shape}")
        order = self.used
        dtype = np.result_type(spectra.dtype, np.float32)
        pixels = spectra[order].reshape(len(order), math.prod(spectra.shape[1:])).astype(dtype)
        matrix = np.ascontiguousarray(self.matrix[:, order], dtype=dtype)
        mapped: NDArray[Any] = matrix @ pixels + self.offset.astype(dtype)[:, None]
        return mapped.reshape(-1, *spectra.shape[1:])

    def then(self, other: Affine) -> Affine:
        """Return the map that applies this one first and ``other`` to its result."""
        return Affine(other.matrix @ self.matrix, other.apply(self.offset), self.order)
