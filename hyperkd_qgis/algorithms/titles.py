"""What the options of the engine are called: in the algorithms and in the windows alike."""

from __future__ import annotations

from ..messages import tr
from ..metric_text import tuned_names

# The options of the windows that most people leave alone, in the order of their forms.
EXPERT_FIELDS = {
    "finetune": (
        *("test", "validation", "folds", "refit", "buffer", "block", "margin"),
        *("label_nodata", "epochs"),
        *("learning_rate", "class_weights", "label_smoothing", "illumination", "noise"),
        *("band_dropout", "last", "rank", "previous", "previous_weight", "teacher"),
        *("teacher_weight", "unit", "seed", "device", "bands", "scale", "nodata", "accept"),
    ),
    "distill": (
        *("epochs", "seed", "tile", "patch", "batch", "chunk", "learning_rate", "mask_ratio"),
        *("mask_score", "guided_share", "hints", "norm_patches", "ssim", "kl", "angle", "slope"),
        *("features", "feature_distance", "projector", "teacher_depth", "teacher_view"),
        *("teacher_frames", "alignment", "initial", "validation", "patience", "average"),
        *("precision", "device", "reading", "cache", "mask", "licence"),
        *("bands", "scale", "nodata", "accept"),
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
            "auto": tr("automatic: by cross-validation"),
            "none": tr("none: by frequency"),
            "sqrt": tr("moderate"),
            "balanced": tr("strong: all classes equal"),
        },
        "device": {
            "auto": tr("automatic"),
            "cpu": tr("processor"),
            "cuda": tr("graphics card (CUDA)"),
        },
        "preset": {
            "tiny": tr("tiny: trains on a laptop in about an hour"),
            "small": tr("small: needs a GPU"),
            "base": tr("base: needs a large GPU"),
            "paper": tr("paper: as in the HyperKD paper, needs a large GPU"),
        },
        "split": {
            "auto": tr("automatic"),
            "polygons": tr("whole features"),
            "blocks": tr("whole blocks of the scene"),
            "scenes": tr("whole scenes"),
            "random": tr("single pixels (scores will be too high)"),
        },
        "task": {
            "classification": tr("A class (classification)"),
            "regression": tr("Quantities (regression)"),
        },
        "tune": tuned_names(),
    }.get(name, {})


_STUDENTS_RUN = frozenset({"anomaly", "cluster", "embed", "inspect", "reconstruct", "similarity"})


def _common() -> dict[str, str]:
    return {
        "input": tr("Hyperspectral raster"),
        "product": tr("Product (file or folder)"),
        "model": tr("Model (name or .onnx file)"),
        "checkpoint": tr("Checkpoint (.safetensors)"),
        "report": tr("Report"),
        "margin": tr("Margin inside polygons (pixels)"),
        "label_nodata": tr("Values that mean no label (value; …)"),
        "mask": tr("Pixels to leave out"),
        "seed": tr("Seed"),
        "overlap": tr("Overlap of tiles (pixels)"),
        "batch": tr("Tiles computed at once"),
        "device": tr("Device"),
        "memory_mb": tr("Memory (MB)"),
        "unreadable": tr("Unreadable blocks"),
        "format": tr("Output format"),
        "resume": tr("Resume an interrupted run"),
        "bands": tr("Band table (sensor or CSV file)"),
        "scale": tr("Scale (reflectance per stored unit)"),
        "nodata": tr("No-data value"),
        "accept": tr("Severe problems to accept"),
    }


def _others() -> dict[str, dict[str, str]]:
    return {
        "align": {"mode": tr("Resampling method"), "output": tr("HLS bands")},
        "anomaly": {
            "measure": tr("Error"),
            "threshold": tr("Threshold"),
            "output": tr("Anomaly score"),
            "mask": tr("Anomalies"),
        },
        "cluster": {"classes": tr("Clusters"), "output": tr("Cluster map")},
        "embed": {
            "components": tr("Components"),
            "dtype": tr("Data type"),
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
            "probability_type": tr("Data type of the probabilities"),
            "uncertainty": tr("Uncertainty"),
        },
        "quantize": {
            "input": tr("Rasters for the comparison"),
            "method": tr("Method"),
            "loss": tr("Largest accepted loss (percentage points)"),
            "calibration": tr("Calibration rasters (static)"),
            "tiles": tr("Tiles per raster"),
            "output": tr("Quantised model"),
        },
        "reconstruct": {"error": tr("Reconstruction error"), "output": tr("Reconstruction")},
        "similarity": {"output": tr("Similarity")},
    }


def _finetune() -> dict[str, str]:
    return {
        "input": tr("Hyperspectral rasters"),
        "task": tr("Labels contain"),
        "student": tr("Student"),
        "split": tr("Held out for the test"),
        "tune": tr("What is trained"),
        "output": tr("Model"),
        "colours": tr("Colours of classes (value=#rrggbb; …)"),
        "baselines": tr("Compare with baselines (classical models)"),
        "save_baselines": tr("Write the baselines too"),
        "test": tr("Fraction of labels for testing"),
        "validation": tr("Fraction of labels for validation"),
        "folds": tr("Folds of a cross-validation"),
        "refit": tr("Train the final model on all labels"),
        "buffer": tr("Buffer around test labels (pixels)"),
        "block": tr("Block size (pixels)"),
        "epochs": tr("Epochs at most"),
        "learning_rate": tr("Learning rate"),
        "class_weights": tr("Weight of rare classes"),
        "label_smoothing": tr("Label smoothing"),
        "illumination": tr("Brightness augmentation"),
        "noise": tr("Noise augmentation"),
        "band_dropout": tr("Band dropout"),
        "last": tr("Number of last blocks to train"),
        "rank": tr("Rank of the adapters"),
        "previous": tr("Earlier model (soft targets)"),
        "previous_weight": tr("Weight of the earlier model"),
        "teacher": tr("Teacher (feature distillation)"),
        "teacher_weight": tr("Weight of the teacher"),
        "unit": tr("Units of targets (unit; …)"),
    }


def _distill() -> dict[str, str]:
    return {
        "input": tr("Hyperspectral rasters"),
        "teacher": tr("Teacher (none, a name or a file)"),
        "preset": tr("Size of the student"),
        "hours": tr("Budget (hours)"),
        "resume": tr("Resume an interrupted training"),
        "output": tr("Checkpoint"),
        "epochs": tr("Epochs"),
        "tile": tr("Tile size (pixels)"),
        "patch": tr("Patch size (pixels)"),
        "batch": tr("Batch size (tiles)"),
        "chunk": tr("Tiles computed at once"),
        "learning_rate": tr("Learning rate"),
        "mask_ratio": tr("Fraction of masked patches"),
        "mask_score": tr("Score that guides the mask"),
        "guided_share": tr("Fraction of the mask that is guided"),
        "hints": tr("Fraction of the best patches left visible"),
        "norm_patches": tr("Normalise the error by patch"),
        "ssim": tr("Weight of SSIM"),
        "kl": tr("Weight of the spectral divergence"),
        "angle": tr("Weight of the spectral angle"),
        "slope": tr("Weight of the spectral slope"),
        "features": tr("Weight of the teacher"),
        "feature_distance": tr("Feature distance"),
        "projector": tr("Feature projector"),
        "teacher_depth": tr("Depths in the teacher (fractions; …)"),
        "teacher_view": tr("Input of the teacher"),
        "teacher_frames": tr("Frames for the teacher"),
        "alignment": tr("Resampling to the teacher's bands"),
        "initial": tr("Initial weights"),
        "validation": tr("Fraction of scenes held out"),
        "patience": tr("Early stopping (validations without improvement)"),
        "average": tr("Averaging of weights (EMA decay)"),
        "precision": tr("Precision"),
        "reading": tr("Pixel storage"),
        "cache": tr("Folder of the caches"),
        "licence": tr("Licence of the student (SPDX)"),
    }
