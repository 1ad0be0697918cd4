"""The steps that make one environment of the engine."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from ..messages import tr
from ..paths import engine_folder
from ..runner.background import pythons_in_use
from ..runner.environment import ISOLATED
from ..runner.process import Engine, running_pythons
from . import base_python, managed, pins, torch_build
from .command import Outcome, run_command
from .managed import Environment, venv_python
from .pip_call import pip_arguments, step_variables
from .reasons import Reason, explain, no_build
from .request import Request, SetupCancelled, SetupFailed, SetupListener
from .scrub import scrub
from .verify import verify
from .watcher import Watcher, file_size

# A whole PyTorch for GPUs over a slow line.
PIP_S = 5400.0
STEP_S = 600.0
# pip tries each connection again by itself, and we try pip again.
PIP_ATTEMPTS = 2
PAUSE_S = 2.0

# Prints the authorities that pip trusts by itself.
_CERTIFI = "import pip._vendor.certifi as c; print(c.contents())"
# Shares of the progress bar; downloading is by far the longest.
_MADE, _READY, _FETCHED, _INSTALLED = 4.0, 8.0, 80.0, 92.0


class Steps:
    """One environment on its way."""

    def __init__(self, request: Request, tiers: tuple[str, ...], listener: SetupListener) -> None:
        self._request = request
        self._tiers = tiers
        self._listener = listener
        self._offline = request.wheels is not None
        self._folder = Path()
        self._temporary = Path()
        # What is still to come over the network, and how far the bar has come.
        self._expected_mb, _ = pins.sizes_mb(tiers, request.compute)
        self._total_mb = self._expected_mb
        self._percent = 0.0

    def run(self) -> Environment:
        """Make the environment, or leave everything as it was.

        Raises:
            SetupFailed, SetupCancelled: see ``set_up``.
        """
        self._listener.stage(tr("Looking for QGIS's Python"))
        found = self._find_base()
        try:
            self._prepare_folders(found)
            self._make(found)
            self._install(found)
            packages = self._verify()
            environment = Environment(
                folder=self._folder,
                base=found.prefix,
                python_version=found.version,
                tiers=self._tiers,
                compute=self._request.compute,
                pins=pins.fingerprint(self._tiers, self._request.compute),
                made=datetime.now(timezone.utc).isoformat(timespec="seconds"),
                packages=packages,
            )
            try:
                environment.write()
            except OSError as error:
                raise SetupFailed(self._reason([str(error)], tr("Writing the stamp"))) from error
        except BaseException:
            if self._folder.name:
                managed.remove(self._folder)
            raise
        finally:
            if self._temporary.name:
                shutil.rmtree(self._temporary, ignore_errors=True)
        self._remove_others(environment)
        self._advance(100.0)
        return environment

    # --- steps ----------------------------------------------------------------------

    def _find_base(self) -> base_python.Base:
        said: list[str] = []
        for python in base_python.candidates():
            self._check_cancelled()
            outcome = self._run(python, base_python.question(), STEP_S, quiet=True)
            try:
                found = base_python.answer(python, outcome.output)
            except ValueError as error:
                said.append(f"{error}: {' '.join(outcome.lines[-3:])}")
                continue
            if found.gdal and found.numpy:
                self._listener.line(
                    f"{python}: Python {found.version}, GDAL {found.gdal}, numpy {found.numpy}"
                )
                return found
            said.append(f"{python} cannot import GDAL and numpy")
        for line in said:
            self._listener.line(line)
        raise SetupFailed(
            Reason(
                "no_base",
                tr("QGIS's own Python was not found as a program that imports GDAL and numpy."),
                tr("Use an interpreter that you already have."),
            )
        )

    def _prepare_folders(self, found: base_python.Base) -> None:
        root, branch = self._request.root, ".".join(found.version.split(".")[:2])
        if self._offline and not self._request.wheels.is_dir():
            raise SetupFailed(
                Reason(
                    "no_wheels",
                    tr("There is no folder {path}.").format(path=self._request.wheels),
                    tr("Choose the folder that holds the wheels."),
                )
            )
        if not self._offline and self._request.network.problem:
            raise SetupFailed(Reason("socks", self._request.network.problem))
        try:
            root.mkdir(parents=True, exist_ok=True)
            for leftover in managed.leftovers(root):
                managed.remove(leftover)
            self._check_space(root)
            self._folder = Path(tempfile.mkdtemp(prefix=f"{branch}-", dir=root))
            # Wheels are unpacked here: on another volume each file would be copied, and a
            # small /tmp would be full.
            self._temporary = Path(tempfile.mkdtemp(prefix="tmp-", dir=root))
        except OSError as error:
            raise SetupFailed(
                Reason(
                    "folder",
                    tr("{folder} cannot be written: {reason}.").format(
                        folder=root, reason=error.strerror or error
                    ),
                    tr(
                        "Check who may write there, or choose a place with the variable {name}."
                    ).format(name=managed.VARIABLE),
                )
            ) from error

    def _check_space(self, root: Path) -> None:
        download_mb, disk_mb = pins.sizes_mb(self._tiers, self._request.compute)
        needed_mb, free_mb = download_mb + disk_mb, shutil.disk_usage(root).free // 1_000_000
        if free_mb < needed_mb:
            raise SetupFailed(
                Reason(
                    "disk",
                    tr("{folder} has {free} MB free; about {needed} MB are needed.").format(
                        folder=root, free=free_mb, needed=needed_mb
                    ),
                    tr("Free some space, or move the engine with the variable {name}.").format(
                        name=managed.VARIABLE
                    ),
                )
            )

    def _make(self, found: base_python.Base) -> None:
        self._listener.stage(tr("Making the environment"))
        if not found.venv:
            raise SetupFailed(explain(["No module named venv"], offline=False, step=""))
        step = tr("Making the environment")
        arguments = ["-I", "-m", "venv", "--system-site-packages", "--without-pip"]
        self._must(self._run(found.python, [*arguments, str(self._folder)], STEP_S), step)
        self._advance(_MADE)
        if found.ensurepip:
            outcome = self._run(self._python, ["-I", "-m", "ensurepip"], STEP_S)
            if not outcome.good and not found.pip:
                self._must(outcome, tr("Adding pip"))
        elif not found.pip:
            raise SetupFailed(explain(["No module named ensurepip"], offline=False, step=""))
        self._advance(_READY)

    def _install(self, found: base_python.Base) -> None:
        self._write_authorities()
        constraints = self._temporary / "constraints.txt"
        # A local version (1.26.4+mkl) is on no index; its public part is.
        constraints.write_text(f"numpy=={found.numpy.partition('+')[0]}\n", encoding="utf-8")
        self._listener.stage(tr("Fetching the packages"))
        for tier in self._tiers:
            text = pins.requirements(tier, self._request.compute)
            index = "" if self._offline else pins.torch_index(self._request.compute)
            index = index if "torch==" in text else ""
            listed = self._temporary / f"{tier}.txt"
            listed.write_text(pins.with_build(text, index), encoding="utf-8")
            arguments = pip_arguments("install", self._request.wheels)
            arguments += ["--constraint", str(constraints), "--requirement", str(listed)]
            if index and self._torch_is_elsewhere(index, found):
                # For this tier alone: no other package shall come from there.
                arguments += ["--extra-index-url", index]
            self._pip_until_it_works(arguments)
            self._expected_mb -= pins.TIERS[tier].download_mb[self._request.compute]
        self._advance(_INSTALLED)

    def _torch_is_elsewhere(self, index: str, found: base_python.Base) -> bool:
        """Return whether PyTorch's own index is needed for its build.

        Raises:
            SetupFailed: nobody has that build. Another one is far larger, or computes
                elsewhere than was chosen: that is for the user to say.
        """
        version = pins.torch_version(tuple(map(int, found.version.split(".")[:2])))
        build = index.rpartition("/")[2]
        self._listener.line(tr("Looking for torch {version}").format(version=f"{version}+{build}"))
        source = torch_build.find_source(self._ask_pip, version, build, index)
        if source == torch_build.NOWHERE:
            raise SetupFailed(no_build(f"{version}+{build}", scrub(index), pins.TIERS["training"]))
        return source != torch_build.CONFIGURED

    def _ask_pip(self, arguments: Sequence[str]) -> str:
        """Return what pip says."""
        options = [*ISOLATED, "-m", "pip", *arguments]
        return "\n".join(self._run(self._python, options, STEP_S, quiet=True).lines)

    def _pip_until_it_works(self, arguments: Sequence[str]) -> None:
        step = tr("Installing the packages")
        for attempt in range(PIP_ATTEMPTS):
            outcome = self._run(self._python, arguments, PIP_S)
            reason = self._reason(outcome.lines, step)
            again = not outcome.good and reason.code == "no_network"
            if not again or outcome.cancelled or attempt + 1 == PIP_ATTEMPTS:
                self._must(outcome, step)
                return
            self._listener.line(tr("The connection broke; trying once more."))
            self._pause()

    def _verify(self) -> dict[str, str]:
        self._listener.stage(tr("Checking the packages"))
        engine = Engine(self._python, engine_folder())
        findings = verify(engine, self._listener.is_cancelled, pins.modules(self._tiers))
        self._check_cancelled()
        for finding in findings:
            self._listener.line(f"{finding.subject}: {finding.detail}")
        wrong = [finding for finding in findings if not finding.fine]
        if wrong:
            said = [f"{finding.subject}: {finding.detail}" for finding in wrong]
            raise SetupFailed(self._reason(said, tr("Checking the packages")))
        return {finding.subject: finding.detail for finding in findings}

    def _remove_others(self, environment: Environment) -> None:
        """Remove what the new environment replaces; another QGIS's stays."""
        used = [*running_pythons(), *pythons_in_use()]
        for other in managed.environments(self._request.root):
            if other.base != environment.base or other.folder == environment.folder:
                continue
            if any(other.folder in python.parents for python in used):
                # The next set-up removes it.
                self._listener.line(
                    tr("The old environment {folder} is still in use.").format(folder=other.folder)
                )
            elif not managed.remove(other.folder):
                self._listener.line(
                    tr("The old environment {folder} cannot be removed yet.").format(
                        folder=other.folder
                    )
                )

    # --- tools ----------------------------------------------------------------------

    @property
    def _python(self) -> Path:
        return venv_python(self._folder)

    @property
    def _authorities(self) -> Path:
        return self._temporary / "certificates.pem"

    def _write_authorities(self) -> None:
        """Write whom to trust, where QGIS knows more than pip does by itself."""
        if self._offline or not self._request.network.certificates:
            return
        # pip takes one file only, so the authorities that it brings along come in too.
        own = self._run(self._python, ["-I", "-c", _CERTIFI], STEP_S, quiet=True).output
        text = f"{self._request.network.certificates}\n{own}"
        self._authorities.write_text(text, encoding="utf-8")

    def _run(
        self, program: Path, arguments: Sequence[str], timeout_s: float, *, quiet: bool = False
    ) -> Outcome:
        is_written = bool(self._temporary.name) and self._authorities.exists()
        authorities = self._authorities if is_written else None
        variables = step_variables(self._request, self._temporary, authorities)
        return run_command(program, arguments, variables, Watcher(self, quiet), timeout_s)

    def _must(self, outcome: Outcome, step: str) -> None:
        """Go on only where a step went well."""
        self._check_cancelled()
        if outcome.good:
            return
        if outcome.timed_out:
            raise SetupFailed(
                Reason(
                    "timeout",
                    tr("{step} took too long and was ended.").format(step=step),
                    tr("Try again: what was downloaded is kept."),
                )
            )
        if outcome.killed:
            raise SetupFailed(
                Reason(
                    "killed",
                    tr("{step} was ended from outside.").format(step=step),
                    tr("Most often a virus scanner or too little memory is the reason."),
                )
            )
        raise SetupFailed(self._reason(outcome.lines, step))

    def _reason(self, lines: Sequence[str], step: str) -> Reason:
        found = explain(lines, offline=self._offline, step=step)
        secrets = self._request.network.secrets
        return Reason(found.code, scrub(found.message, secrets), found.hint)

    def _pause(self) -> None:
        """Give a network time to come back."""
        until = time.monotonic() + PAUSE_S
        while time.monotonic() < until:
            self._check_cancelled()
            time.sleep(0.1)

    def _check_cancelled(self) -> None:
        if self._listener.is_cancelled():
            raise SetupCancelled

    # --- what the watcher asks --------------------------------------------------------

    def hear(self, line: str) -> None:
        """Take a line of a step."""
        self._listener.line(line)
        if line.startswith("Installing collected packages"):
            self._listener.stage(tr("Installing the packages"))
        elif line.startswith("Collecting "):
            self._listener.stage(tr("Fetching the packages"))

    def look(self) -> None:
        """Tell how much was downloaded: pip has no progress that a program can read."""
        if not self._temporary.name or self._offline:
            return
        here_mb = sum(file_size(path) for path in self._temporary.glob("pip-*/*.whl")) / 1e6
        fetched_mb = self._total_mb - self._expected_mb + here_mb
        share = min(fetched_mb / self._total_mb, 1.0)
        self._advance(_READY + share * (_FETCHED - _READY))

    def _advance(self, percent: float) -> None:
        """Move the bar on, never back."""
        if percent > self._percent:
            self._percent = percent
            self._listener.progress(percent)

    def is_cancelled(self) -> bool:
        """Return whether the set-up shall end."""
        return self._listener.is_cancelled()
