"""``hyperkd:distill``: a student of one's own, from scenes without labels."""

from __future__ import annotations

from ..messages import tr
from . import parameters
from .base import EngineAlgorithm


class DistillAlgorithm(EngineAlgorithm):
    """Trains a student on scenes, led by a teacher or by itself."""

    NAME = "distill"
    KIND = "distill"
    GROUP = "train"
    FIELDS = ("input", "teacher", "preset", "epochs", "hours", "output")
    SUFFIX = ".safetensors"
    TIER = "training"

    def displayName(self) -> str:
        """Return the name in the toolbox."""
        return tr("Distil student")

    def shortDescription(self) -> str:
        """Return the tool tip in the toolbox."""
        return tr("Trains a student on scenes without labels, with or without a teacher.")

    def tags(self) -> list[str]:
        """Return words that find the algorithm."""
        words = tr(
            "train,distillation,knowledge distillation,pretraining,masked autoencoder,prithvi,"
            "foundation model,deep learning"
        )
        return words.split(",")

    def shortHelpString(self) -> str:
        """Return the help beside the parameters."""
        return (
            tr(
                "<p>Trains a student on hyperspectral scenes: parts are hidden, and it learns to "
                "predict them. With a teacher it also learns to see what the teacher sees in six "
                "broad bands. It takes hours; a cancelled run is gone on with when <i>Go on with "
                "an interrupted training</i> is ticked. Needs the packages for fine-tuning.</p>"
                "<h3>Hyperspectral rasters</h3>"
                "<p>The scenes to learn from; no labels are needed. More and more different ones "
                "are better.</p>"
                "<h3>Teacher</h3>"
                "<p><i>none</i>, the name of a teacher of the store (fetch one under <i>Plugins › "
                "HyperKD › Models…</i>), or its file.</p>"
                "<h3>Size of the student</h3>"
                "<p><i>tiny</i> trains on a laptop; <i>small</i> and <i>base</i> want a GPU.</p>"
                "<h3>Passes over the scenes</h3>"
                "<p>More passes take longer and are better for a while. Left empty, as many as "
                "the size of the student asks for.</p>"
                "<h3>Budget</h3>"
                "<p>So many hours of training at most; it then ends well, with the best student. "
                "Left empty, there is no limit.</p>"
                "<h3>Checkpoint</h3>"
                "<p>The <i>.safetensors</i> file to write. The student as <i>.onnx</i> and a "
                "report are written beside it.</p>"
            )
            + parameters.band_overrides_help()
        )
