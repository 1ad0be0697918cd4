"""The types of the Python interface. Written by ``python -m tools.stub``."""

import os
from collections.abc import Sequence
from typing import Literal

from hyperkd.errors import HyperKDError as HyperKDError
from hyperkd.handles import Model as Model
from hyperkd.handles import Scene as Scene
from hyperkd.handles import load_model as load_model
from hyperkd.handles import open as open
from hyperkd.problems import Problem as Problem
from hyperkd.reporting import Result as Result
from hyperkd.reporting import progress as progress
from hyperkd.types import BandTable as BandTable
from hyperkd.types import GridSpec as GridSpec
from hyperkd.types import Reporter as Reporter
from hyperkd.types import Wavelengths as Wavelengths
from hyperkd.types import Window as Window

__version__: str

_Path = str | os.PathLike[str]
_Scene = _Path | Scene
_Model = _Path | Model

def first_look(
    scene: _Scene,
    *,
    dominant: _Path | None = ...,
    composite: _Path | None = ...,
    uncertainty: _Path | None = ...,
    fractions: _Path | None = ...,
    model: _Model = ...,
    overlap: int | None = ...,
    batch: int | None = ...,
    device: Literal["auto", "cpu", "cuda", "tensorrt", "directml", "coreml", "openvino"] = ...,
    memory_mb: int | None = ...,
    resume: bool = ...,
    unreadable: Literal["fail", "nodata"] = ...,
    format: Literal["geotiff", "cog"] = ...,
    accept: str | Sequence[str] = ...,
    bands: _Path | None = ...,
    scale: float | None = ...,
    nodata: float | None = ...,
    report: Reporter | None = ...,
) -> Result:
    """Write what covers a scene: fractions, their picture, and their error."""

def predict(
    model: _Model,
    scene: _Scene,
    output: _Path,
    *,
    probabilities: _Path | None = ...,
    probability_type: Literal["uint8", "float32"] = ...,
    uncertainty: _Path | None = ...,
    applicability: _Path | None = ...,
    dominant: _Path | None = ...,
    overlap: int | None = ...,
    batch: int | None = ...,
    device: Literal["auto", "cpu", "cuda", "tensorrt", "directml", "coreml", "openvino"] = ...,
    memory_mb: int | None = ...,
    resume: bool = ...,
    unreadable: Literal["fail", "nodata"] = ...,
    format: Literal["geotiff", "cog"] = ...,
    accept: str | Sequence[str] = ...,
    bands: _Path | None = ...,
    scale: float | None = ...,
    nodata: float | None = ...,
    report: Reporter | None = ...,
) -> Result:
    """Write a map of classes or values with a fine-tuned model."""

def embed(
    model: _Model,
    scene: _Scene,
    output: _Path,
    *,
    components: int = ...,
    dtype: Literal["float32", "float16"] = ...,
    overlap: int | None = ...,
    batch: int | None = ...,
    device: Literal["auto", "cpu", "cuda", "tensorrt", "directml", "coreml", "openvino"] = ...,
    memory_mb: int | None = ...,
    resume: bool = ...,
    unreadable: Literal["fail", "nodata"] = ...,
    format: Literal["geotiff", "cog"] = ...,
    accept: str | Sequence[str] = ...,
    bands: _Path | None = ...,
    scale: float | None = ...,
    nodata: float | None = ...,
    report: Reporter | None = ...,
) -> Result:
    """Write a raster of embeddings, or of their principal components."""

def reconstruct(
    model: _Model,
    scene: _Scene,
    output: _Path | None,
    *,
    error: _Path | None = ...,
    overlap: int | None = ...,
    batch: int | None = ...,
    device: Literal["auto", "cpu", "cuda", "tensorrt", "directml", "coreml", "openvino"] = ...,
    memory_mb: int | None = ...,
    resume: bool = ...,
    unreadable: Literal["fail", "nodata"] = ...,
    format: Literal["geotiff", "cog"] = ...,
    accept: str | Sequence[str] = ...,
    bands: _Path | None = ...,
    scale: float | None = ...,
    nodata: float | None = ...,
    report: Reporter | None = ...,
) -> Result:
    """Write the reconstruction of a scene and its per-pixel error."""

def anomaly(
    model: _Model,
    scene: _Scene,
    output: _Path,
    *,
    mask: _Path | None = ...,
    measure: Literal["rmse", "angle"] = ...,
    threshold: float = ...,
    overlap: int | None = ...,
    batch: int | None = ...,
    device: Literal["auto", "cpu", "cuda", "tensorrt", "directml", "coreml", "openvino"] = ...,
    memory_mb: int | None = ...,
    resume: bool = ...,
    unreadable: Literal["fail", "nodata"] = ...,
    format: Literal["geotiff", "cog"] = ...,
    accept: str | Sequence[str] = ...,
    bands: _Path | None = ...,
    scale: float | None = ...,
    nodata: float | None = ...,
    report: Reporter | None = ...,
) -> Result:
    """Write an anomaly score for each pixel, and which pixels are anomalies."""

def similarity(
    model: _Model,
    scene: _Scene,
    places: _Path,
    output: _Path,
    *,
    margin: float = ...,
    seed: int = ...,
    overlap: int | None = ...,
    batch: int | None = ...,
    device: Literal["auto", "cpu", "cuda", "tensorrt", "directml", "coreml", "openvino"] = ...,
    memory_mb: int | None = ...,
    resume: bool = ...,
    unreadable: Literal["fail", "nodata"] = ...,
    format: Literal["geotiff", "cog"] = ...,
    accept: str | Sequence[str] = ...,
    bands: _Path | None = ...,
    scale: float | None = ...,
    nodata: float | None = ...,
    report: Reporter | None = ...,
) -> Result:
    """Write how similar each pixel is to given places."""

def cluster(
    model: _Model,
    scene: _Scene,
    output: _Path,
    *,
    classes: int = ...,
    seed: int = ...,
    overlap: int | None = ...,
    batch: int | None = ...,
    device: Literal["auto", "cpu", "cuda", "tensorrt", "directml", "coreml", "openvino"] = ...,
    memory_mb: int | None = ...,
    resume: bool = ...,
    unreadable: Literal["fail", "nodata"] = ...,
    format: Literal["geotiff", "cog"] = ...,
    accept: str | Sequence[str] = ...,
    bands: _Path | None = ...,
    scale: float | None = ...,
    nodata: float | None = ...,
    report: Reporter | None = ...,
) -> Result:
    """Write a map of clusters of pixels with similar embeddings."""

def detect(
    scene: _Scene,
    output: _Path,
    *,
    target_spectrum: _Path | None = ...,
    target_name: str | None = ...,
    target_pixels: _Path | None = ...,
    target_scale: float | None = ...,
    mask: _Path | None = ...,
    method: Literal["ace", "mf", "cem", "sam"] = ...,
    false_alarms: float = ...,
    margin: float = ...,
    accept: str | Sequence[str] = ...,
    bands: _Path | None = ...,
    scale: float | None = ...,
    nodata: float | None = ...,
    report: Reporter | None = ...,
) -> Result:
    """Write how much each pixel resembles a target's spectrum, and which pixels are detections."""

def align(
    scene: _Scene,
    output: _Path,
    *,
    mode: Literal["range_mean", "srf_gaussian", "nearest"] = ...,
    accept: str | Sequence[str] = ...,
    bands: _Path | None = ...,
    scale: float | None = ...,
    nodata: float | None = ...,
    report: Reporter | None = ...,
) -> Result:
    """Write the six HLS bands that the teacher takes as input."""

def restore(
    scene: _Scene,
    output: _Path,
    *,
    filled: _Path | None = ...,
    vapour: bool = ...,
    stripes: bool = ...,
    accept: str | Sequence[str] = ...,
    bands: _Path | None = ...,
    scale: float | None = ...,
    nodata: float | None = ...,
    report: Reporter | None = ...,
) -> Result:
    """Fill bad bands, dead pixels and stripes of a raster."""

def finetune(
    student: _Model,
    scenes: _Scene | Sequence[_Scene],
    labels: _Path | Sequence[_Path],
    *,
    output: _Path,
    task: Literal["classification", "regression"] = ...,
    physics: _Model = ...,
    field: str | Sequence[str] = ...,
    label_nodata: str | Sequence[str] = ...,
    report_folder: _Path | None = ...,
    seed: int = ...,
    margin: float = ...,
    colours: str | Sequence[str] = ...,
    unit: str | Sequence[str] = ...,
    split: Literal["auto", "polygons", "blocks", "scenes", "random"] = ...,
    test: float = ...,
    validation: float = ...,
    buffer: int | None = ...,
    block: int | None = ...,
    folds: int = ...,
    refit: bool = ...,
    tune: Literal["auto", "frozen", "last", "adapters", "full"] = ...,
    epochs: int = ...,
    learning_rate: float | None = ...,
    class_weights: Literal["auto", "none", "sqrt", "balanced"] = ...,
    label_smoothing: float = ...,
    illumination: float = ...,
    noise: float = ...,
    band_dropout: float = ...,
    last: int = ...,
    rank: int = ...,
    previous: _Model | None = ...,
    previous_weight: float = ...,
    teacher: _Path | None = ...,
    teacher_weight: float = ...,
    preview: _Path | None = ...,
    preview_extent: float | Sequence[float] = ...,
    baselines: bool = ...,
    save_baselines: bool = ...,
    device: Literal["auto", "cpu", "cuda"] = ...,
    accept: str | Sequence[str] = ...,
    bands: _Path | None = ...,
    scale: float | None = ...,
    nodata: float | None = ...,
    report: Reporter | None = ...,
) -> Result:
    """Fine-tune a student on labels, for classification or regression."""

def distill(
    scenes: _Scene | Sequence[_Scene],
    output: _Path,
    *,
    teacher: _Path = ...,
    preset: Literal["tiny", "small", "base", "paper"] = ...,
    epochs: int | None = ...,
    seed: int = ...,
    resume: bool = ...,
    tile: int | None = ...,
    patch: int | None = ...,
    batch: int | None = ...,
    chunk: int | None = ...,
    learning_rate: float | None = ...,
    mask_ratio: float = ...,
    mask_score: Literal["haar", "gradient", "gabor", "variance", "random"] = ...,
    guided_share: float = ...,
    hints: float = ...,
    norm_patches: bool = ...,
    ssim: float = ...,
    kl: float = ...,
    angle: float = ...,
    slope: float = ...,
    features: float = ...,
    feature_distance: Literal["cosine", "smooth_l1", "l1", "divergence", "relation"] = ...,
    projector: Literal["linear", "none"] = ...,
    teacher_depth: float | Sequence[float] = ...,
    teacher_view: Literal["visible", "full", "cached"] = ...,
    teacher_frames: Literal["single", "repeat3_mean"] = ...,
    alignment: Literal["range_mean", "srf_gaussian", "nearest"] = ...,
    initial: Literal["components", "random"] = ...,
    validation: float = ...,
    patience: int = ...,
    hours: float | None = ...,
    average: float = ...,
    precision: Literal["auto", "float32", "bfloat16"] = ...,
    device: Literal["auto", "cpu", "cuda"] = ...,
    reading: Literal["auto", "memory", "cache", "files"] = ...,
    cache: _Path | None = ...,
    mask: str | Sequence[str] = ...,
    licence: str = ...,
    accept: str | Sequence[str] = ...,
    bands: _Path | None = ...,
    scale: float | None = ...,
    nodata: float | None = ...,
    report: Reporter | None = ...,
) -> Result:
    """Train a student on scenes, by HyperKD-style distillation or alone."""

def evaluate(
    model: _Model,
    scenes: _Scene | Sequence[_Scene],
    labels: _Path | Sequence[_Path],
    *,
    report_folder: _Path,
    field: str | Sequence[str] = ...,
    label_nodata: str | Sequence[str] = ...,
    strata: _Path | Sequence[_Path] = ...,
    training_labels: _Path | Sequence[_Path] = ...,
    training_input: _Scene | Sequence[_Scene] = ...,
    margin: float = ...,
    seed: int = ...,
    overlap: int | None = ...,
    batch: int | None = ...,
    device: Literal["auto", "cpu", "cuda", "tensorrt", "directml", "coreml", "openvino"] = ...,
    accept: str | Sequence[str] = ...,
    bands: _Path | None = ...,
    scale: float | None = ...,
    nodata: float | None = ...,
    report: Reporter | None = ...,
) -> Result:
    """Assess a model's map against labels, and write an accuracy report."""

def label_overview(
    scenes: _Scene | Sequence[_Scene],
    labels: _Path | Sequence[_Path],
    *,
    task: Literal["classification", "regression"] = ...,
    field: str | Sequence[str] = ...,
    label_nodata: str | Sequence[str] = ...,
    output: _Path | None = ...,
    student: _Model = ...,
    tune: Literal["auto", "frozen", "last", "adapters", "full"] = ...,
    split: Literal["auto", "polygons", "blocks", "scenes", "random"] = ...,
    test: float = ...,
    validation: float = ...,
    buffer: int | None = ...,
    block: int | None = ...,
    margin: float = ...,
    seed: int = ...,
    accept: str | Sequence[str] = ...,
    bands: _Path | None = ...,
    scale: float | None = ...,
    nodata: float | None = ...,
    report: Reporter | None = ...,
) -> Result:
    """Describe labels, and how fine-tuning would split them."""

def export(
    checkpoint: _Path,
    output: _Path,
    *,
    report: Reporter | None = ...,
) -> Result:
    """Export a checkpoint to ONNX with its card and self-test."""

def quantize(
    model: _Model,
    output: _Path,
    scenes: _Scene | Sequence[_Scene],
    *,
    method: Literal["dynamic", "static", "float16"] = ...,
    calibration: _Scene | Sequence[_Scene] = ...,
    labels: _Path | Sequence[_Path] = ...,
    field: str | Sequence[str] = ...,
    label_nodata: str | Sequence[str] = ...,
    margin: float = ...,
    loss: float = ...,
    tiles: int = ...,
    device: Literal["cpu", "cuda", "tensorrt", "directml", "coreml", "openvino"] = ...,
    accept: str | Sequence[str] = ...,
    bands: _Path | None = ...,
    scale: float | None = ...,
    nodata: float | None = ...,
    report: Reporter | None = ...,
) -> Result:
    """Make a model smaller and faster (int8, float16), unless it loses too much."""

def info(
    path: _Path,
    *,
    accept: str | Sequence[str] = ...,
    bands: _Path | None = ...,
    scale: float | None = ...,
    nodata: float | None = ...,
    report: Reporter | None = ...,
) -> Result:
    """Describe a raster (bands, wavelengths, problems) or a model."""

def inspect(
    scene: _Scene,
    output: _Path,
    *,
    model: _Model = ...,
    accept: str | Sequence[str] = ...,
    bands: _Path | None = ...,
    scale: float | None = ...,
    nodata: float | None = ...,
    report: Reporter | None = ...,
) -> Result:
    """Write a report about a raster: bands, spectra, a student's input."""

def import_product(
    product: _Path,
    output: _Path,
    *,
    mask: str | Sequence[str] = ...,
    accept: str | Sequence[str] = ...,
    report: Reporter | None = ...,
) -> Result:
    """Write an EnMAP, PRISMA, EMIT, DESIS or Tanager product as a GeoTIFF."""

def simulate(
    output: _Path,
    *,
    width: int = ...,
    height: int = ...,
    seed: int = ...,
    border: float = ...,
    truth: bool = ...,
    report: Reporter | None = ...,
) -> Result:
    """Simulate an EnMAP-like scene, with truth layers beside it."""
