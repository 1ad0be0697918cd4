"""From fitted classical models to those that can be written as ONNX."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperkd.evaluation.baselines.classical_models import FittedBaseline, decisions_of
from hyperkd.evaluation.baselines.plsr import Plsr
from hyperkd.evaluation.scores.calibration import fit_temperature
from hyperkd.models.classical_onnx import AffineModel, Classical, Forest, KernelMachine, Tree
from hyperkd.types import FloatArray

# scikit-learn's mark of a leaf: it has no child.
_NO_CHILD = -1


def classical_of(fitted: FittedBaseline) -> Classical:
    """Return a fitted model as plain arrays.

    Args:
        fitted: of classes, with all of them in its training part.
    """
    first = fitted.models[0]
    if isinstance(first, Plsr):
        models = fitted.models
        return AffineModel(
            np.stack([model.weight for model in models]),
            np.array([model.bias for model in models]),
        )
    if hasattr(first, "estimators_"):
        return _forest(fitted.models, fitted.task == "classification")
    return _machine(first) if hasattr(first, "support_vectors_") else _logistic(first)


def temperature_of(fitted: FittedBaseline) -> float:
    """Return the temperature of a model's probabilities.

    It is 1 where the model has probabilities of its own. Decisions of a support vector
    machine become probabilities by the temperature that suits what its folds held out.
    """
    if not fitted.held_out:
        return 1.0
    decisions, truth = (np.concatenate(parts) for parts in zip(*fitted.held_out))
    return fit_temperature(decisions, truth)


def answers_of(fitted: FittedBaseline, spectra: NDArray[Any]) -> FloatArray:
    """Return what scikit-learn answers: ``(n, K)`` probabilities or decisions, or values."""
    if fitted.task == "regression":
        values: FloatArray = fitted.predict(spectra)
        return values
    (model,), scaled = fitted.models, fitted.scaling.apply(spectra)
    if fitted.has_probabilities:
        probabilities: FloatArray = model.predict_proba(scaled)
        return probabilities
    return decisions_of(model, scaled)


def _logistic(model: Any) -> AffineModel:
    weight, bias = model.coef_, model.intercept_
    if len(bias) == 1:
        # Of two classes it holds the logit of the second one.
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    return AffineModel(weight, bias)


def _machine(model: Any) -> KernelMachine:
    """Return the one-against-one decisions as weights of kernels.

    scikit-learn keeps for each support vector of class i its weight in the decisions
    between i and each other class, in their order.
    """
    classes = len(model.classes_)
    of_class = np.repeat(np.arange(classes), model.n_support_)
    if classes == 2:
        pairs, weight = np.array([[1, 0]]), np.asarray(model.dual_coef_)
    else:
        pairs = np.array([(i, j) for i in range(classes) for j in range(i + 1, classes)])
        weight = np.zeros((len(pairs), len(of_class)))
        for row, (i, j) in zip(weight, pairs):
            row[of_class == i] = model.dual_coef_[j - 1, of_class == i]
            row[of_class == j] = model.dual_coef_[i, of_class == j]
    return KernelMachine(
        model.support_vectors_, float(model.gamma), weight, model.intercept_, pairs, classes
    )


def _forest(models: tuple[Any, ...], is_class: bool) -> Forest:
    """Return the trees of one forest of classes, or of one forest for each target."""
    outputs = len(models[0].classes_) if is_class else len(models)
    trees = []
    for target, model in enumerate(models):
        for estimator in model.estimators_:
            tree = estimator.tree_
            answers = np.asarray(tree.value[:, 0, :], np.float64)
            values = np.zeros((tree.node_count, outputs))
            if is_class:
                # Shares since scikit-learn 1.3, weights of samples before.
                values[:] = answers / answers.sum(axis=1, keepdims=True)
            else:
                values[:, target] = answers[:, 0]
            is_leaf = tree.children_left == _NO_CHILD
            trees.append(
                Tree(
                    np.where(is_leaf, -1, tree.feature),
                    np.asarray(tree.threshold, np.float64),
                    tree.children_left,
                    tree.children_right,
                    values / len(model.estimators_),
                )
            )
    return Forest(trees, outputs, is_class)
