"""What fine-tuning is after: classes or quantities; their losses, scores and linear models.

Classification and regression differ in these alone; everything else is written once.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Optional, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from hyperkd.evaluation.scores.calibration import fit_temperature, log_softmax
from hyperkd.types import FloatArray

# Huber's loss is quadratic up to this many standard deviations of the target.
_HUBER: Final = 1.0
# Logit of a class that a linear model was not shown, below those of the others.
_UNKNOWN: Final = -20.0
_ITERATIONS: Final = 300
_TOLERANCE: Final = 1e-3
_NEGLIGIBLE: Final = 1e-4  # probability that teaches nothing


@dataclass(frozen=True, eq=False)
class Linear:
    """The linear model ``features @ weight.T + bias``.

    Attributes:
        weight: ``(K, d)``.
        bias: ``(K,)``.
    """

    weight: FloatArray
    bias: FloatArray

    def apply(self, features: NDArray[Any]) -> NDArray[np.float32]:
        """Return answers ``(n, K)``."""
        answers = features @ self.weight.T + self.bias
        return np.asarray(answers, np.float32)


class Goal(Protocol):
    """A task, as training sees it; values are as in ``Places``, targets standardised."""

    @property
    def outputs(self) -> int:
        """K, the number of answers for a pixel."""

    @property
    def strengths(self) -> tuple[float, ...]:
        """Inverses of the regularisation to choose from, the usual one first."""

    @property
    def emphases(self) -> tuple[float, ...]:
        """How much large components may count more than small ones, see ``Plan``."""

    def weights(self, values: NDArray[Any], balance: float) -> NDArray[np.float32]:
        """Return how much each pixel counts, ``(n,)``, on average 1."""

    def fit(
        self,
        features: NDArray[Any],
        values: NDArray[Any],
        weights: NDArray[Any],
        strength: float,
        start: Optional[Linear] = None,
    ) -> Linear:
        """Fit a regularised linear model; ``strength`` is the inverse of the regularisation."""

    def loss(self, answers: Tensor, values: Tensor) -> Tensor:
        """Return the loss of each pixel: ``(...)`` of answers ``(..., K)``."""

    def judge(self, answers: NDArray[Any], values: NDArray[Any]) -> Mapping[str, float]:
        """Return ``loss`` and the scores of answers to pixels that were not learnt."""


@dataclass(frozen=True)
class Classes:
    """Classification.

    Attributes:
        outputs: K, number of classes.
        smoothing: share of the truth that all classes get alike.
        strengths, emphases: to choose from, the usual ones first. Small components tell
            classes of one scene apart and mislead in the next; folds of one scene cannot tell,
            so the emphasis is what served both on scenes made for development.
    """

    outputs: int
    smoothing: float = 0.0
    # Serve from 5 to 500 pixels a class. With less regularisation a scene of many labels is
    # fitted better and other scenes worse, which folds of the one scene would never see.
    strengths: tuple[float, ...] = (0.6, 0.2)
    emphases: tuple[float, ...] = (0.15,)

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
        start: Optional[Linear] = None,
    ) -> Linear:
        """Fit a multinomial logistic regression."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        shown = np.unique(values)
        weight = np.zeros((self.outputs, features.shape[1]))
        bias = np.full(self.outputs, _UNKNOWN)
        if len(shown) == 1:
            bias[shown] = 0.0
            return Linear(weight, bias)
        model = LogisticRegression(
            C=strength, max_iter=_ITERATIONS, tol=_TOLERANCE, warm_start=start is not None
        )
        if start is not None and len(shown) > 2:
            model.coef_ = np.ascontiguousarray(start.weight[shown])
            model.intercept_ = start.bias[shown].copy()
        with warnings.catch_warnings():
            # Slow convergence means a weak regularisation; the choice over folds sees its result.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(features, values, sample_weight=weights)
        if len(shown) == 2:  # one row of weights, for the second class against the first
            half = np.concatenate([model.coef_, model.intercept_[:, None]], 1) / 2
            both = np.concatenate([-half, half])
        else:
            both = np.concatenate([model.coef_, model.intercept_[:, None]], 1)
        weight[shown], bias[shown] = both[:, :-1], both[:, -1]
        return Linear(weight, bias)

    def loss(self, answers: Tensor, values: Tensor) -> Tensor:
        """Return the cross-entropy, with label smoothing."""
        flat = functional.cross_entropy(
            answers.reshape(-1, self.outputs),
            values.reshape(-1),
            reduction="none",
            label_smoothing=self.smoothing,
        )
        return flat.reshape(values.shape)

    def judge(self, answers: NDArray[Any], values: NDArray[Any]) -> Mapping[str, float]:
        """Return ``loss`` (negative log-likelihood, calibrated), ``accuracy``, ``macro_f1``."""
        temperature = fit_temperature(answers, values)
        likelihood = log_softmax(answers, temperature)[np.arange(len(values)), values]
        chosen = answers.argmax(1)
        hits = np.bincount(values[chosen == values], minlength=self.outputs)
        true, found = (np.bincount(each, minlength=self.outputs) for each in (values, chosen))
        present = true > 0
        f1 = 2 * hits[present] / (true + found)[present]
        return {
            "loss": float(-likelihood.mean()),
            "accuracy": float((chosen == values).mean()),
            "macro_f1": float(f1.mean()),
        }


@dataclass(frozen=True)
class Quantities:
    """Regression of standardised targets; NaN where one is unknown.

    Attributes:
        outputs: T, number of targets.
        strengths, emphases: to choose from, the usual ones first. A quantity may follow the
            brightness of spectra or a small absorption; classes differ in small things. With
            less regularisation scenes are fitted better and other scenes much worse.
    """

    outputs: int
    strengths: tuple[float, ...] = (0.1,)
    emphases: tuple[float, ...] = (1.0, 0.5, 0.0, 2.0)

    def weights(self, values: NDArray[Any], balance: float) -> NDArray[np.float32]:
        """Return 1 for each: quantities are not balanced."""
        return np.ones(len(values), np.float32)

    def fit(
        self,
        features: NDArray[Any],
        values: NDArray[Any],
        weights: NDArray[Any],
        strength: float,
        start: Optional[Linear] = None,
    ) -> Linear:
        """Fit a ridge regression for each target."""
        from sklearn.linear_model import Ridge

        rows = []
        for target in values.T:
            known = np.isfinite(target)
            model = Ridge(alpha=1 / strength).fit(
                features[known].astype(np.float64), target[known], sample_weight=weights[known]
            )
            rows.append(np.append(model.coef_, model.intercept_))
        both = np.stack(rows)
        return Linear(both[:, :-1], both[:, -1])

    def loss(self, answers: Tensor, values: Tensor) -> Tensor:
        """Return Huber's loss, the mean over the known targets."""
        known = values.isfinite()
        filled = torch.where(known, values, answers.detach())
        each = functional.huber_loss(answers, filled, reduction="none", delta=_HUBER)
        return each.sum(-1) / known.sum(-1).clamp(min=1)

    def judge(self, answers: NDArray[Any], values: NDArray[Any]) -> Mapping[str, float]:
        """Return ``loss`` (Huber's) and ``r2``, the mean of 1 - SSE / SST over the targets."""
        loss = self.loss(torch.from_numpy(answers), torch.from_numpy(np.float32(values)))
        shares = []
        for answer, truth in zip(answers.T, values.T):
            known = np.isfinite(truth)
            if not known.any():
                continue
            total = float(np.square(truth[known] - truth[known].mean()).sum())
            if total > 0:
                shares.append(1 - float(np.square(answer - truth)[known].sum()) / total)
        return {"loss": float(loss.mean()), "r2": float(np.mean(shares)) if shares else 0.0}


def softened(loss: Tensor, answers: Tensor, soft: Tensor, share: float) -> Tensor:
    """Mix in the divergence from another model's probabilities, where there are some.

    Args:
        loss: ``(...)`` of each pixel.
        answers: ``(..., K)`` logits.
        soft: ``(..., K)`` the other model's, NaN where there are none.
        share: of the divergence in the sum.
    """
    known = soft.isfinite().all(-1)
    target = torch.softmax(torch.where(known[..., None], soft, torch.zeros_like(soft)), -1)
    likeness = -(target * torch.log_softmax(answers, -1)).sum(-1)
    return torch.where(known, (1 - share) * loss + share * likeness, loss)


def spread(
    values: NDArray[Any], weights: NDArray[Any], soft: NDArray[Any], share: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Write another model's probabilities as labels of small weight, for a linear model.

    The weighted cross-entropy of these labels is the loss of ``softened``.

    Args:
        values: ``(n,)`` class indices.
        weights: ``(n,)`` of the pixels.
        soft: ``(n, K)`` the other model's logits, NaN where there are none.
        share: of its probabilities in the loss.

    Returns:
        Which pixel, class and weight, ``(m,)`` each; the weights of a pixel sum to its own
        but for what is too little to matter.
    """
    known = np.isfinite(soft).all(1)
    target = np.zeros(soft.shape)
    target[known] = share * np.exp(log_softmax(soft[known], 1.0))
    target[np.arange(len(values)), values] += np.where(known, 1 - share, 1.0)
    rows, classes = np.nonzero(target > _NEGLIGIBLE)
    return rows, classes, weights[rows] * target[rows, classes]
