"""How pip, and every other step of a set-up, is called."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Optional

from ..runner.environment import ISOLATED, engine_environment
from .request import Request

CACHE_NAME = "cache"
# pip tries each connection again so often, with growing pauses.
PIP_RETRIES = 4

# What a user's configuration of pip may say that leads the packages elsewhere.
_DROPPED = frozenset(
    "PIP_TARGET PIP_PREFIX PIP_ROOT PIP_USER PIP_PYTHON PIP_NO_BINARY PIP_ONLY_BINARY "
    "PIP_NO_DEPS PIP_DRY_RUN PIP_REQUIRE_HASHES PIP_CONSTRAINT PIP_REQUIREMENT".split()
)


def pip_arguments(command: str, wheels: Optional[Path]) -> list[str]:
    """Return the arguments of a Python that runs one of pip's commands.

    Args:
        command: for instance ``install``.
        wheels: the folder that everything is taken from; None asks the package index.
    """
    options = [*ISOLATED, "-m", "pip"]
    if wheels is not None:
        # Nothing of the user's configuration may reach out after all.
        options.append("--isolated")
    options += [command, "--only-binary=:all:", "--no-user", "--no-input"]
    options += ["--disable-pip-version-check", "--no-warn-script-location"]
    if wheels is not None:
        return [*options, "--no-index", "--find-links", str(wheels)]
    return [*options, "--retries", str(PIP_RETRIES), "--timeout", "30"]


def step_variables(
    request: Request, temporary: Path, authorities: Optional[Path]
) -> dict[str, str]:
    """Return the variables with which the steps of a set-up run.

    Args:
        request: where the environment is made, and how the network is reached.
        temporary: the folder of temporary files; one without a name is not there yet.
        authorities: a file of those that are trusted, where there is one.
    """
    # GDAL's folders are kept: what is started here only imports it.
    kept = engine_environment(os.environ, keep_gdal_folders=True)
    variables = {name: value for name, value in kept.items() if name.upper() not in _DROPPED}
    if temporary.name:
        variables.update(dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary)))
        variables["PIP_CACHE_DIR"] = str(request.root / CACHE_NAME)
    if request.wheels is None:
        variables.update(request.network.variables)
        if authorities is not None:
            variables["PIP_CERT"] = str(authorities)
    return variables
