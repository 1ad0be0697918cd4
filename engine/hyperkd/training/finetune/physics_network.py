"""The fixed network for single spectra whose fractions of covers a head may take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Optional

import numpy as np
import torch
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.models.bundle import Bundle, open_bundle
from hyperkd.models.nets.spectral_net import SpectralFractions
from hyperkd.models.store.registry import is_known, resolve
from hyperkd.requests.finetune_options import FinetuneJob
from hyperkd.spectral.affine import Affine
from hyperkd.spectral.preprocessing import reflectance_map
from hyperkd.types import BandTable, FloatArray, Wavelengths

NONE: Final = "none"
_ROWS: Final = 8192  # spectra at once


@dataclass(frozen=True, eq=False)
class PhysicsNetwork:
    """A network for single spectra that simulated truth has taught.

    Attributes:
        fractions: takes reflectance on the student's bands; on the CPU.
        name: of the model.
        checksum: of its file.
    """

    fractions: SpectralFractions
    name: str
    checksum: str

    @torch.no_grad()
    def of(self, reflectance: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the fractions ``(n, F)`` of reflectance ``(n, C)``."""
        found = [
            self.fractions(torch.from_numpy(rows.T[None, :, :, None]))[0, :, :, 0].T.numpy()
            for rows in np.split(reflectance, range(_ROWS, len(reflectance), _ROWS))
        ]
        return np.concatenate(found)


def load_physics(name: str, bands: Wavelengths) -> tuple[Optional[PhysicsNetwork], str]:
    """Load a network for single spectra as far as its fractions.

    Args:
        name: of a shipped or stored model, or the path of its file; or ``none``.
        bands: of the student, of whose reflectance the fractions are to be computed.

    Returns:
        The network, or None; and why there is none, where none was asked for or the usual one
        cannot be had.

    Raises:
        HyperKDError: for another than the usual one, ``bad_model`` where there is no such model
            or it is none of this kind, and ``band_mismatch`` where the student lacks its bands;
            as ``open_bundle``.
    """
    usual = name == FinetuneJob.physics
    if name == NONE:
        return None, ""
    if usual and not is_known(name):
        return None, f"There is no model {name} here, so its fractions were no candidates."
    try:
        bundle = open_bundle(resolve(name))
    except HyperKDError as error:
        if not usual or error.code != "bad_model":
            raise
        # Nobody asked for it, so it must not stand in the way.
        return None, f"{error.message} Its fractions were no candidates."
    try:
        fractions = _fractions(bundle, bands)
    except HyperKDError as error:
        if not usual or error.code != "band_mismatch":
            raise
        told = f"The student lacks the bands of the model {name}, so its fractions were no "
        return None, f"{told}candidates."
    return PhysicsNetwork(fractions, bundle.card.name, bundle.sha256), ""


def _fractions(bundle: Bundle, bands: Wavelengths) -> SpectralFractions:
    layers = _layers(bundle, bands)
    made = SpectralFractions(len(bands), [len(layer.offset) for layer in layers])
    weights = {}
    for number, layer in enumerate(layers):
        weights[f"layers.{number}.weight"] = torch.tensor(layer.matrix)[:, :, None, None]
        weights[f"layers.{number}.bias"] = torch.tensor(layer.offset)
    made.load_state_dict(weights)
    return made.eval()


def _layers(bundle: Bundle, bands: Wavelengths) -> list[Affine]:
    """Return the layers up to the fractions, as ``spectral_graph`` calls them."""
    from onnx import numpy_helper

    tensors = {
        tensor.name: numpy_helper.to_array(tensor).astype(np.float64)
        for tensor in bundle.graph.graph.initializer
        if tensor.name.endswith((".weight", ".bias"))
    }
    count, card = len(bands), bundle.card
    try:
        table = BandTable(
            bands, np.ones(count, np.bool_), np.ones(count), np.zeros(count), np.full(count, np.nan)
        )
        first = _layer(tensors, "spectrum")
        present: FloatArray = np.ones(first.matrix.shape[1])
        before, support = reflectance_map(table, card.bands, card.missing_bands)
        if card.missing_bands:
            present = support.supported.astype(np.float64)
        told = _layer(tensors, "told").apply(present)
        layers = [before.then(Affine(first.matrix, first.offset + told))]
        while f"hidden{len(layers) - 1}.weight" in tensors:
            layers.append(_layer(tensors, f"hidden{len(layers) - 1}"))
        layers.append(_layer(tensors, "logits"))
        if any(b.matrix.shape[1] != len(a.offset) for a, b in zip(layers, layers[1:])):
            raise ValueError("its layers do not fit")
    except (LookupError, ValueError) as error:
        raise HyperKDError(
            "bad_model",
            f"{card.name} is no network for single spectra: {error}.",
            "Give cover, another model made as it is, or none.",
        ) from error
    return layers


def _layer(tensors: dict[str, FloatArray], name: str) -> Affine:
    return Affine(tensors[f"{name}.weight"][:, :, 0, 0], tensors[f"{name}.bias"])
