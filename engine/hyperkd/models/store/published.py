"""Which teachers are published where: repository, commit, checksum (``published.json``)."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Optional

from hyperkd.errors import HyperKDError

_FILE: Final = Path(__file__).with_name("published.json")


@dataclass(frozen=True)
class Published:
    """One file that somebody published.

    Attributes:
        name: how HyperKD calls it.
        aliases: other names that are understood, with hyphens.
        repository: owner and name on the hub.
        file: the file's name there.
        revision: full commit of the repository, 40 hexadecimal digits.
        sha256: checksum of the file, or None where no public source states it.
        bytes: its size, or None.
        licence: SPDX identifier.
    """

    name: str
    aliases: tuple[str, ...]
    repository: str
    file: str
    revision: str
    sha256: Optional[str]
    bytes: Optional[int]
    licence: str

    def url(self, revision: str, endpoint: str) -> str:
        """Return the address of the file at one commit, on the hub or a mirror of it."""
        return f"{endpoint.rstrip('/')}/{self.repository}/resolve/{revision}/{self.file}"


@lru_cache(maxsize=1)
def published() -> tuple[Published, ...]:
    """Return every published model, oldest version first."""
    return tuple(
        Published(
            **{
                **entry,
                "aliases": tuple(entry["aliases"]),
                # The prefix names the algorithm, as in other formats that pin content,
                # and tells scanners for leaked secrets that this is none.
                "revision": entry["revision"].partition(":")[2],
                "sha256": entry["sha256"] and entry["sha256"].partition(":")[2],
            }
        )
        for entry in json.loads(_FILE.read_text(encoding="utf-8"))["models"]
    )


def find_published(name: str) -> Published:
    """Return the published model that a name means; capitals and underscores do not matter.

    Raises:
        HyperKDError: ``bad_job`` with the known names.
    """
    wanted = name.lower().replace("_", "-")
    for model in published():
        if wanted in (model.name, *model.aliases):
            return model
    names = [model.name for model in published()]
    near = difflib.get_close_matches(wanted, names, 1)
    raise HyperKDError(
        "bad_job",
        f"There is no published model {name!r}.",
        (f"Did you mean {near[0]}? " if near else "") + f"Known are {', '.join(names)}.",
        known=names,
    )
