"""Scores of a detector in a file without a name, and the threshold that follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, Final

import numpy as np

from hyperkd.sentences import counted
from hyperkd.types import Float32Array, Ints, Reporter, Window

# The threshold is found among at most so many scores, evenly spaced: at a false-alarm rate of
# 0.001 four thousand lie beyond it, which leaves 1.6 per cent of uncertainty in the rate.
MOST_SCORES: Final = 2**22
# A threshold with fewer pixels beyond it is a guess.
_FEW_BEYOND: Final = 10
_PIECE_PIXELS: Final = 2**20


class ScoreFile:
    """Scores of whole rows, from top to bottom; NaN where a pixel is not valid.

    Args:
        file: takes them; nobody else uses it.
        width: of a row, in pixels.
        height: how many rows there will be.
    """

    def __init__(self, file: IO[bytes], width: int, height: int) -> None:
        self._file, self._width, self._height = file, width, height

    def append(self, scores: Float32Array) -> None:
        """Write rows ``(row, col)``."""
        self._file.write(np.ascontiguousarray(scores, np.float32).tobytes())

    def rows(self, window: Window) -> Float32Array:
        """Return the scores of a window of whole rows, ``(row, col)``."""
        self._file.seek(4 * window.row * self._width)
        raw = self._file.read(4 * window.height * self._width)
        return np.frombuffer(raw, np.float32).reshape(window.height, self._width)

    def sample(self, left_out: Ints, count: int) -> Float32Array:
        """Return the finite scores of the background, every so manyth of more than can be kept.

        Args:
            left_out: numbers of pixels, row by row, that are no background.
            count: how many of the background there are.
        """
        step = -(-count // MOST_SCORES)
        height = max(1, _PIECE_PIXELS // self._width)
        taken, seen = [], 0
        for row in range(0, self._height, height):
            window = Window(0, row, self._width, min(height, self._height - row))
            scores = self.rows(window).ravel()
            first = row * self._width
            here = left_out[(left_out >= first) & (left_out < first + scores.size)] - first
            counts = np.isfinite(scores)
            counts[here] = False
            values = scores[counts]
            taken.append(values[(-seen) % step :: step])
            seen += len(values)
        return np.concatenate(taken)


@dataclass(frozen=True)
class Threshold:
    """Where detections begin, and why there.

    Attributes:
        score: detections lie beyond it.
        descending: whether they are smaller than it.
    """

    score: float
    descending: bool
    reason: str

    @classmethod
    def of(
        cls, background: Float32Array, rate: float, descending: bool, report: Reporter
    ) -> Threshold:
        """Return the score that a fraction of the background's scores exceeds, and no more.

        Args:
            background: ``(n,)`` finite scores, at least one.
            rate: the fraction.
            descending: whether small scores are detections.
            report: hears where it is uncertain.
        """
        ranked = -background if descending else background.copy()
        beyond = int(rate * len(ranked))
        place = len(ranked) - 1 - beyond
        ranked.partition(place)
        score = float(ranked[place])
        if beyond < _FEW_BEYOND:
            report.log(
                "warning",
                f"At a false-alarm rate of {rate:g} only {beyond} of "
                f"{counted(len(ranked), 'background pixel')} lie beyond the threshold: it is "
                "uncertain.",
            )
        word = "smaller" if descending else "larger"
        reason = (
            f"{beyond} of {counted(len(ranked), 'background pixel')} ({rate:g}) have a {word} score"
        )
        return cls(-score if descending else score, descending, reason)

    def beyond(self, scores: Float32Array) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        """Return which scores are detections; NaN is none."""
        with np.errstate(invalid="ignore"):
            return scores < self.score if self.descending else scores > self.score
