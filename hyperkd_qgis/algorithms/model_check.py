"""Whether a model is one for a job and its scenes, as far as QGIS can tell by itself."""

from __future__ import annotations

from collections.abc import Sequence

from qgis.core import QgsRasterLayer

from ..messages import tr
from ..modelfile import find_model, local_models, outputs_of, read_card
from ..spectrum import mismatch


def model_problem(text: str, needs: tuple[str, ...], layers: Sequence[QgsRasterLayer]) -> str:
    """Return what is wrong with a model as a sentence, or an empty string.

    Args:
        text: its name or path.
        needs: what it must compute, one of these; empty where any model will do.
        layers: scenes whose bands it must find.
    """
    path = find_model(text)
    if path is None:
        known = ", ".join(each.stem for each in local_models())
        return tr(
            "There is no model “{name}”. There are: {known}. More are under Plugins › "
            "HyperKD › Models…, or choose an .onnx file."
        ).format(name=text, known=known)
    card = read_card(path)
    if card is None:
        return ""  # the engine says why
    if needs and not set(needs) & set(outputs_of(card)):
        return _unfit(str(card.get("name", text)), str(card.get("task", "?")), needs)
    return next(filter(None, (mismatch(layer, card) for layer in layers)), "")


def _unfit(model: str, task: str, needs: tuple[str, ...]) -> str:
    wanted = {
        ("embedding",): tr("a student"),
        ("reconstruction",): tr("a student"),
        ("logits",): tr("a model fine-tuned for classification"),
        ("values",): tr("a model fine-tuned for regression"),
        ("fractions",): tr("a model for fractions of covers"),
    }.get(needs, tr("a fine-tuned model"))
    return tr("“{model}” is a model for {task}; this algorithm needs {wanted}.").format(
        model=model,
        task={"pretrain": tr("embedding and reconstruction")}.get(task, task),
        wanted=wanted,
    )
