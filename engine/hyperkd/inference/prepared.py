"""A model made ready for one raster: bands matched, first layer folded, device checked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np

from hyperkd import __version__
from hyperkd.errors import HyperKDError
from hyperkd.inference import self_test_cache
from hyperkd.inference.backends import onnxruntime_backend as runtime
from hyperkd.inference.backends.devices import Steadfast, candidates, choose_device
from hyperkd.inference.tiling import machine
from hyperkd.inference.tiling.resources import (
    ACCELERATED_BATCH,
    CACHE_BYTES,
    Demand,
    Resources,
    plan_resources,
)
from hyperkd.inference.tiling.threads import no_thread, require_address_space
from hyperkd.inference.tiling.tile_plan import TilePlan
from hyperkd.models.bundle import TOKENS, Bundle, open_bundle
from hyperkd.models.card import ModelCard
from hyperkd.models.store.registry import resolve
from hyperkd.raster.open_raster import limit_block_cache
from hyperkd.raster.source import RasterSource
from hyperkd.requests.shared_options import InferenceOptions
from hyperkd.spectral.affine import Affine
from hyperkd.spectral.band_support import SupportReport
from hyperkd.spectral.preprocessing import input_map
from hyperkd.types import Float32Array, Reporter


@dataclass(frozen=True, eq=False)
class ReadyModel:
    """A raster and a model whose first layer eats what the raster stores.

    Attributes:
        source: the raster.
        loading: has the model until the network is ready.
        card: what the model is.
        sha256: checksum of its file.
        model_bytes: size of its file.
        output: which of the model's outputs, for instance ``embedding`` or ``logits``.
        count: channels of that output.
        bands: 0-based bands of the raster that the network eats, in its order.
        reflectance: map from the stored values of ``bands`` to reflectance on
            the model's bands.
        support: how well the raster covers the model's bands.
        plan: where the tiles lie.
        device: what computes, one of ``onnxruntime_backend.PROVIDERS``.
        has_tokens: whether the model can stop at the tokens of its embedding.
        tokens: whether it does.
    """

    source: RasterSource
    loading: LoadingModel
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

    def provenance(self, **settings: Any) -> dict[str, str]:
        """Return dataset metadata that says how an output was made, without any folder.

        The overlap changes the result and is always told; ``settings`` are others that do.
        """
        settings["overlap"] = self.plan.overlap_px
        return {
            "HYPERKD_VERSION": __version__,
            "HYPERKD_MODEL": self.card.name,
            "HYPERKD_MODEL_SHA256": self.sha256,
            "HYPERKD_INPUT": Path(self.source.path).name,
            "HYPERKD_SETTINGS": json.dumps(settings, sort_keys=True),
        }

    def resources(
        self,
        *,
        kept: int,
        row_bytes: int,
        block_rows: int,
        batch: Optional[int],
        budget_mb: Optional[int],
        report: Reporter,
        fixed: int = 0,
    ) -> Resources:
        """Plan threads and memory, and tell what they are.

        Args:
            kept: channels that are blended.
            row_bytes, block_rows: see ``Demand``.
            batch: tiles that the network gets at once, None for what suits the device.
            budget_mb: megabytes that the job may take, None for the default.
            report: is told.
            fixed: bytes of anything else.

        Raises:
            HyperKDError: ``out_of_memory`` where even the smallest way does not fit.
        """
        quantised = (self.card.quantisation or {}).get("kind")
        if quantised == "dynamic":
            # Such a network scales by the extremes of the whole batch: a tile's numbers
            # would depend on its neighbours in it.
            batch = 1
        if quantised == "float16" and self.device == "cpu":
            report.log(
                "warning",
                f"{self.card.name} was made for GPUs; its float16 numbers are slow on a CPU.",
            )
        demand = Demand(
            source=self.source,
            plan=self.plan,
            bands=len(self.bands),
            made=self.count,
            kept=kept,
            row_bytes=row_bytes,
            block_rows=block_rows,
            model_bytes=self.model_bytes,
            fixed=fixed,
        )
        planned = plan_resources(
            demand,
            budget=None if budget_mb is None else budget_mb * 10**6,
            batch=batch,
            accelerated=self.device != "cpu",
        )
        panels = len(planned.panels)
        report.log(
            "info",
            f"{self.plan.count} tiles of {self.plan.tile_px} x {self.plan.tile_px} pixels, "
            f"{planned.threads} at once; about {planned.estimate / 1e6:.0f} MB of memory"
            + (f", the columns in {panels} parts one after the other." if panels > 1 else "."),
        )
        return planned

    def summary(self) -> dict[str, Any]:
        """Return what every inference job tells at its end of its raster and its model."""
        return {
            "width": self.source.grid.width,
            "height": self.source.grid.height,
            "bands_read": len(self.bands),
            "support": self.support.to_json(),
            "model": self.card.name,
            "model_sha256": self.sha256,
        }


class LoadingModel:
    """A model that is opened in a thread of its own, while the raster is opened.

    It is the first thing that a job begins, and limits what libraries may keep of memory.

    Args:
        model: name or path of the model, or the model itself.
    """

    def __init__(self, model: Union[str, Path, Bundle]) -> None:
        limit_block_cache(CACHE_BYTES)
        machine.limit_arenas()

        def load() -> Bundle:
            bundle = model if isinstance(model, Bundle) else open_bundle(resolve(model))
            runtime.load_runtime()
            return bundle

        self._future: Optional[Future[Bundle]] = _in_background(load)

    def bundle(self) -> Bundle:
        """Return the model.

        Raises:
            HyperKDError: what opening it raised.
        """
        if self._future is None:
            raise ValueError("the model was forgotten")
        return self._future.result()

    def forget(self) -> None:
        """Give the model's memory back: its network is ready, and a copy of all weights."""
        self._future = None


class OpeningNetwork:
    """A network that is made ready in a thread of its own, while the first rows are read.

    Raises, when it is first used, what making it ready raised.
    """

    def __init__(self, ready: ReadyModel, resources: Resources, report: Reporter) -> None:
        self._opening = _in_background(lambda: _open(ready, resources, report))

    @property
    def provider(self) -> str:
        """onnxruntime's name of what computes."""
        provider: str = self._opening.result().provider
        return provider

    def run(self, pixels: Float32Array, valid: Float32Array) -> Float32Array:
        """Compute a batch, see ``onnxruntime_backend.Session``."""
        outputs: Float32Array = self._opening.result().run(pixels, valid)
        return outputs


def ready_model(
    source: RasterSource,
    loading: LoadingModel,
    outputs: Sequence[str],
    settings: InferenceOptions,
    report: Reporter,
) -> ReadyModel:
    """Make a model ready for one of its outputs on an open raster.

    Args:
        source: the raster.
        loading: the model.
        outputs: what the job can use, for instance ``embedding``; the model has one of them.
        settings: how to run.
        report: where stages and log lines go.

    Raises:
        HyperKDError: what opening the model raises; ``band_mismatch`` where the raster
            lacks the model's spectrum; ``bad_job`` where the overlap does not fit.
    """
    bundle = loading.bundle()
    require_address_space()
    card = bundle.card
    output = _one_of(outputs, bundle)
    # What is left out where it is damaged must be known to be damaged before it is used.
    source.stream(True, verified=settings.unreadable == "nodata")
    plan = TilePlan.over(source.grid, card.tile_px, settings.overlap, card.receptive_field_px)
    bands, reflectance, support = _match(source, card, report)
    report.check_cancelled()
    tried = candidates(settings.device, runtime.offered_devices())
    chosen = choose_device(
        runtime,
        bundle.network(output, None) if len(tried) > 1 else b"",
        card,
        output,
        tried,
        cores=machine.cores(),
        batch=settings.batch or ACCELERATED_BATCH,
        report=report,
    )
    return ReadyModel(
        source,
        loading,
        card,
        bundle.sha256,
        bundle.path.stat().st_size,
        output,
        _channels(card, output),
        bands,
        reflectance,
        support,
        plan,
        chosen,
        has_tokens=output == "embedding" and bundle.has_tokens,
    )


def _match(
    source: RasterSource, card: ModelCard, report: Reporter
) -> tuple[tuple[int, ...], Affine, SupportReport]:
    """Return the bands to read, their map to reflectance on the model's, and how well they fit."""
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
    return tuple(used.tolist()), Affine(whole.matrix[:, used], whole.offset), support


def _open(ready: ReadyModel, resources: Resources, report: Reporter) -> Any:
    """Test the device and open the session.

    Raises:
        HyperKDError: ``missing_dependency`` where the device cannot be used; ``bad_model``
            where this machine does not compute what the card promises.
    """
    bundle, device = ready.loading.bundle(), ready.device
    _check(bundle, ready.output, device, report)
    wanted = TOKENS if ready.tokens else ready.output
    network = bundle.network(wanted, ready.reflectance)
    del bundle
    ready.loading.forget()
    threads = resources.operator_threads if device == "cpu" else None
    session = runtime.open_session(network, device, threads)
    report.log("info", f"Running on {runtime.place_of(session.provider)}.")
    if device == "cpu":
        del network
        machine.return_memory()
        return session
    return Steadfast(session, lambda: runtime.open_session(network, "cpu"), report)


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


def _in_background(work: Any) -> Future[Any]:
    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(work)
    except RuntimeError as error:
        raise no_thread(error) from error
    finally:
        pool.shutdown(wait=False)


def _one_of(outputs: Sequence[str], bundle: Bundle) -> str:
    for output in outputs:
        if output in bundle.outputs:
            return output
    raise HyperKDError(
        "bad_model",
        f"{bundle.card.name} is a model for {bundle.card.task}: it gives "
        f"{' and '.join(bundle.outputs)}, not {' or '.join(outputs)}.",
        "embed and reconstruct take a student, predict takes a fine-tuned model.",
        task=bundle.card.task,
    )


def _channels(card: ModelCard, output: str) -> int:
    return {
        "embedding": card.embedding_dim,
        "reconstruction": len(card.bands),
        "logits": len(card.classes),
        "values": len(card.targets),
    }[output]
