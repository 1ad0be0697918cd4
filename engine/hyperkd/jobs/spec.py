"""Every job: the single source of commands, flags and schema.

A job file is ``{"protocol": 1, "job": "<kind>", ...fields}``. ``schema.json``
is generated from these classes (``python -m hyperkd.jobs.schema``), ``cli.py``
makes a command of each, and the plugin's parameters are compared with the
schema by a contract test.

Nothing heavy is imported, so that ``hyperkd --help`` is instant.
"""

from __future__ import annotations

from hyperkd.jobs.job import Job
from hyperkd.jobs.kinds.assess import EvaluateJob, LabelsJob
from hyperkd.jobs.kinds.distill import DistillJob
from hyperkd.jobs.kinds.explore import AnomalyJob, ClusterJob, SimilarityJob
from hyperkd.jobs.kinds.finetune import FinetuneJob
from hyperkd.jobs.kinds.models import (
    ModelsAddJob,
    ModelsFetchJob,
    ModelsListJob,
    ModelsRemoveJob,
    ModelsTestJob,
    ModelsVerifyJob,
)
from hyperkd.jobs.kinds.prepare import AlignJob, ImportJob, InfoJob, InspectJob, SynthJob
from hyperkd.jobs.kinds.quantise import QuantizeJob
from hyperkd.jobs.kinds.run import EmbedJob, PredictJob, ReconstructJob
from hyperkd.jobs.kinds.train import ExportJob

JOBS: dict[str, type[Job]] = {
    job.kind: job
    for job in (
        InfoJob,
        InspectJob,
        ImportJob,
        AlignJob,
        PredictJob,
        EvaluateJob,
        LabelsJob,
        EmbedJob,
        ReconstructJob,
        AnomalyJob,
        SimilarityJob,
        ClusterJob,
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
