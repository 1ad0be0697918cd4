"""From a model's name to a network that computes: load it, match it to a raster, open it.

    model = load("tiny")                                            # read in a thread
    matched = model.match(source, options, ["embedding"], report)   # bands, tiles, device
    with matched.open(options, report) as run:                      # memory, threads, session
        ...

Every stage can be repeated: one model for several rasters, one match for several runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np

from hyperkd.errors import HyperKDError
from hyperkd.inference import self_test_cache
from hyperkd.inference.backends import onnxruntime_backend as runtime
from hyperkd.inference.backends.devices import FallbackSession, candidates, choose_device
from hyperkd.inference.backends.opening_network import OpeningNetwork, in_background
from hyperkd.inference.tiling import machine
from hyperkd.inference.tiling.block_reader import Unreadable
from hyperkd.inference.tiling.pipeline import TiledRun
from hyperkd.inference.tiling.resources import (
    ACCELERATED_BATCH,
    CACHE_BYTES,
    Demand,
    plan_resources,
)
from hyperkd.inference.tiling.threads import require_address_space
from hyperkd.inference.tiling.tile_plan import TilePlan
from hyperkd.models.bundle import TOKENS, Bundle, open_bundle, output_channels
from hyperkd.models.card import ModelCard
from hyperkd.models.store.registry import resolve
from hyperkd.open_scene import open_scene
from hyperkd.raster.open_raster import limit_block_cache
from hyperkd.raster.source import RasterSource
from hyperkd.requests.shared_options import InferenceOptions, SceneOptions
from hyperkd.spectral.affine import Affine
from hyperkd.spectral.band_support import EXTRAPOLATED, SupportReport
from hyperkd.spectral.preprocessing import reflectance_map
from hyperkd.types import BoolArray, Reporter

# Name of a shipped or stored model, path of an .onnx file, an opened or a loaded model.
AnyModel = Union[str, Path, Bundle, "LoadedModel"]


@contextmanager
def matched_scene(
    path: str, model: str, options: SceneOptions, outputs: Sequence[str], report: Reporter
) -> Iterator[MatchedModel]:
    """Open a raster while a model is loaded, and match them: how every inference job begins.

    Args:
        path: the raster, which is closed with the block.
        model: name or path of the model.
        options: what to believe about the bands, and how to compute.
        outputs, report: see ``LoadedModel.match``.

    Raises:
        HyperKDError: as ``open_scene`` and ``LoadedModel.match``.
    """
    report.stage("Opening")
    loaded = load(model)
    with open_scene(path, options, report) as source:
        yield loaded.match(source, options, outputs, report)


def load(model: AnyModel) -> LoadedModel:
    """Return a model, which is read in the background; a loaded one is returned as it is."""
    return model if isinstance(model, LoadedModel) else LoadedModel(model)


class LoadedModel:
    """A model for any number of rasters; its file is read in a thread of its own.

    Loading is the first thing that a job begins, so it also limits what libraries may keep
    of memory.

    Args:
        model: name of a shipped or stored model, path of an .onnx file, or an opened model.
    """

    def __init__(self, model: Union[str, Path, Bundle]) -> None:
        limit_block_cache(CACHE_BYTES)
        machine.limit_arenas()
        self._model = model
        self._sha256: Optional[str] = None
        self._reading: Optional[Future[Bundle]] = in_background(self._read)

    @property
    def card(self) -> ModelCard:
        """What the model is; raises as ``bundle``."""
        return self.bundle().card

    def bundle(self) -> Bundle:
        """Return the model with its graph; a released one is read again.

        Raises:
            HyperKDError: as ``resolve`` and ``open_bundle``; ``bad_model`` where the file is
                no longer what it was; ``missing_dependency`` without onnxruntime.
        """
        reading = self._reading
        if reading is None:
            reading = self._reading = in_background(self._read)
        bundle = reading.result()
        if self._sha256 not in (None, bundle.sha256):
            raise HyperKDError(
                "bad_model",
                f"The model file {bundle.path} was replaced while it was in use.",
                "Start again; the file must stay as it is until the job has ended.",
            )
        self._sha256 = bundle.sha256
        return bundle

    def release(self) -> None:
        """Free the graph, which holds all weights; ``bundle`` reads it again."""
        self._reading = None

    def _read(self) -> Bundle:
        given = self._model
        bundle = given if isinstance(given, Bundle) else open_bundle(resolve(given))
        runtime.load_runtime()
        return bundle

    def match(
        self,
        source: RasterSource,
        options: InferenceOptions,
        outputs: Sequence[str],
        report: Reporter,
    ) -> MatchedModel:
        """Match one of the model's outputs to an open raster: bands, tiles and device.

        Args:
            source: the raster; from now on it is read in a stream.
            outputs: what the job can use, for instance ``embedding``; the model has one of them.

        Raises:
            HyperKDError: as ``bundle``; ``bad_model`` where the model has none of the outputs;
                ``band_mismatch`` where the raster lacks the model's spectrum; ``bad_job`` where
                the overlap does not fit; ``out_of_memory``.
        """
        bundle = self.bundle()
        require_address_space()
        card, output = bundle.card, _one_of(outputs, bundle)
        # What is left out where it is damaged must be known to be damaged before it is used.
        source.stream(True, verified=options.unreadable == "nodata")
        plan = TilePlan.over(source.grid, card.tile_px, options.overlap, card.receptive_field_px)
        bands, reflectance, support = _match_bands(source, card, report)
        report.check_cancelled()
        tried = candidates(options.device, runtime.offered_devices())
        device = choose_device(
            runtime,
            bundle.network(output, None) if len(tried) > 1 else b"",
            card,
            output,
            tried,
            cores=machine.cores(),
            batch=options.batch or ACCELERATED_BATCH,
            report=report,
        )
        return MatchedModel(
            self,
            source,
            card,
            bundle.sha256,
            bundle.path.stat().st_size,
            output,
            output_channels(card)[output],
            bands,
            reflectance,
            support,
            plan,
            device,
            has_tokens=output == "embedding" and bundle.has_tokens,
        )


@dataclass(frozen=True, eq=False)
class MatchedModel:
    """A raster and a model whose first layer takes as input what the raster stores.

    Attributes:
        model: gives the graph when a network is opened.
        output: which of the model's outputs, for instance ``embedding`` or ``logits``.
        count: channels of that output.
        bands: 0-based bands of the raster that the network takes as input, in its order.
        reflectance: map from the stored values of ``bands`` to reflectance on
            the model's bands.
        support: how well the raster covers the model's bands.
        device: what computes, one of ``onnxruntime_backend.PROVIDERS``.
        has_tokens: whether the model can stop at the tokens of its embedding.
        tokens: whether it does.
    """

    model: LoadedModel
    source: RasterSource
    card: ModelCard
    sha256: str
    model_bytes: int
    output: str
    count: int
    bands: tuple[int, ...]
    reflectance: Affine
    support: SupportReport
    plan: TilePlan
    device: str
    has_tokens: bool = False
    tokens: bool = False

    @property
    def present(self) -> Optional[BoolArray]:
        """Which of the model's bands the raster has; None where the model is not told."""
        return self.support.supported if self.card.missing_bands else None

    @contextmanager
    def open(
        self,
        options: InferenceOptions,
        report: Reporter,
        *,
        kept: Optional[int] = None,
        row_bytes: int = 0,
        block_rows: int = 0,
        fixed: int = 0,
        total: Optional[int] = None,
        again: bool = False,
    ) -> Iterator[TiledRun]:
        """Plan threads and memory, and open the network while the first rows are read.

        Args:
            options: batch, memory, and what to do where the raster cannot be read.
            kept: channels that are blended; default: those of the output.
            row_bytes, block_rows, fixed: see ``Demand``.
            total: tiles to compute, for the progress; default: all.
            again: whether the network is soon opened again: the graph then stays in memory.

        Yields:
            The run; its network is freed with the block.

        Raises:
            HyperKDError: ``out_of_memory`` where even the smallest way does not fit. What
                opening the network raises comes when it is first used.
        """
        resources = plan_resources(
            Demand(
                source=self.source,
                plan=self.plan,
                bands=len(self.bands),
                made=self.count,
                kept=self.count if kept is None else kept,
                model_bytes=self.model_bytes,
                row_bytes=row_bytes,
                block_rows=block_rows,
                fixed=fixed,
                budget=None if options.memory_mb is None else options.memory_mb * 10**6,
                batch=_batch(self, options, report),
                accelerated=self.device != "cpu",
            )
        )
        report.log("info", resources.describe(self.plan))
        threads = resources.operator_threads
        network = OpeningNetwork(lambda: _open(self, threads, report, again))
        try:
            yield TiledRun(
                self.source,
                self.bands,
                network,
                resources,
                report,
                total=sum(panel.count for panel in resources.panels) if total is None else total,
                unreadable=Unreadable(options.unreadable == "nodata"),
            )
        finally:
            network.close()


def _match_bands(
    source: RasterSource, card: ModelCard, report: Reporter
) -> tuple[tuple[int, ...], Affine, SupportReport]:
    """Return the bands to read, their map to reflectance on the model's, and how well they fit."""
    # The network takes reflectance, its own normalisation is inside.
    whole, support = reflectance_map(source.bands, card.bands, card.missing_bands)
    report.log("info", support.summary())
    if card.missing_bands and not support.supported.all():
        report.log("warning", _told_missing(card, support))
    for note in support.notes:
        report.log("warning", note)
    # A band that is not needed is not read. In the order of their wavelengths the bands
    # give the same bits in whatever order the file stores them.
    used = whole.used
    return tuple(used.tolist()), Affine(whole.matrix[:, used], whole.offset), support


def _told_missing(card: ModelCard, support: SupportReport) -> str:
    """Return what it costs that the raster lacks bands, as measured on simulated spectra."""
    sentence = (
        f"The file lacks {support.count(EXTRAPOLATED)} of the {len(card.bands)} bands of "
        f"{card.name}, which knows how to do without."
    )
    if not card.missing_error:
        return sentence
    missing, error = np.array(card.missing_error).T
    cost = np.interp(support.extrapolated_share, missing, error) / error[0]
    return f"{sentence} With so few its error on simulated spectra is {cost:.2f} times as large."


def _batch(matched: MatchedModel, options: InferenceOptions, report: Reporter) -> Optional[int]:
    """Return how many tiles the network gets at once, None for what suits the device."""
    quantised = (matched.card.quantisation or {}).get("kind")
    if quantised == "float16" and matched.device == "cpu":
        report.log(
            "warning",
            f"{matched.card.name} was made for GPUs; its float16 numbers are slow on a CPU.",
        )
    # Dynamic quantisation scales by the extremes of the whole batch: a tile's numbers
    # would depend on its neighbours in it.
    return 1 if quantised == "dynamic" else options.batch


def _open(matched: MatchedModel, threads: int, report: Reporter, again: bool) -> Any:
    """Test the device and open the session.

    Raises:
        HyperKDError: ``missing_dependency`` where the device cannot be used; ``bad_model``
            where this machine does not compute what the card promises.
    """
    bundle, device = matched.model.bundle(), matched.device
    _check(bundle, matched.output, device, report)
    output = TOKENS if matched.tokens else matched.output
    network = bundle.network(output, matched.reflectance, matched.present)
    del bundle
    if not again:
        matched.model.release()
    session = runtime.open_session(network, device, threads if device == "cpu" else None)
    report.log("info", f"Running on {runtime.place_of(session.provider)}.")
    if device == "cpu":
        del network
        machine.return_memory()
        return session
    return FallbackSession(session, lambda: runtime.open_session(network, "cpu"), report)


def _check(bundle: Bundle, output: str, device: str, report: Reporter) -> None:
    """Make sure that this machine computes what the card promises; it costs a tile or two."""
    key = self_test_cache.test_key(bundle.sha256, output, device, runtime.runtime_version())
    deviation = self_test_cache.passed(key)
    if deviation is None:
        deviation = runtime.self_test(bundle, output, device)
        if deviation is not None:
            self_test_cache.remember(key, deviation)
    if deviation is None:
        report.log("warning", f"{bundle.card.name} has no self-test: its numbers are unchecked.")
    else:
        report.log("info", "Self-test passed.")


def _one_of(outputs: Sequence[str], bundle: Bundle) -> str:
    for output in outputs:
        if output in bundle.outputs:
            return output
    raise HyperKDError(
        "bad_model",
        f"{bundle.card.name} is {bundle.card.described}: it gives "
        f"{' and '.join(bundle.outputs)}, not {' or '.join(outputs)}.",
        "embed and reconstruct take a student, predict takes a fine-tuned model.",
        task=bundle.card.task,
    )
