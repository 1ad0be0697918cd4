"""Classification and regression as training sees them: losses, scores and linear models.

The two tasks differ in these alone; everything else in fine-tuning is written once.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Final, Optional, Union

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from hyperkd.evaluation.scores.calibration import fit_temperature, log_softmax
from hyperkd.models.nets.heads import DenseHead
from hyperkd.raster.labels.read_labels import Labels
from hyperkd.types import FloatArray

# Huber's loss is quadratic up to this many standard deviations of the target.
_HUBER: Final = 1.0
# Logit of a class without a training pixel, below those of the others.
_UNKNOWN: Final = -20.0
_ITERATIONS: Final = 300
_TOLERANCE: Final = 1e-3
_NEGLIGIBLE: Final = 1e-4  # a probability too small to train with
_LEAST_STD: Final = 1e-9
# Predicted values may leave the range of the labels by this fraction of it, not more: for spectra
# unlike all training spectra, a linear model would otherwise predict any value.
_BEYOND: Final = 0.1


# Scores of held-out outputs by name, and the temperature that calibrates these outputs: 1 for a
# regression, which has no probabilities.
Scores = tuple[Mapping[str, float], float]


@dataclass(frozen=True, eq=False)
class LinearHead:
    """The linear model ``features @ weight.T + bias``.

    Attributes:
        weight: ``(K, d)``.
        bias: ``(K,)``.
    """

    weight: FloatArray
    bias: FloatArray

    def apply(self, features: NDArray[Any]) -> NDArray[np.float32]:
        """Return outputs ``(n, K)``."""
        outputs = features @ self.weight.T + self.bias
        return np.asarray(outputs, np.float32)


@dataclass(frozen=True)
class Classification:
    """Classification; values are class indices ``(n,)``.

    Attributes:
        outputs: K, number of classes.
        smoothing: label smoothing, the probability spread evenly over all classes.
        strengths, emphases: candidates of ``Hyperparameters``, the default first. Small
            components separate the classes of one scene and mislead in the next; folds of one
            scene cannot show that, so the emphasis is the one that suited simulated scenes.
        physics_first: whether fractions by physics are the default, where there are some.
        beside_physics: strengths beside these, the default first: with them in the model, the
            components may be regularised much more.
    """

    name: ClassVar[str] = "classification"
    outputs: int
    smoothing: float
    # Suit 5 to 500 pixels a class. With less regularisation a scene of many labels is fitted
    # better and other scenes worse, which folds of one scene cannot show.
    strengths: ClassVar[tuple[float, ...]] = (0.6, 0.2)
    emphases: ClassVar[tuple[float, ...]] = (0.15,)
    # From draws on Potsdam of other seeds than those that are reported.
    physics_first: ClassVar[bool] = True
    beside_physics: ClassVar[tuple[float, ...]] = (0.02, 0.006, 0.06, 0.6)

    def in_units(self, head: DenseHead) -> None:
        """Leave the head as it is: logits have no unit."""

    def weights(self, values: NDArray[Any], balance: float) -> NDArray[np.float32]:
        """Weigh each class by ``count ** -balance``: 0 leaves them, 1 makes all classes equal."""
        count = np.bincount(values, minlength=self.outputs).astype(np.float64)
        weights = np.maximum(count, 1) ** -balance
        chosen = weights[values]
        return np.asarray(chosen / chosen.mean(), np.float32)

    def fit(
        self,
        features: NDArray[Any],
        values: NDArray[Any],
        weights: NDArray[Any],
        strength: float,
        start: Optional[LinearHead] = None,
    ) -> LinearHead:
        """Fit a multinomial logistic regression.

        Args:
            features: ``(n, d)``.
            values: ``(n,)`` class indices.
            weights: ``(n,)`` of the pixels.
            strength: inverse of the regularisation (scikit-learn's C).
            start: a model with the same features to start the solver from.
        """
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        present = np.unique(values)
        weight = np.zeros((self.outputs, features.shape[1]))
        bias = np.full(self.outputs, _UNKNOWN)
        if len(present) == 1:
            bias[present] = 0.0
            return LinearHead(weight, bias)
        model = LogisticRegression(
            C=strength, max_iter=_ITERATIONS, tol=_TOLERANCE, warm_start=start is not None
        )
        if start is not None and len(present) > 2:
            model.coef_ = np.ascontiguousarray(start.weight[present])
            model.intercept_ = start.bias[present].copy()
        with warnings.catch_warnings():
            # Slow convergence means a weak regularisation; the search over folds sees its effect.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(features, values, sample_weight=weights)
        if len(present) == 2:  # one row of weights, for the second class against the first
            half = np.concatenate([model.coef_, model.intercept_[:, None]], 1) / 2
            both = np.concatenate([-half, half])
        else:
            both = np.concatenate([model.coef_, model.intercept_[:, None]], 1)
        weight[present], bias[present] = both[:, :-1], both[:, -1]
        return LinearHead(weight, bias)

    def loss(self, outputs: Tensor, values: Tensor) -> Tensor:
        """Return the cross-entropy, with label smoothing."""
        flat = functional.cross_entropy(
            outputs.reshape(-1, self.outputs),
            values.reshape(-1),
            reduction="none",
            label_smoothing=self.smoothing,
        )
        return flat.reshape(values.shape)

    def scores(self, outputs: NDArray[Any], values: NDArray[Any]) -> Scores:
        """Return ``loss`` (negative log-likelihood, calibrated), ``accuracy``, ``macro_f1``."""
        temperature = fit_temperature(outputs, values)
        likelihood = log_softmax(outputs, temperature)[np.arange(len(values)), values]
        predicted = outputs.argmax(1)
        hits = np.bincount(values[predicted == values], minlength=self.outputs)
        true, mapped = (np.bincount(each, minlength=self.outputs) for each in (values, predicted))
        present = true > 0
        f1 = 2 * hits[present] / (true + mapped)[present]
        found = {
            "loss": float(-likelihood.mean()),
            "accuracy": float((predicted == values).mean()),
            "macro_f1": float(f1.mean()),
        }
        return found, temperature


@dataclass(frozen=True, eq=False)
class Regression:
    """Regression; values are targets ``(n, T)`` in their units, NaN where one is unknown.

    Attributes:
        targets: ``(n, T)`` of the training pixels, in their units.
        strengths, emphases: candidates of ``Hyperparameters``, the default first. A target may
            follow the brightness of spectra or a small absorption. With less regularisation
            the scenes of the labels are fitted better and other scenes much worse.
        physics_first, beside_physics: as of ``Classification``.
    """

    name: ClassVar[str] = "regression"
    targets: FloatArray
    strengths: ClassVar[tuple[float, ...]] = (0.1,)
    emphases: ClassVar[tuple[float, ...]] = (1.0, 0.5, 0.0, 2.0)
    physics_first: ClassVar[bool] = False
    beside_physics: ClassVar[tuple[float, ...]] = (0.1, 0.01)

    @property
    def outputs(self) -> int:
        """T, number of targets."""
        return int(self.targets.shape[1])

    @cached_property
    def _scaling(self) -> tuple[FloatArray, FloatArray]:
        std = np.maximum(np.nanstd(self.targets, 0), _LEAST_STD)
        return np.nanmean(self.targets, 0), std

    def standardised(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return targets with the mean 0 and the standard deviation 1 of the training pixels."""
        mean, std = self._scaling
        return (values - mean) / std

    @torch.no_grad()
    def in_units(self, head: DenseHead) -> None:
        """Let a head for standardised targets predict in their units, near the labels' range."""
        mean, std = self._scaling
        low, high = np.nanmin(self.targets, 0), np.nanmax(self.targets, 0)
        beyond = _BEYOND * (high - low)
        for layer, numbers in (
            (head.target_mean, mean),
            (head.target_std, std),
            (head.target_low, low - beyond),
            (head.target_high, high + beyond),
        ):
            layer.copy_(torch.from_numpy(numbers))

    def weights(self, values: NDArray[Any], balance: float) -> NDArray[np.float32]:
        """Return 1 for each pixel: targets have no classes to balance."""
        return np.ones(len(values), np.float32)

    def fit(
        self,
        features: NDArray[Any],
        values: NDArray[Any],
        weights: NDArray[Any],
        strength: float,
        start: Optional[LinearHead] = None,
    ) -> LinearHead:
        """Fit a ridge regression for each target; ``start`` is of no use to it."""
        from sklearn.linear_model import Ridge

        rows = []
        for target in values.T:
            known = np.isfinite(target)
            model = Ridge(alpha=1 / strength).fit(
                features[known].astype(np.float64), target[known], sample_weight=weights[known]
            )
            rows.append(np.append(model.coef_, model.intercept_))
        both = np.stack(rows)
        return LinearHead(both[:, :-1], both[:, -1])

    def loss(self, outputs: Tensor, values: Tensor) -> Tensor:
        """Return Huber's loss, the mean over the known targets."""
        known = values.isfinite()
        filled = torch.where(known, values, outputs.detach())
        each = functional.huber_loss(outputs, filled, reduction="none", delta=_HUBER)
        return each.sum(-1) / known.sum(-1).clamp(min=1)

    def scores(self, outputs: NDArray[Any], values: NDArray[Any]) -> Scores:
        """Return ``loss`` (Huber's) and ``r2``, the mean of 1 - SSE / SST over the targets."""
        loss = self.loss(torch.from_numpy(outputs), torch.from_numpy(np.float32(values)))
        r2 = []
        for output, target in zip(outputs.T, values.T):
            known = np.isfinite(target)
            if not known.any():
                continue
            total = float(np.square(target[known] - target[known].mean()).sum())
            if total > 0:
                r2.append(1 - float(np.square(output - target)[known].sum()) / total)
        return {"loss": float(loss.mean()), "r2": float(np.mean(r2)) if r2 else 0.0}, 1.0


@dataclass(frozen=True, eq=False)
class SoftTargets:
    """What an earlier model predicts at n labelled pixels, as targets beside the labels.

    Attributes:
        logits: ``(n, K)`` float32, NaN where the earlier model does not count.
        weight: distillation weight, the fraction of the loss that they get, 0 to 1.
    """

    logits: NDArray[np.float32]
    weight: float

    def take(self, rows: NDArray[Any]) -> SoftTargets:
        """Return those of some of the pixels."""
        return SoftTargets(self.logits[rows], self.weight)


def distilled(loss: Tensor, outputs: Tensor, logits: Tensor, weight: float) -> Tensor:
    """Mix the cross-entropy with soft targets into a loss, where there are some.

    Args:
        loss: ``(...)`` of each pixel.
        outputs: ``(..., K)`` logits of the model in training.
        logits: ``(..., K)`` of the earlier model, NaN where it does not count.
    """
    known = logits.isfinite().all(-1)
    target = torch.softmax(torch.where(known[..., None], logits, torch.zeros_like(logits)), -1)
    entropy = -(target * torch.log_softmax(outputs, -1)).sum(-1)
    return torch.where(known, (1 - weight) * loss + weight * entropy, loss)


def weighted_labels(
    values: NDArray[Any], weights: NDArray[Any], soft: SoftTargets
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Write soft targets as several weighted labels of each pixel, for a linear model.

    The weighted cross-entropy of these labels is the loss of ``distilled``.

    Args:
        values: ``(n,)`` class indices.
        weights: ``(n,)`` of the pixels.
        soft: of the same pixels.

    Returns:
        Pixel, class and weight of each label, ``(m,)``; the weights of a pixel sum to its own
        but for negligible ones.
    """
    known = np.isfinite(soft.logits).all(1)
    target = np.zeros(soft.logits.shape)
    target[known] = soft.weight * np.exp(log_softmax(soft.logits[known], 1.0))
    target[np.arange(len(values)), values] += np.where(known, 1 - soft.weight, 1.0)
    rows, classes = np.nonzero(target > _NEGLIGIBLE)
    return rows, classes, weights[rows] * target[rows, classes]


Task = Union[Classification, Regression]


def task_of(labels: Labels, smoothing: float, values: NDArray[Any]) -> tuple[Task, NDArray[Any]]:
    """Return the task of labels, and the values of training pixels as the task takes them.

    Args:
        labels: with their task and classes.
        smoothing: label smoothing of a classification.
        values: ``(n,)`` class indices, which stay as they are, or ``(n, T)`` targets, which
            are standardised.
    """
    if labels.task == "classification":
        return Classification(len(labels.classes), smoothing), values
    task = Regression(values)
    return task, task.standardised(values)


def fit_weighted(
    task: Task,
    features: NDArray[Any],
    values: NDArray[Any],
    balance: float,
    strength: float,
    soft: Optional[SoftTargets] = None,
    start: Optional[LinearHead] = None,
) -> LinearHead:
    """Fit the linear model of a task.

    Args:
        task: classification or regression.
        features: ``(n, d)``.
        values: ``(n,)`` class indices or ``(n, T)`` standardised targets.
        balance: exponent of the class weights.
        strength: inverse of the regularisation.
        soft: of the same pixels, or None.
        start: a model with the same features to start the solver from.
    """
    weights: NDArray[Any] = task.weights(values, balance)
    if soft is not None:
        rows, values, weights = weighted_labels(values, weights, soft)
        features = features[rows]
    return task.fit(features, values, weights, strength, start)
