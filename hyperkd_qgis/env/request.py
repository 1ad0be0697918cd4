"""What a set-up is asked for, how it tells what happens, and how it ends without success."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from .command import CommandListener
from .managed import engines_folder
from .network import Network
from .reasons import Reason


class SetupFailed(Exception):
    """A set-up that ended without its environment; nothing has changed.

    Attributes:
        reason: why, and what to do.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.text)
        self.reason = reason


class SetupCancelled(Exception):
    """The user wanted no more of it; nothing has changed."""


@dataclass(frozen=True)
class Request:
    """What to set up.

    Attributes:
        tiers: names of ``pins.TIERS``.
        compute: one of ``pins.COMPUTE``.
        wheels: a folder to take every package from instead of the network, or None.
        root: the folder of the environments.
        network: how to reach the package index.
    """

    tiers: tuple[str, ...] = ("inference",)
    compute: str = "cpu"
    wheels: Optional[Path] = None
    root: Path = field(default_factory=engines_folder)
    network: Network = field(default_factory=Network)


class SetupListener(CommandListener):
    """Where a set-up tells what happens. Does nothing by itself."""

    def stage(self, text: str) -> None:
        """Begin a step."""

    def progress(self, percent: float) -> None:
        """Tell how far the whole is."""
