"""What the fields of a training are called, in the windows and in the algorithms alike."""

from __future__ import annotations

from ..messages import tr


def field_titles(kind: str) -> dict[str, str]:
    """Return the settings of a job that most people leave alone, and what each is called.

    Args:
        kind: the job; one without a list here has none.
    """
    if kind == "finetune":
        return {**_finetune(), **_overrides()}
    if kind == "distill":
        return {**_distill(), **_overrides()}
    return {}


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
    }.get(name, {})


def _finetune() -> dict[str, str]:
    return {
        "test": tr("Share of labels for the test"),
        "validation": tr("Share of labels for validation"),
        "folds": tr("Folds instead of one test part"),
        "refit": tr("In the end, train on all labels"),
        "buffer": tr("Buffer around test labels (pixels)"),
        "block": tr("Side of blocks (pixels)"),
        "margin": tr("Margin inside polygons (pixels)"),
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
        "seed": tr("Seed"),
        "device": tr("Device"),
    }


def _distill() -> dict[str, str]:
    return {
        "epochs": tr("Passes over the scenes"),
        "seed": tr("Seed"),
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
        "device": tr("Device"),
        "reading": tr("Where pixels are kept"),
        "cache": tr("Folder of the caches"),
        "mask": tr("Pixels to leave out (EnMAP)"),
        "licence": tr("Licence of the student (SPDX)"),
    }


def _overrides() -> dict[str, str]:
    return {
        "bands": tr("Band table (sensor or CSV file)"),
        "scale": tr("Scale (reflectance per stored unit)"),
        "nodata": tr("Value without meaning (nodata)"),
    }
