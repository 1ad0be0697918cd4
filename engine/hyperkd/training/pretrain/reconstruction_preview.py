"""A picture of what a student sees and of its reconstruction."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.atomic import AtomicFile
from hyperkd.models.nets.student import Student
from hyperkd.output_checks import make_folder
from hyperkd.raster.png import encode_png
from hyperkd.training.pretrain.student_validation import Example, Validation
from hyperkd.types import Reporter, Wavelengths

_TRUE_COLOUR_NM: Final = (660.0, 560.0, 480.0)
_STRETCH: Final = (2.0, 98.0)  # percentiles of the truth
_SMALLEST_PX: Final = 192  # side of one picture; smaller tiles are enlarged
_GAP_PX: Final = 8
_HIDDEN: Final = (128, 128, 128)
_PAPER: Final = (255, 255, 255)


def picture(example: Example, bands: Wavelengths) -> NDArray[np.uint8]:
    """Return three pictures side by side in true colour: truth, what is seen, reconstruction.

    All three are stretched as the truth is; hidden and invalid pixels are grey.
    """
    chosen = [int(np.abs(bands.centre_nm - nm).argmin()) for nm in _TRUE_COLOUR_NM]
    truth, prediction = example.truth[..., chosen], example.prediction[..., chosen]
    inside = truth[example.valid]
    low, high = np.percentile(inside, _STRETCH, axis=0) if len(inside) else (0.0, 1.0)

    def stretched(image: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.uint8]:
        shares = (image - low) / np.maximum(np.asarray(high) - low, 1e-6)
        colours = np.rint(255 * shares.clip(0, 1)).astype(np.uint8)
        colours[~known] = _HIDDEN
        return colours

    images = (
        stretched(truth, example.valid),
        stretched(truth, example.shown),
        stretched(prediction, example.valid),
    )
    factor = max(1, -(-_SMALLEST_PX // truth.shape[0]))
    rows = factor * truth.shape[0]
    gap = np.full((rows, _GAP_PX, 3), _PAPER, np.uint8)
    parts = [image.repeat(factor, 0).repeat(factor, 1) for image in images]
    return np.concatenate((parts[0], gap, parts[1], gap, parts[2]), 1)


class Previews:
    """Validates, and now and then writes a picture of the fixed validation tile.

    Args:
        validation: computes the metrics and provides the tile.
        bands: the student's.
        folder: where pictures go; None: nowhere.
        every: steps between two pictures.
        report: gets each picture as an artifact ``preview``.
    """

    def __init__(
        self,
        validation: Validation,
        bands: Wavelengths,
        folder: Optional[Path],
        every: int,
        report: Reporter,
    ) -> None:
        self._validation, self._bands = validation, bands
        self._folder, self._every, self._report = folder, every, report
        self._next = 0

    def __call__(self, student: Student, step: int) -> Mapping[str, float]:
        """Return the metrics of a student."""
        if self._folder is not None and step >= self._next:
            self._next = step + self._every
            make_folder(self._folder, "Choose an output in a folder that you may write to.")
            path = self._folder / f"step-{step:06d}.png"
            image = encode_png(picture(self._validation.example(student), self._bands))
            with AtomicFile(path) as part:
                Path(part.temporary).write_bytes(image)
            self._report.artifact("preview", str(path))
        return self._validation(student, step)
