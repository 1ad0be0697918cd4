"""A student made ready for one raster: bands matched, first layer folded, device checked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import numpy as np

from hyperkd import __version__
from hyperkd.inference.backends.onnxruntime_backend import Session, open_session, self_test
from hyperkd.inference.pipeline import Run, TilePlan
from hyperkd.models.bundle import Bundle, open_bundle
from hyperkd.models.card import ModelCard
from hyperkd.models.registry import resolve
from hyperkd.raster.source import RasterSource
from hyperkd.spectral.linear import Affine
from hyperkd.spectral.preprocessing import input_map
from hyperkd.spectral.support import SupportReport
from hyperkd.types import Reporter


@dataclass(frozen=True, eq=False)
class ReadyStudent:
    """A raster and a student whose first layer eats what the raster stores.

    Attributes:
        source: the raster.
        bundle: the model.
        session: the network for one of the model's outputs.
        output: which one, ``embedding`` or ``reconstruction``.
        bands: 0-based bands of the raster that the network eats, in its order.
        reflectance: map from the stored values of ``bands`` to reflectance on
            the student's bands.
        support: how well the raster covers the student's bands.
        plan: where the tiles lie.
    """

    source: RasterSource
    bundle: Bundle
    session: Session
    output: str
    bands: tuple[int, ...]
    reflectance: Affine
    support: SupportReport
    plan: TilePlan

    @property
    def card(self) -> ModelCard:
        """The model's card."""
        return self.bundle.card

    def provenance(self, **settings: Any) -> dict[str, str]:
        """Return dataset metadata that says how an output was made, without any folder.

        The overlap changes the result and is always told; ``settings`` are others that do.
        """
        settings["overlap"] = self.plan.overlap_px
        return {
            "HYPERKD_VERSION": __version__,
            "HYPERKD_MODEL": self.card.name,
            "HYPERKD_MODEL_SHA256": self.bundle.sha256,
            "HYPERKD_INPUT": Path(self.source.path).name,
            "HYPERKD_SETTINGS": json.dumps(settings, sort_keys=True),
        }

    def log_memory(self, count: int, dtype: Any, batch: int, report: Reporter) -> None:
        """Say how much memory the arrays of a run take; ``count`` bands of ``dtype`` come out."""
        plan, width = self.plan, self.plan.grid.width
        eaten = len(self.bands)
        made = self.card.embedding_dim if self.output == "embedding" else len(self.card.bands)
        # A stripe is held while the next rows are read; a row of blocks of the output.
        stripes = 2 * plan.height * width * eaten * self.source.dtype.itemsize
        blended = (plan.height * 4 + 256 * np.dtype(dtype).itemsize) * width * count
        batches = batch * plan.tile_px**2 * (eaten + 1 + made) * 4
        report.log(
            "info",
            f"{plan.count} tiles of {plan.tile_px} x {plan.tile_px} pixels; about "
            f"{(stripes + blended + batches) / 1e6:.0f} MB for pixels, whatever the height of "
            "the raster; the network and GDAL's cache come on top.",
        )

    def summary(self, run: Run) -> dict[str, Any]:
        """Return what every inference job tells at its end."""
        return {
            "width": self.source.grid.width,
            "height": self.source.grid.height,
            "bands_read": len(self.bands),
            "support": self.support.to_json(),
            "model": self.card.name,
            "model_sha256": self.bundle.sha256,
            "provider": self.session.provider,
            "tiles": run.computed_tiles,
            "skipped_tiles": run.skipped_tiles,
            "seconds": {stage: round(value, 3) for stage, value in run.clock.seconds.items()},
        }


def ready_student(
    source: RasterSource,
    model: str,
    output: str,
    *,
    overlap: Optional[int],
    device: str,
    report: Reporter,
) -> ReadyStudent:
    """Make a student ready for one of its outputs on an open raster.

    Args:
        source: the raster.
        model: name or path of the student.
        output: ``embedding`` or ``reconstruction``.
        overlap: pixels that neighbouring tiles share, default a quarter of the tile.
        device: ``auto``, ``cpu`` or ``cuda``.
        report: where stages and log lines go.

    Raises:
        HyperKDError: what opening the model and the session raise;
            ``band_mismatch`` where the raster lacks the student's spectrum;
            ``bad_job`` where the overlap does not fit; ``bad_model`` where this
            machine does not compute what the card promises.
    """
    bundle = open_bundle(resolve(model))
    card = bundle.card
    plan = TilePlan.over(source.grid, card.tile_px, overlap)
    # The network takes reflectance, its own normalisation is inside: mean 0, std 1.
    whole, support = input_map(
        source.bands, card.bands, np.zeros(len(card.bands)), np.ones(len(card.bands))
    )
    report.log("info", support.summary())
    for note in (*source.problems, *support.notes):
        report.log("warning", note)
    # A band that is not needed is not read. In the order of their wavelengths the bands
    # give the same bits in whatever order the file stores them.
    used = whole.used
    reflectance = Affine(whole.matrix[:, used], whole.offset)

    report.stage("Checking the model")
    _check(bundle, output, device, report)
    session = open_session(bundle.network(output, reflectance), device)
    report.log("info", f"{card.name} computes on {session.provider}.")
    report.check_cancelled()
    return ReadyStudent(
        source, bundle, session, output, tuple(used.tolist()), reflectance, support, plan
    )


def _check(bundle: Bundle, output: str, device: str, report: Reporter) -> None:
    """Make sure that this machine computes what the card promises; it costs a tile or two."""
    deviation = self_test(bundle, output, device)
    if deviation is None:
        report.log("warning", f"{bundle.card.name} has no self-test: its numbers are unchecked.")
    else:
        report.log(
            "info",
            f"Self-test passed: the {output} deviates by {deviation:.1e} of its largest value.",
        )
