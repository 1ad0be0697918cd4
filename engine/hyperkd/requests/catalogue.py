"""Every job: the single source of commands, flags and schema.

A job file is ``{"protocol": 1, "job": "<kind>", ...fields}``. ``schema.json``
is generated from these classes (``python -m hyperkd.jobs.schema``), ``cli.py``
makes a command of each, and the plugin's parameters are compared with the
schema by a contract test.

Nothing heavy is imported, so that ``hyperkd --help`` is instant.
"""

from __future__ import annotations

from hyperkd.requests.detect_options import DetectJob
from hyperkd.requests.distill_options import DistillJob
from hyperkd.requests.evaluate_options import EvaluateJob, LabelsJob
from hyperkd.requests.explore_options import AnomalyJob, ClusterJob, SimilarityJob
from hyperkd.requests.finetune_options import FinetuneJob
from hyperkd.requests.models_options import (
    ModelsAddJob,
    ModelsFetchJob,
    ModelsListJob,
    ModelsRemoveJob,
    ModelsTestJob,
    ModelsVerifyJob,
)
from hyperkd.requests.option import Job
from hyperkd.requests.predict_options import EmbedJob, FirstLookJob, PredictJob, ReconstructJob
from hyperkd.requests.prepare_options import (
    AlignJob,
    ImportJob,
    InfoJob,
    InspectJob,
    RestoreJob,
    SynthJob,
)
from hyperkd.requests.quantize_options import QuantizeJob
from hyperkd.requests.train_options import ExportJob

JOBS: dict[str, type[Job]] = {
    job.kind: job
    for job in (
        InfoJob,
        InspectJob,
        ImportJob,
        AlignJob,
        RestoreJob,
        FirstLookJob,
        PredictJob,
        EvaluateJob,
        LabelsJob,
        EmbedJob,
        ReconstructJob,
        AnomalyJob,
        SimilarityJob,
        ClusterJob,
        DetectJob,
        DistillJob,
        FinetuneJob,
        ExportJob,
        QuantizeJob,
        ModelsListJob,
        ModelsAddJob,
        ModelsFetchJob,
        ModelsVerifyJob,
        ModelsTestJob,
        ModelsRemoveJob,
        SynthJob,
    )
}

# What the groups of commands are for.
GROUPS: dict[str, str] = {
    "models": "The model store of this machine: list, add, fetch, verify, test, remove.",
}
