"""What the options of the engine are called: in the algorithms and in the windows alike."""

from __future__ import annotations

from ..engine_notes import marked
from ..messages import tr
from ..metric_text import tuned_names

# The options of the windows that most people leave alone, in the order of their forms.
EXPERT_FIELDS = {
    "finetune": (
        *("test", "validation", "folds", "refit", "buffer", "block", "margin"),
        *("label_nodata", "epochs"),
        *("learning_rate", "class_weights", "label_smoothing", "illumination", "noise"),
        *("band_dropout", "last", "rank", "physics", "previous", "previous_weight", "teacher"),
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
    title = _OF_ONE_JOB.get(kind, {}).get(name) or _COMMON.get(name)
    return tr(title) if title else name.replace("_", " ").capitalize()


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


_COMMON = {
    "input": marked("Hyperspectral raster"),
    "product": marked("Product (file or folder)"),
    "model": marked("Model (name or .onnx file)"),
    "checkpoint": marked("Checkpoint (.safetensors)"),
    "report": marked("Report"),
    "margin": marked("Margin inside polygons (pixels)"),
    "label_nodata": marked("Values that mean no label (value; …)"),
    "mask": marked("Pixels to leave out"),
    "seed": marked("Seed"),
    "overlap": marked("Overlap of tiles (pixels)"),
    "batch": marked("Tiles computed at once"),
    "device": marked("Device"),
    "memory_mb": marked("Memory (MB)"),
    "unreadable": marked("Unreadable blocks"),
    "format": marked("Output format"),
    "resume": marked("Resume an interrupted run"),
    "bands": marked("Band table (sensor or CSV file)"),
    "scale": marked("Scale (reflectance per stored unit)"),
    "nodata": marked("No-data value"),
    "accept": marked("Severe problems to accept"),
}


_OF_ONE_JOB = {
    "align": {"mode": marked("Resampling method"), "output": marked("HLS bands")},
    "anomaly": {
        "measure": marked("Error"),
        "threshold": marked("Threshold"),
        "output": marked("Anomaly score"),
        "mask": marked("Anomalies"),
    },
    "cluster": {"classes": marked("Clusters"), "output": marked("Cluster map")},
    "detect": {
        "target_spectrum": marked("Spectral library with the target"),
        "target_name": marked("Name of the target in the library"),
        "target_pixels": marked("Target marked in the scene"),
        "target_scale": marked("Scale of the library (reflectance per stored unit)"),
        "method": marked("Detector"),
        "false_alarms": marked("False-alarm rate"),
        "output": marked("Detection score"),
        "mask": marked("Detections"),
    },
    "embed": {
        "components": marked("Components"),
        "dtype": marked("Data type"),
        "output": marked("Embedding"),
    },
    "evaluate": {
        "input": marked("Hyperspectral rasters"),
        "strata": marked("Strata"),
        "training_input": marked("Rasters of the training labels"),
    },
    "export": {"output": marked("Model")},
    "firstlook": {
        "dominant": marked("Dominant cover"),
        "composite": marked("Fractions as colours"),
        "uncertainty": marked("Uncertainty"),
        "fractions": marked("Fractions"),
    },
    "import": {"output": marked("Imported scene")},
    "inspect": {"output": marked("Inspection report")},
    "predict": {
        "output": marked("Class map"),
        "probabilities": marked("Probabilities"),
        "probability_type": marked("Data type of the probabilities"),
        "uncertainty": marked("Uncertainty"),
        "dominant": marked("Dominant cover"),
        "applicability": marked("Applicability"),
    },
    "quantize": {
        "input": marked("Rasters for the comparison"),
        "method": marked("Method"),
        "loss": marked("Largest accepted loss (percentage points)"),
        "calibration": marked("Calibration rasters (static)"),
        "tiles": marked("Tiles per raster"),
        "output": marked("Quantised model"),
    },
    "reconstruct": {"error": marked("Reconstruction error"), "output": marked("Reconstruction")},
    "restore": {
        "stripes": marked("Find stripes"),
        "vapour": marked("Fill bands in water vapour"),
        "output": marked("Restored scene"),
        "filled": marked("Filled values"),
    },
    "similarity": {"output": marked("Similarity")},
    "finetune": {
        "input": marked("Hyperspectral rasters"),
        "task": marked("Labels contain"),
        "student": marked("Student"),
        "split": marked("Held out for the test"),
        "tune": marked("What is trained"),
        "output": marked("Model"),
        "colours": marked("Colours of classes (value=#rrggbb; …)"),
        "baselines": marked("Compare with baselines (classical models)"),
        "save_baselines": marked("Write the baselines too"),
        "test": marked("Fraction of labels for testing"),
        "validation": marked("Fraction of labels for validation"),
        "folds": marked("Folds of a cross-validation"),
        "refit": marked("Train the final model on all labels"),
        "buffer": marked("Buffer around test labels (pixels)"),
        "block": marked("Block size (pixels)"),
        "epochs": marked("Epochs at most"),
        "learning_rate": marked("Learning rate"),
        "class_weights": marked("Weight of rare classes"),
        "label_smoothing": marked("Label smoothing"),
        "illumination": marked("Brightness augmentation"),
        "noise": marked("Noise augmentation"),
        "band_dropout": marked("Band dropout"),
        "last": marked("Number of last blocks to train"),
        "rank": marked("Rank of the adapters"),
        "previous": marked("Earlier model (soft targets)"),
        "previous_weight": marked("Weight of the earlier model"),
        "physics": marked("Fractions by physics (a model like cover, or none)"),
        "teacher": marked("Teacher (feature distillation)"),
        "teacher_weight": marked("Weight of the teacher"),
        "unit": marked("Units of targets (unit; …)"),
    },
    "distill": {
        "input": marked("Hyperspectral rasters"),
        "teacher": marked("Teacher (none, a name or a file)"),
        "preset": marked("Size of the student"),
        "hours": marked("Budget (hours)"),
        "resume": marked("Resume an interrupted training"),
        "output": marked("Checkpoint"),
        "epochs": marked("Epochs"),
        "tile": marked("Tile size (pixels)"),
        "patch": marked("Patch size (pixels)"),
        "batch": marked("Batch size (tiles)"),
        "chunk": marked("Tiles computed at once"),
        "learning_rate": marked("Learning rate"),
        "mask_ratio": marked("Fraction of masked patches"),
        "mask_score": marked("Score that guides the mask"),
        "guided_share": marked("Fraction of the mask that is guided"),
        "hints": marked("Fraction of the best patches left visible"),
        "norm_patches": marked("Normalise the error by patch"),
        "ssim": marked("Weight of SSIM"),
        "kl": marked("Weight of the spectral divergence"),
        "angle": marked("Weight of the spectral angle"),
        "slope": marked("Weight of the spectral slope"),
        "features": marked("Weight of the teacher"),
        "feature_distance": marked("Feature distance"),
        "projector": marked("Feature projector"),
        "teacher_depth": marked("Depths in the teacher (fractions; …)"),
        "teacher_view": marked("Input of the teacher"),
        "teacher_frames": marked("Frames for the teacher"),
        "alignment": marked("Resampling to the teacher's bands"),
        "initial": marked("Initial weights"),
        "validation": marked("Fraction of scenes held out"),
        "patience": marked("Early stopping (validations without improvement)"),
        "average": marked("Averaging of weights (EMA decay)"),
        "precision": marked("Precision"),
        "reading": marked("Pixel storage"),
        "cache": marked("Folder of the caches"),
        "licence": marked("Licence of the student (SPDX)"),
    },
}
