"""The model store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Optional

from hyperkd.requests.option import Job, option
from hyperkd.requests.shared_options import inference_device_option, store_option


def _replace_option() -> Any:
    return option("Replace a stored model of the same name.", False)


def _stored_name_option() -> Any:
    return option("The name of a model, as hyperkd models list shows it.", positional=True)


@dataclass(frozen=True)
class ModelsListJob(Job):
    """What models there are."""

    kind: ClassVar[str] = "models_list"
    target: ClassVar[str] = "hyperkd.jobs.models_command:list_models"
    summary: ClassVar[str] = "List shipped, own and published models with size, licence and status."
    answers: ClassVar[bool] = True

    store: Optional[str] = store_option("input_directory")


@dataclass(frozen=True)
class ModelsAddJob(Job):
    """Add a model file to the store."""

    kind: ClassVar[str] = "models_add"
    target: ClassVar[str] = "hyperkd.jobs.models_command:add"
    summary: ClassVar[str] = "Check a model file and copy it into the model store."

    file: str = option(
        "A student (.onnx), a checkpoint (.safetensors) or a teacher's published file (.pt).",
        role="input_file",
        positional=True,
    )
    name: Optional[str] = option(
        "Name of the model. Default: the file's name without its ending, or the teacher's own "
        "name.",
        None,
    )
    link: bool = option(
        "Hard-link the file instead of copying it, where the file system allows it: this takes "
        "no space, but a program that writes into the file changes the stored model too.",
        False,
    )
    replace: bool = _replace_option()
    store: Optional[str] = store_option("output_directory")


@dataclass(frozen=True)
class ModelsFetchJob(Job):
    """Download a published teacher into the store."""

    kind: ClassVar[str] = "models_fetch"
    target: ClassVar[str] = "hyperkd.jobs.model_fetch:fetch"
    summary: ClassVar[str] = "Download a published teacher into the model store, and check it."

    name: str = option("A published model, for instance prithvi-eo-2.0-300m.", positional=True)
    revision: Optional[str] = option(
        "Full commit of the repository (40 digits). Default: the one known to HyperKD.", None
    )
    sha256: Optional[str] = option(
        "SHA-256 that the file must have. Default: the published one, where there is one.", None
    )
    unverified: bool = option(
        "Accept a file without a published checksum; it is still checked as far as possible.", False
    )
    replace: bool = _replace_option()
    endpoint: str = option("Address of the hub or of a mirror of it.", "https://huggingface.co")
    proxy: Optional[str] = option(
        "Proxy as http://host:port, or none. Default: HTTPS_PROXY, or the system's settings. Other "
        "users can see a password on a command line: give it in HTTPS_PROXY.",
        None,
    )
    ca_file: Optional[str] = option(
        "Certificates (PEM) to trust in addition to the system's; SSL_CERT_FILE works too.",
        None,
        role="input_file",
    )
    store: Optional[str] = store_option("output_directory")


@dataclass(frozen=True)
class ModelsVerifyJob(Job):
    """Check whether a stored model is unchanged."""

    kind: ClassVar[str] = "models_verify"
    target: ClassVar[str] = "hyperkd.jobs.models_command:verify"
    summary: ClassVar[str] = "Check a stored model against its record, and its content."
    answers: ClassVar[bool] = True

    name: str = _stored_name_option()
    store: Optional[str] = store_option("input_directory")


@dataclass(frozen=True)
class ModelsRemoveJob(Job):
    """Remove a model from the store."""

    kind: ClassVar[str] = "models_remove"
    target: ClassVar[str] = "hyperkd.jobs.models_command:remove"
    summary: ClassVar[str] = "Remove an own or fetched model from the model store."
    answers: ClassVar[bool] = True

    name: str = _stored_name_option()
    store: Optional[str] = store_option("input_directory")


@dataclass(frozen=True)
class ModelsTestJob(Job):
    """Repeat a model's self-test on this machine."""

    kind: ClassVar[str] = "models_test"
    target: ClassVar[str] = "hyperkd.inference.model_test:try_model"
    summary: ClassVar[str] = "Repeat a model's self-test on this machine, and time it."
    answers: ClassVar[bool] = True

    name: str = option("The name of a model, or the path of an .onnx file.", positional=True)
    device: str = inference_device_option()
