"""The state of a training on disk, from which it goes on to the same numbers.

One safetensors file: the student, the parts that are trained with it, the
optimiser, averaged and best weights; and JSON in its header with the step, the
weights of the loss, the metrics so far, and what the training was started with.
Random numbers need no state: each step draws from a generator of its own.
"""

from __future__ import annotations

import dataclasses
import errno
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable, Final, Optional

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor

from hyperkd.atomic import AtomicFile
from hyperkd.errors import HyperKDError
from hyperkd.sentences import some
from hyperkd.training.common.train_settings import Progress, Settings
from hyperkd.training.pretrain.objective import Recipe

STATE_KEY: Final = "hyperkd.training"

_SCHEMA: Final = 1
_MOMENTS: Final = ("step", "exp_avg", "exp_avg_sq")  # what AdamW keeps of each parameter
# Settings that do not change the result, but for when something is written.
_FREE: Final = ("save_every", "report_every", "ahead", "hours")


def identity(
    settings: Settings, recipe: Recipe, data: Mapping[str, Any], **more: Any
) -> dict[str, Any]:
    """Return what must be the same when a training is resumed.

    Args:
        data: what the scenes are.
        more: other JSON values.
    """
    plain = {k: v for k, v in dataclasses.asdict(settings).items() if k not in _FREE}
    values = {"settings": plain, "recipe": dataclasses.asdict(recipe), "data": data, **more}
    # As it comes back from the file: tuples become lists.
    stored: dict[str, Any] = json.loads(json.dumps(values))
    return stored


class StateFile:
    """The file with the state of a training.

    Args:
        started_with: see ``identity``.
        resume: whether to go on from the file.
        writes: whether this process writes; of several only one does.
        after_save: called when a state is safe, for instance to write a checkpoint.
    """

    def __init__(
        self,
        path: Path,
        started_with: Mapping[str, Any],
        *,
        resume: bool,
        writes: bool = True,
        after_save: Optional[Callable[[Progress], None]] = None,
    ) -> None:
        self.path = path
        self._started_with = dict(started_with)
        self._resume = resume
        self._writes = writes
        self._after_save = after_save

    def save(self, progress: Progress) -> None:
        """Write the state; the old one stays until the new one is whole.

        Raises:
            HyperKDError: ``out_of_disk``, ``unwritable_output``.
        """
        if not self._writes:
            return
        header = {
            "schema": _SCHEMA,
            "started_with": self._started_with,
            "step": progress.step,
            "weights": progress.balance.weights,
            "calibrated": progress.balance.calibrated,
            # Infinity is not JSON.
            "best_loss": None if progress.best is None else progress.best_loss,
            "waited": progress.waited,
            "history": progress.history,
            "recent": progress.recent,
        }
        content = save(_tensors(progress), metadata={STATE_KEY: json.dumps(header)})
        try:
            with AtomicFile(self.path) as part:
                Path(part.temporary).write_bytes(content)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise HyperKDError(
                "out_of_disk",
                f"There is no space left for the state of step {progress.step} in {self.path}.",
                "Free some disk space and continue (resume): the state before is still there."
                if self.path.is_file()
                else "Free some disk space and start again: no state was kept yet.",
                path=str(self.path),
            ) from error
        if self._after_save is not None:
            self._after_save(progress)

    def restore(self, progress: Progress) -> None:
        """Bring the training to where the file left it, if it is to be resumed.

        Raises:
            HyperKDError: ``bad_job`` where there is no file or it was started with
                something else, ``bad_model`` where the file is damaged.
        """
        if not self._resume:
            return
        header = read_state(self.path)
        changes = differences(header["started_with"], self._started_with)
        if changes:
            raise HyperKDError(
                "bad_job",
                f"The training in {self.path.name} was started with other settings: "
                f"{some(changes, separator='; ')}.",
                "Continue with the settings it was started with, or start again without resume.",
                differences=changes,
            )
        stored = load_file(self.path)
        try:
            _restore(progress, header, stored)
        except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
            raise _damaged(self.path, error) from error


def read_state(path: Path) -> dict[str, Any]:
    """Return the header of a state.

    Raises:
        HyperKDError: ``bad_job`` where there is no such file, ``bad_model`` where it is damaged.
    """
    if not path.is_file():
        raise HyperKDError(
            "bad_job",
            f"There is nothing to resume: {path} does not exist.",
            "Start again without resume; a finished training keeps no state.",
        )
    try:
        with safe_open(path, "pt") as file:
            header = json.loads((file.metadata() or {})[STATE_KEY])
        if header["schema"] != _SCHEMA:
            raise ValueError(f"its schema is {header['schema']}")
    except (SafetensorError, OSError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise _damaged(path, error) from error
    checked: dict[str, Any] = header
    return checked


def differences(before: Any, now: Any, name: str = "") -> list[str]:
    """Return where two JSON values differ, each as ``name was value, is value``."""
    if isinstance(before, dict) and isinstance(now, dict):
        found = []
        for key in sorted({*before, *now}):
            inner = f"{name}.{key}" if name else key
            found += differences(before.get(key), now.get(key), inner)
        return found
    return [] if before == now else [f"{name} was {_shown(before)}, is {_shown(now)}"]


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _tensors(progress: Progress) -> dict[str, Tensor]:
    """Return every tensor of the training by a name."""
    parts: dict[str, Mapping[str, Tensor]] = {
        "student": progress.student.state_dict(),
        "objective": progress.objective.state_dict(),
        "average": {} if progress.average is None else progress.average.tensors,
        "best": progress.best or {},
    }
    for number, parameter in enumerate(progress.parameters):
        moments = progress.optimiser.state.get(parameter, {})
        parts[f"optimiser.{number}"] = {key: moments[key] for key in _MOMENTS if key in moments}
    return {
        f"{part}.{name}": tensor.detach().cpu().contiguous().clone()
        for part, tensors in parts.items()
        for name, tensor in tensors.items()
    }


def _restore(progress: Progress, header: Mapping[str, Any], stored: dict[str, Tensor]) -> None:
    def part(prefix: str) -> dict[str, Tensor]:
        start = prefix + "."
        return {key[len(start) :]: value for key, value in stored.items() if key.startswith(start)}

    progress.student.load_state_dict(part("student"))
    progress.objective.load_state_dict(part("objective"))
    if progress.average is not None:
        progress.average.load(part("average"))
    for number, parameter in enumerate(progress.parameters):
        moments = part(f"optimiser.{number}")
        if moments:
            # AdamW counts its steps on the CPU, its moments lie where the parameter does.
            progress.optimiser.state[parameter] = {
                key: value if key == "step" else value.to(parameter.device)
                for key, value in moments.items()
            }
    progress.balance.weights = {name: float(value) for name, value in header["weights"].items()}
    progress.balance.calibrated = bool(header["calibrated"])
    best = part("best")
    if best:
        device = progress.student.mean.device
        progress.best = {name: value.to(device) for name, value in best.items()}
        progress.best_loss = float(header["best_loss"])
    progress.waited = int(header["waited"])
    progress.step = int(header["step"])
    progress.history[:] = header["history"]
    progress.recent[:] = header["recent"]


def _damaged(path: Path, error: Exception) -> HyperKDError:
    reason = (str(error).splitlines() or [""])[0]
    return HyperKDError(
        "bad_model",
        f"{path.name} is not a saved state of a training, or it is damaged: {reason}.",
        "Start again without resume.",
    )
