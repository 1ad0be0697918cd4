"""What the options of the engine are called: in the algorithms and in the windows alike."""

from __future__ import annotations

from ..figures import tuned_name
from ..messages import tr

# The options of the windows that most people leave alone, in the order of their forms.
EXPERT_FIELDS = {
    "finetune": (
        *("test", "validation", "folds", "refit", "buffer", "block", "margin", "epochs"),
        *("learning_rate", "class_weights", "label_smoothing", "illumination", "noise"),
        *("band_dropout", "last", "rank", "previous", "previous_weight", "teacher"),
        *("teacher_weight", "unit", "seed", "device", "bands", "scale", "nodata"),
    ),
    "distill": (
        *("epochs", "seed", "tile", "patch", "batch", "chunk", "learning_rate", "mask_ratio"),
        *("mask_score", "guided_share", "hints", "norm_patches", "ssim", "kl", "angle", "slope"),
        *("features", "feature_distance", "projector", "teacher_depth", "teacher_view"),
        *("teacher_frames", "alignment", "initial", "validation", "patience", "average"),
        *("precision", "device", "reading", "cache", "mask", "licence"),
        *("bands", "scale", "nodata"),
    ),
}


def field_title(kind: str, name: str) -> str:
    """Return what a field of a job is called; at worst its own name in words."""
    if kind in _STUDENTS_RUN and name == "model":
        return tr("Student (name or .onnx file)")
    own = {"finetune": _finetune, "distill": _distill}.get(kind, lambda: _others().get(kind, {}))
    return {**_common(), **own()}.get(name) or name.replace("_", " ").capitalize()


def choice_titles(name: str) -> dict[str, str]:
    """Return what the choices of a field are called; empty where their own names do."""
    return {
        "class_weights": {
            "auto": tr("decide by folds of the labels"),
            "none": tr("none: as often as they occur"),
            "sqrt": tr("moderate"),
            "balanced": tr("strong: all classes alike"),
        },
        "device": {
            "auto": tr("automatic"),
            "cpu": tr("processor"),
            "cuda": tr("graphics card (CUDA)"),
        },
        "preset": {
            "tiny": tr("tiny: trains on a laptop, in an hour or so"),
            "small": tr("small: wants a GPU"),
            "base": tr("base: wants a large GPU"),
            "paper": tr("paper: the sizes that are known of the paper, for a large GPU"),
        },
        "split": {
            "auto": tr("decide by the labels"),
            "polygons": tr("whole features"),
            "blocks": tr("whole blocks of the scene"),
            "scenes": tr("whole scenes"),
            "random": tr("single pixels (too good to be true)"),
        },
        "task": {
            "classification": tr("A class (classification)"),
            "regression": tr("Quantities (regression)"),
        },
        "tune": _Tuned(),
    }.get(name, {})


class _Tuned(dict[str, str]):
    def __missing__(self, value: str) -> str:
        return tuned_name(value)


_STUDENTS_RUN = frozenset({"anomaly", "cluster", "embed", "inspect", "reconstruct", "similarity"})


def _common() -> dict[str, str]:
    return {
        "input": tr("Hyperspectral raster"),
        "product": tr("Product (file or folder)"),
        "model": tr("Model (name or .onnx file)"),
        "checkpoint": tr("Checkpoint (.safetensors)"),
        "report": tr("Report"),
        "margin": tr("Margin inside polygons (pixels)"),
        "mask": tr("Pixels to leave out (EnMAP)"),
        "seed": tr("Seed"),
        "overlap": tr("Overlap of tiles (pixels)"),
        "batch": tr("Tiles computed at once"),
        "device": tr("Device"),
        "memory_mb": tr("Memory (MB)"),
        "unreadable": tr("Where the file cannot be read"),
        "format": tr("Layout of the files"),
        "resume": tr("Go on with an interrupted run"),
        "bands": tr("Band table (sensor or CSV file)"),
        "scale": tr("Scale (reflectance per stored unit)"),
        "nodata": tr("Value without meaning (nodata)"),
    }


def _others() -> dict[str, dict[str, str]]:
    return {
        "align": {"mode": tr("How a band is made"), "output": tr("HLS bands")},
        "anomaly": {
            "measure": tr("Error"),
            "threshold": tr("Threshold"),
            "output": tr("Anomaly score"),
            "mask": tr("Anomalies"),
        },
        "cluster": {"classes": tr("Clusters"), "output": tr("Cluster map")},
        "embed": {
            "components": tr("Components"),
            "dtype": tr("Numbers are stored as"),
            "output": tr("Embedding"),
        },
        "evaluate": {
            "input": tr("Hyperspectral rasters"),
            "strata": tr("Strata"),
            "training_input": tr("Rasters of the training labels"),
        },
        "export": {"output": tr("Model")},
        "import": {"output": tr("Imported scene")},
        "inspect": {"output": tr("Inspection report")},
        "predict": {
            "output": tr("Class map"),
            "probabilities": tr("Probabilities"),
            "probability_type": tr("Probabilities are stored as"),
            "uncertainty": tr("Uncertainty"),
        },
        "quantize": {
            "input": tr("Rasters to compare on"),
            "method": tr("How"),
            "loss": tr("Largest accepted loss (percent points)"),
            "calibration": tr("Calibration rasters (static)"),
            "tiles": tr("Tiles to look at in each raster"),
            "output": tr("Smaller model"),
        },
        "reconstruct": {"error": tr("Reconstruction error"), "output": tr("Reconstruction")},
        "similarity": {"output": tr("Likeness")},
    }


def _finetune() -> dict[str, str]:
    return {
        "input": tr("Hyperspectral rasters"),
        "task": tr("What the labels say"),
        "student": tr("Student"),
        "split": tr("Held out for the test"),
        "tune": tr("What is trained"),
        "output": tr("Model"),
        "colours": tr("Colours of classes (value=#rrggbb; …)"),
        "baselines": tr("Compare with classical models"),
        "save_baselines": tr("Write the classical models too"),
        "test": tr("Share of labels for the test"),
        "validation": tr("Share of labels for validation"),
        "folds": tr("Folds instead of one test part"),
        "refit": tr("In the end, train on all labels"),
        "buffer": tr("Buffer around test labels (pixels)"),
        "block": tr("Side of blocks (pixels)"),
        "epochs": tr("Passes over the labels at most"),
        "learning_rate": tr("Learning rate"),
        "class_weights": tr("Weight of rare classes"),
        "label_smoothing": tr("Label smoothing"),
        "illumination": tr("Vary the brightness by"),
        "noise": tr("Add noise"),
        "band_dropout": tr("Drop bands"),
        "last": tr("Blocks of the last layers"),
        "rank": tr("Rank of the adapters"),
        "previous": tr("Earlier model to learn from"),
        "previous_weight": tr("Weight of the earlier model"),
        "teacher": tr("Teacher to follow"),
        "teacher_weight": tr("Weight of the teacher"),
        "unit": tr("Units of targets (unit; …)"),
    }


def _distill() -> dict[str, str]:
    return {
        "input": tr("Hyperspectral rasters"),
        "teacher": tr("Teacher (none, a name or a file)"),
        "preset": tr("Size of the student"),
        "hours": tr("Budget (hours)"),
        "resume": tr("Go on with an interrupted training"),
        "output": tr("Checkpoint"),
        "epochs": tr("Passes over the scenes"),
        "tile": tr("Side of the tiles (pixels)"),
        "patch": tr("Side of a patch (pixels)"),
        "batch": tr("Tiles per step"),
        "chunk": tr("Tiles computed at once"),
        "learning_rate": tr("Learning rate"),
        "mask_ratio": tr("Share of hidden patches"),
        "mask_score": tr("What leads the hiding"),
        "guided_share": tr("Share that is led"),
        "hints": tr("Share of the best patches left as hints"),
        "norm_patches": tr("Squared error in units of each patch"),
        "ssim": tr("Weight of structure (SSIM)"),
        "kl": tr("Weight of spectra's divergence"),
        "angle": tr("Weight of the spectral angle"),
        "slope": tr("Weight of the spectra's slope"),
        "features": tr("Weight of the teacher"),
        "feature_distance": tr("How features are compared"),
        "projector": tr("Projector of features"),
        "teacher_depth": tr("Depths of the teacher (shares; …)"),
        "teacher_view": tr("What the teacher sees"),
        "teacher_frames": tr("Frames that the teacher is shown"),
        "alignment": tr("How the teacher's bands are made"),
        "initial": tr("Weights to start from"),
        "validation": tr("Share of scenes held out"),
        "patience": tr("End after validations without progress"),
        "average": tr("Averaging of weights"),
        "precision": tr("Precision"),
        "reading": tr("Where pixels are kept"),
        "cache": tr("Folder of the caches"),
        "licence": tr("Licence of the student (SPDX)"),
    }
