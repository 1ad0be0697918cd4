"""Labels brought to the classes and targets of a model, by value and by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hyperkd.errors import HyperKDError
from hyperkd.models.card import ModelCard
from hyperkd.problems import Problem
from hyperkd.raster.labels.class_names import name_key, spelled
from hyperkd.raster.labels.read_labels import LabelClass, Labels


def fitting_labels(labels: Labels, card: ModelCard, fields_given: bool) -> Labels:
    """Return labels whose class indices, or columns of targets, are those of the model.

    A class is the model's class with the same value; a name that says otherwise is
    refused. Where no value fits, the name decides, whatever the case of its letters, its blanks
    and its Unicode form if that leaves one class.

    Args:
        labels: of the model's task.
        fields_given: whether the user named the fields: a single one may then have
            another name than the target.

    Raises:
        HyperKDError: ``bad_labels`` where the labels hold a class that the model does not
            know; ``bad_job`` where the fields are not the targets.
    """
    if card.task == "regression":
        return _fitting_targets(labels, card, fields_given)
    indices = _class_indices(labels.classes, card)
    index = np.array(indices, np.int64)
    scenes = tuple(replace(scene, values=index[scene.values]) for scene in labels.scenes)
    classes = tuple(
        LabelClass(str(item["name"]), item["value"], str(item["color"])) for item in card.classes
    )
    problems = (*labels.problems, *_spelled_otherwise(labels.classes, indices, card))
    return replace(labels, classes=classes, scenes=scenes, problems=problems)


def _class_indices(found: Sequence[LabelClass], card: ModelCard) -> list[int]:
    values = {_kind(item["value"]): i for i, item in enumerate(card.classes)}
    indices, unknown = [], []
    for item in found:
        by_value, by_name = values.get(_kind(item.value)), _named(item.name, card)
        if by_value is not None and by_name and by_value not in by_name:
            raise HyperKDError(
                "bad_labels",
                f"The labels call the value {item.value!r} {item.name}, but the model calls it "
                f"{card.classes[by_value]['name']}.",
                "Give labels with the values and names that the model was fine-tuned with.",
            )
        if by_value is not None:
            indices.append(by_value)
        elif len(by_name) == 1:
            indices.append(by_name[0])
        else:
            unknown.append(item.name if item.name == item.value else f"{item.name} ({item.value})")
    if unknown:
        known = ", ".join(str(item["name"]) for item in card.classes)
        raise HyperKDError(
            "bad_labels",
            f"The labels hold classes that the model {card.name} does not know: "
            f"{', '.join(unknown[:10])}{' and more' if len(unknown) > 10 else ''}.",
            f"Its classes are {known}. Leave other labels out, or choose another field.",
            classes=unknown,
        )
    return indices


def _named(name: str, card: ModelCard) -> list[int]:
    """Return the classes of a name; where none is written so, those that read alike."""
    names = [str(item["name"]) for item in card.classes]
    exact = [i for i, known in enumerate(names) if known == name]
    return exact or [i for i, known in enumerate(names) if name_key(known) == name_key(name)]


def _spelled_otherwise(found: Sequence[LabelClass], indices: Sequence[int], card: ModelCard) -> Any:
    """Yield a problem where the model's classes are found by names that read alike only."""
    names = [str(card.classes[index]["name"]) for index in indices]
    pairs = [(item.name, name) for item, name in zip(found, names) if item.name != name]
    alike = [pair for pair in pairs if name_key(pair[0]) == name_key(pair[1])]
    if alike:
        listed = "; ".join(f"{spelled([name])} for {spelled([known])}" for name, known in alike[:5])
        yield Problem(
            "class_name_variants",
            f"The labels spell classes of the model {card.name} otherwise: {listed}.",
            values={"names": [list(pair) for pair in alike]},
        )


def _kind(value: Any) -> tuple[str, Any]:
    # 1 and "1" are different values, and True is no class.
    return type(value).__name__, value


def _fitting_targets(labels: Labels, card: ModelCard, fields_given: bool) -> Labels:
    wanted = [str(target["name"]) for target in card.targets]
    found = list(labels.targets)
    if sorted(found) == sorted(wanted):
        order = [found.index(name) for name in wanted]
    elif len(found) == len(wanted) == 1 and fields_given:
        order = [0]
    else:
        raise HyperKDError(
            "bad_job",
            f"The labels give {', '.join(found)}, the model {card.name} predicts "
            f"{', '.join(wanted)}.",
            "Name the fields of its targets (field).",
            key="field",
        )
    scenes = tuple(replace(scene, values=scene.values[:, order]) for scene in labels.scenes)
    return replace(labels, targets=tuple(wanted), scenes=scenes)
