"""Random fields and parcels that can be evaluated anywhere, in any order.

Every value is a pure function of a key and a position, so that a scene can be
computed block by block, in any order, without ever holding a field of the whole
scene. Positions are in pixels of the scene; row 0, column 0 is the upper left
corner of the upper left pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperkd.types import Float32Array

HashArray = NDArray[np.uint64]

_TO_UNIT = 1.0 / (1 << 53)


def _scramble(values: HashArray) -> HashArray:
    """Return well mixed 64-bit integers (finaliser of SplitMix64, Steele et al. 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def derive(key: HashArray | int, *numbers: int | NDArray[Any]) -> HashArray:
    """Return a key made of ``key`` and integer ``numbers``, each a scalar or an array."""
    with np.errstate(over="ignore"):
        result = np.atleast_1d(np.asarray(key, dtype=np.uint64))
        for number in numbers:
            # The golden ratio step keeps 0, 0 and 0 from staying 0.
            step = np.asarray(number).astype(np.int64).astype(np.uint64)
            result = _scramble(result * np.uint64(3) + step + np.uint64(0x9E3779B97F4A7C15))
    return result


def uniform(key: HashArray, stream: int = 0) -> Float32Array:
    """Return one number in [0, 1) for each key; streams of a key are independent."""
    bits = derive(key, stream) >> np.uint64(11)
    # The largest double below 1 would round up to 1 in float32.
    return np.minimum(bits * _TO_UNIT, 1.0 - 2.0**-24).astype(np.float32)


def normal(key: HashArray, stream: int = 0) -> Float32Array:
    """Return one standard normal number for each key (Box and Muller 1958)."""
    radius = np.sqrt(-2.0 * np.log1p(-uniform(key, 2 * stream + 1000).astype(np.float64)))
    angle = 2.0 * np.pi * uniform(key, 2 * stream + 1001).astype(np.float64)
    result: Float32Array = (radius * np.cos(angle)).astype(np.float32)
    return result


def _cubic_weights(positions: NDArray[np.float64]) -> tuple[NDArray[np.int64], Float32Array]:
    """Return the first lattice node and the four cubic B-spline weights of each position.

    The weights have unit sum of squares, so that a weighted sum of independent
    standard normal numbers is standard normal everywhere.
    """
    first = np.floor(positions).astype(np.int64)
    t = positions - first
    weights = np.stack(
        [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]
    )
    weights /= np.sqrt((weights**2).sum(axis=0))
    return first, weights.astype(np.float32)


@dataclass(frozen=True)
class Field:
    """A Gaussian random field with zero mean and unit variance at every position.

    White noise on a lattice, smoothed with cubic B-splines; each further octave
    has half the spacing and ``persistence`` times the amplitude.

    Attributes:
        key: the field's random key.
        spacing_px: lattice spacing of the coarsest octave, about its correlation length.
        octaves: number of lattices.
        persistence: amplitude of an octave relative to the coarser one.
    """

    key: int
    spacing_px: float
    octaves: int = 1
    persistence: float = 0.5

    def __call__(self, rows: NDArray[Any], cols: NDArray[Any]) -> Float32Array:
        """Return the field at all pairs of ``rows`` (H,) and ``cols`` (W,) as (H, W)."""
        total = np.zeros((len(rows), len(cols)), dtype=np.float32)
        for octave in range(self.octaves):
            amplitude = self.persistence**octave
            total += np.float32(amplitude) * self._octave(octave, rows, cols)
        power = sum(self.persistence ** (2 * octave) for octave in range(self.octaves))
        return total / np.float32(np.sqrt(power))

    def _octave(self, octave: int, rows: NDArray[Any], cols: NDArray[Any]) -> Float32Array:
        spacing = self.spacing_px / 2**octave
        # A shift of its own keeps the lattices of the octaves from sharing nodes.
        shift = [float(uniform(derive(self.key, octave), stream)[0]) for stream in (0, 1)]
        row_node, row_weight = _cubic_weights(np.asarray(rows, np.float64) / spacing + shift[0])
        col_node, col_weight = _cubic_weights(np.asarray(cols, np.float64) / spacing + shift[1])
        row0, col0 = row_node.min(), col_node.min()
        node_rows = np.arange(row0, row_node.max() + 4)
        node_cols = np.arange(col0, col_node.max() + 4)
        noise = normal(derive(self.key, octave, node_rows[:, None], node_cols[None, :]))
        # Four taps by indexing instead of a matrix product: BLAS may add in another
        # order with another number of threads, and the scene must not depend on that.
        by_row = np.zeros((len(row_node), len(node_cols)), dtype=np.float32)
        for tap in range(4):
            by_row += row_weight[tap][:, None] * noise[row_node - row0 + tap]
        result = np.zeros((len(row_node), len(col_node)), dtype=np.float32)
        for tap in range(4):
            result += col_weight[tap] * by_row[:, col_node - col0 + tap]
        return result


def voronoi(
    key: int, rows: NDArray[Any], cols: NDArray[Any], spacing_px: float, jitter: float = 0.8
) -> tuple[HashArray, Float32Array]:
    """Return the cell and the distance to the cell's edge of each position.

    Args:
        key: random key of the tessellation.
        rows: row of each position, any shape.
        cols: column of each position, same shape.
        spacing_px: mean distance of cell centres.
        jitter: how far centres leave a regular lattice, 0 to 1.

    Returns:
        The random key of the cell and the distance to its edge in pixels.
    """
    row, col = rows / spacing_px, cols / spacing_px
    row_cell, col_cell = np.floor(row).astype(np.int64), np.floor(col).astype(np.int64)
    nearest = np.full(row.shape, np.inf, dtype=np.float32)
    second = np.full(row.shape, np.inf, dtype=np.float32)
    cell = np.zeros(row.shape, dtype=np.uint64)
    for row_step in (-1, 0, 1):
        for col_step in (-1, 0, 1):
            candidate = derive(key, row_cell + row_step, col_cell + col_step)
            row_gap = row_cell + row_step + 0.5 + jitter * (uniform(candidate, 1) - 0.5) - row
            col_gap = col_cell + col_step + 0.5 + jitter * (uniform(candidate, 2) - 0.5) - col
            distance = np.hypot(row_gap, col_gap).astype(np.float32)
            closer = distance < nearest
            second = np.where(closer, nearest, np.minimum(second, distance))
            nearest = np.where(closer, distance, nearest)
            cell = np.where(closer, candidate, cell)
    return cell, (second - nearest) * np.float32(0.5 * spacing_px)


def bricks(
    region: HashArray,
    rows: NDArray[Any],
    cols: NDArray[Any],
    width_px: tuple[float, float],
    length_px: tuple[float, float],
) -> tuple[HashArray, Float32Array]:
    """Return the rectangular parcel and the distance to its edge of each position.

    Each region has its own orientation and parcel size; strips of parcels are
    shifted against each other, as field patterns are.

    Args:
        region: random key of the region of each position.
        rows: row of each position, same shape.
        cols: column of each position, same shape.
        width_px: smallest and largest width of a region's parcels.
        length_px: smallest and largest length of a region's parcels.

    Returns:
        The random key of the parcel and the distance to its edge in pixels.
    """
    angle = np.pi * uniform(region, 11)
    across = np.cos(angle) * cols + np.sin(angle) * rows
    along = np.cos(angle) * rows - np.sin(angle) * cols
    width = width_px[0] + (width_px[1] - width_px[0]) * uniform(region, 12)
    length = length_px[0] + (length_px[1] - length_px[0]) * uniform(region, 13)
    strip = np.floor(across / width)
    offset = uniform(derive(region, strip))
    position = along / length + offset
    piece = np.floor(position)
    parcel = derive(region, strip, piece)
    across_share, along_share = across / width - strip, position - piece
    edge = np.minimum(
        np.minimum(across_share, 1 - across_share) * width,
        np.minimum(along_share, 1 - along_share) * length,
    )
    return parcel, edge.astype(np.float32)
