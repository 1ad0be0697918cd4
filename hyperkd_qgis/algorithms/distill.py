"""``hyperkd:distill``: a student of one's own, from scenes without labels."""

from __future__ import annotations

from ..messages import tr
from . import parameters
from .engine_algorithm import EngineAlgorithm


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
        return tr("Trains a student on unlabelled scenes, with or without a teacher.")

    def tags(self) -> list[str]:
        """Return words that find the algorithm."""
        return tr(
            "train,distillation,knowledge distillation,pretraining,masked autoencoder,prithvi,"
            "foundation model,deep learning"
        ).split(",")

    def shortHelpString(self) -> str:
        """Return the help beside the parameters."""
        return (
            tr(
                "<p>Trains a student on hyperspectral scenes: parts are masked, and it learns "
                "to predict them (masked autoencoder). With a teacher it also learns the "
                "teacher's features of six broad bands. Training takes hours; tick <i>Resume "
                "an interrupted training</i> to continue a cancelled one. Needs the packages "
                "for fine-tuning.</p>"
                "<h3>Hyperspectral rasters</h3>"
                "<p>The scenes to train on; no labels are needed. More scenes, and more "
                "diverse ones, are better.</p>"
                "<h3>Teacher</h3>"
                "<p><i>none</i>, the name of a teacher of the store (fetch one under "
                "<i>Plugins › HyperKD › Models…</i>), or its file.</p>"
                "<h3>Size of the student</h3>"
                "<p><i>tiny</i> trains on a laptop; <i>small</i> and <i>base</i> need a "
                "GPU.</p>"
                "<h3>Epochs</h3>"
                "<p>More epochs take longer and improve the student up to a point. Left empty, "
                "the size of the student decides.</p>"
                "<h3>Budget</h3>"
                "<p>The training time at most; training then ends with the best student so "
                "far. Left empty, there is no limit.</p>"
                "<h3>Checkpoint</h3>"
                "<p>The <i>.safetensors</i> file to write. The student as <i>.onnx</i> and a "
                "report are written beside it.</p>"
            )
            + parameters.band_overrides_help()
        )
