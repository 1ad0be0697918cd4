"""Fitting a dense head to the features of labelled pixels, with a frozen encoder.

1. The noise of the scenes gives the components that the head takes as input.
2. Cross-validation over whole polygons, blocks or scenes finds the hyperparameters of a linear
   model: regularisation, class weights, and whether neighbours and tokens help.
3. An ensemble of small perceptrons corrects the linear model; the same folds tell after how
   many epochs to stop, and the temperature of the probabilities.
4. Linear model and ensemble are then trained on all folds, for that many epochs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable, Final, Optional

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from hyperkd.evaluation.splits.requested_split import is_frozen
from hyperkd.models.card import ModelCard
from hyperkd.models.nets.heads import DenseHead, HeadConfig
from hyperkd.models.sizes import StudentConfig
from hyperkd.requests.finetune_options import FinetuneJob
from hyperkd.training.common.augment import Augment, AugmentConfig
from hyperkd.training.common.noise_components import noise_components
from hyperkd.training.finetune.head.hyperparameter_search import (
    HeadInputs,
    Hyperparameters,
    fit_linear,
    search_hyperparameters,
)
from hyperkd.training.finetune.head.mlp_ensemble import (
    DROPOUT,
    HIDDEN,
    CrossValidation,
    EnsembleOptions,
    MlpEnsemble,
    train_ensemble,
)
from hyperkd.training.finetune.head.tasks import LinearHead, SoftTargets, Task
from hyperkd.training.finetune.pixel_features import PixelFeatures
from hyperkd.types import Float32Array, Ints, Reporter

Preview = Callable[[Callable[[], DenseHead]], None]

COMPONENTS: Final = 40
MEMBERS: Final = 4
# Exponent of the class weights; None to search it.
_BALANCES: Final[Mapping[str, Optional[float]]] = {
    "auto": None,
    "none": 0.0,
    "sqrt": 0.5,
    "balanced": 1.0,
}
_LEAST_STD: Final = 1e-6


@dataclass(frozen=True, eq=False)
class HeadSearch:
    """What cross-validation found.

    Attributes:
        hyperparameters: of the linear model.
        epochs: of the ensemble; 0 where it improves nothing.
        temperature: of the probabilities of a classification, else 1.
        scores: over the folds, each scored by models that were not trained on it.
        history: one row for each epoch.
        stopped: whether the user ended the search.
    """

    hyperparameters: Hyperparameters
    epochs: int
    temperature: float
    scores: Mapping[str, float]
    history: Sequence[Mapping[str, float]]
    stopped: bool


class HeadFit:
    """Fits a head to labelled pixels.

    Attributes:
        components: that the head takes as input.
        augment: of spectra like these.

    Args:
        features: of the n training pixels.
        values: ``(n,)`` class indices or ``(n, T)`` standardised targets.
        fold: ``(n,)`` from 0; two folds at least.
        task: classification or regression.
        card: of the student: the mean and standard deviation of its normalisation.
        soft: of an earlier model, or None.
        preview: gets a function that makes the head, after each epoch.
    """

    def __init__(
        self,
        features: PixelFeatures,
        values: NDArray[Any],
        fold: Ints,
        task: Task,
        request: FinetuneJob,
        encoder: StudentConfig,
        card: ModelCard,
        report: Reporter,
        soft: Optional[SoftTargets] = None,
        preview: Preview = lambda make: None,
    ) -> None:
        self._fold, self._request, self._report = fold, request, report
        self._encoder, self._preview = encoder, preview
        mean, std = np.asarray(card.mean), np.asarray(card.std)
        most = min(COMPONENTS, features.spectra.shape[1])
        self.components = noise_components(features.scene, features.steps, std, most)
        config = AugmentConfig(request.illumination, request.noise, request.band_dropout)
        self.augment = Augment(config, self.components, mean, std)
        self._token_mean, self._token_std, tokens = _standardised(features.tokens)
        self._inputs = HeadInputs(
            self.components.apply(features.spectra),
            self.components.apply_difference(features.difference),
            tokens,
            self.components.apply(features.scene).std(0),
            values,
            task,
            soft,
            features.physics,
        )

    def fit(self, search: Optional[HeadSearch]) -> tuple[DenseHead, HeadSearch]:
        """Return a head, and the search that it comes from: the one given, or a new one."""
        search = self.search() if search is None else search
        return self.train(search), search

    def search(self) -> HeadSearch:
        """Find the hyperparameters and the number of epochs over the folds.

        Raises:
            HyperKDError: ``cancelled``.
        """
        request, report = self._request, self._report
        report.stage("Searching hyperparameters")
        linear = search_hyperparameters(
            self._inputs,
            self._fold,
            report,
            balance=_BALANCES[request.class_weights],
            tokens=None if is_frozen(request) else True,
            generator=np.random.default_rng((request.seed, 0xC4)),
        )
        chosen, models = linear.hyperparameters, linear.models
        mean = LinearHead(
            np.mean([model.weight for model in models], 0),
            np.mean([model.bias for model in models], 0),
        )
        report.stage("Cross-validating the head")
        folds = CrossValidation(
            self._inputs,
            linear,
            self._fold,
            request.epochs,
            self._options(0),
            report,
            lambda ensemble: self._preview(lambda: self._dense_head(chosen, mean, ensemble)),
        )
        return HeadSearch(
            chosen, folds.best, folds.temperature, folds.scores, folds.history, folds.stopped
        )

    def train(self, search: HeadSearch) -> DenseHead:
        """Train linear model and ensemble on all folds.

        Args:
            search: what ``search`` returned, now or for similar labels.

        Returns:
            The head, for standardised targets in a regression.

        Raises:
            HyperKDError: ``cancelled``.
        """
        chosen, report, inputs = search.hyperparameters, self._report, self._inputs
        (linear,) = fit_linear(inputs, chosen, [np.arange(len(inputs.values))], report)
        report.stage("Training the head")
        ensemble = train_ensemble(
            inputs, chosen, linear, MEMBERS, search.epochs, self._options(1), report
        )
        return self._dense_head(chosen, linear, ensemble)

    def _options(self, stream: int) -> EnsembleOptions:
        request = self._request
        # Where the encoder is trained, the learning rate is its own.
        rate = request.learning_rate if is_frozen(request) else None
        return EnsembleOptions(self.augment, rate, 2 * request.seed + stream, request.device)

    @torch.no_grad()
    def _dense_head(
        self, chosen: Hyperparameters, linear: LinearHead, ensemble: MlpEnsemble
    ) -> DenseHead:
        """Write components, linear model and ensemble into the layers of a head."""
        task, width = self._inputs.task, len(self.components.matrix)
        physics = self._inputs.physics
        fractions = physics.shape[1] if chosen.physics and physics is not None else 0
        config = HeadConfig.fitting(
            self._encoder,
            task.name,
            task.outputs,
            components=width,
            hidden=HIDDEN,
            members=ensemble.members,
            dropout=DROPOUT,
            neighbours=chosen.neighbours > 0,
            tokens=chosen.tokens > 0,
            physics=fractions,
        )
        head = DenseHead(config)
        _set(head.components, self.components.matrix, self.components.offset)
        scales = self._inputs.scales(chosen).astype(np.float64)
        own = linear.weight[:, :width] * scales
        weight = own @ self.components.matrix
        bias = linear.bias + own @ self.components.offset
        entering, entering_bias = ensemble.first_layer()
        ensemble.write(head.mix, head.answer)
        # The outputs themselves first, as in the layers of neighbours and tokens.
        both = np.concatenate([linear.weight, entering])
        both_bias = np.concatenate([bias, entering_bias])
        first = width
        if chosen.neighbours:
            _set(head.beside, chosen.neighbours * scales * both[:, first : first + width])
            first += width
        if fractions:
            _set(head.physics, both[:, first : first + fractions])
            first += fractions
        if chosen.tokens:
            scaled = chosen.tokens * both[:, first:] / self._token_std
            _set(head.context, scaled)
            both_bias = both_bias - scaled @ self._token_mean
        _set(head.linear, weight, both_bias[: task.outputs])
        _set(head.spectral, scales * entering[:, :width], both_bias[task.outputs :])
        return head.eval()


def _standardised(
    tokens: Optional[Float32Array],
) -> tuple[Float32Array, Float32Array, Optional[Float32Array]]:
    """Return mean and standard deviation ``(D,)`` of tokens ``(n, V, D)``, and these without."""
    if tokens is None:
        return np.zeros(0, np.float32), np.ones(0, np.float32), None
    mean = tokens.mean((0, 1))
    std = np.maximum(tokens.std((0, 1)), _LEAST_STD)
    return mean, std, (tokens - mean) / std


def _set(layer: nn.Conv2d, weight: NDArray[Any], bias: Optional[NDArray[Any]] = None) -> None:
    layer.weight.copy_(torch.from_numpy(np.asarray(weight))[:, :, None, None])
    if bias is not None and layer.bias is not None:
        layer.bias.copy_(torch.from_numpy(np.asarray(bias)))
