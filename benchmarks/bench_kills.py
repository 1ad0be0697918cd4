"""What kills, cancels, full disks and two jobs for one file leave.

    python3 build.py bench kills [--quick]

Six jobs as a user starts them (``kill_jobs``) are ended at random moments: by SIGKILL, by
SIGTERM, by a limit on the size of files that stands for a full disk, and by each other. After
each the old file or a whole new one is there, the user's files that are called almost as
the job's are untouched, and what is left is known by name. A last run that may end well
leaves its files and nothing else, nor anything in the temporary folder.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Optional

ROOT: Final = Path(__file__).resolve().parents[1]
for _path in (ROOT, ROOT / "engine"):
    sys.path.insert(0, str(_path))

from kill_jobs import KINDS, Job, environment, is_whole, make_jobs  # noqa: E402

KILLS, CANCELS, FULL, PAIRS = 10, 4, 3, 1  # of each job
QUICK = (2, 1, 1, 1)
CANCEL_S: Final = 10.0  # two seconds to hear it, six to tidy up, and what a busy machine needs
NEIGHBOURS: Final = ("{}.partner-list.txt", "{}.part2.rar", "{}.parts", "un{}.part")
CODES: Final = ("out_of_disk", "unwritable_output")


class Trial:
    """One job in a folder of its own, ended again and again.

    Args:
        job: the job.
        folder: an empty folder.
    """

    def __init__(self, job: Job, folder: Path) -> None:
        self.job, self.temporary, self.folder = job, folder / "tmp", folder / "out"
        self.folder.mkdir(parents=True)
        for pattern in NEIGHBOURS:
            (self.folder / pattern.format(job.files[0])).write_text("the user's")
        self.neighbours = {path.name for path in self.folder.iterdir()}
        self.wrong: list[str] = []
        self.seconds = 0.0
        self.slowest = 0.0

    def whole_run(self) -> None:
        """Let the job end well, and check that nothing else is left."""
        started = time.perf_counter()
        status, told = self.finish(self.start())
        self.seconds = time.perf_counter() - started
        if status != 0:
            self.wrong.append(f"a run ended with {status}: {told[-300:]}")
        self.check("a whole run", self.neighbours | set(self.job.files))
        left = [path.name for path in self.temporary.glob("hyperkd-*/*")]
        if left:
            self.wrong.append(f"{left} is left in the temporary folder")

    def kill(self, moment: float) -> None:
        """End the job by force."""
        before = self.state()
        process = self.start()
        time.sleep(moment)
        process.kill()
        self.finish(process)
        self.check_interrupted(f"a kill after {moment:.1f} s", before, killed=True)

    def cancel(self, moment: float) -> None:
        """Ask the job to end."""
        before = self.state()
        process = self.start()
        time.sleep(moment)
        process.send_signal(signal.SIGTERM)
        asked = time.perf_counter()
        status, told = self.finish(process)
        took = time.perf_counter() - asked
        self.slowest = max(self.slowest, took)
        what = f"a cancel after {moment:.1f} s"
        # Before the job has taken over the signals they end Python itself.
        if status not in (0, 5, -signal.SIGTERM) or took > CANCEL_S:
            self.wrong.append(f"{what} ended with {status} in {took:.1f} s: {told[-300:]}")
        self.check_interrupted(what, before, killed=status == -signal.SIGTERM)

    def full(self, size: int) -> None:
        """Let no file grow beyond a size."""
        before = self.state()
        status, told = self.finish(self.start(lambda: _limit(size)))
        what = f"a disk that is full after {size} bytes"
        if status != 0 and not any(f'"{code}"' in told for code in CODES):
            self.wrong.append(f"{what} ended with {status}: {told[-300:]}")
        self.check_interrupted(what, before, killed=False)

    def pair(self) -> None:
        """Start the job twice at once: one of them writes, the other says so."""
        ended = [self.finish(each) for each in [self.start(), self.start()]]
        statuses = sorted(status for status, _ in ended)
        refused = [told for status, told in ended if status == 2]
        if statuses not in ([0, 0], [0, 2]) or any(CODES[1] not in told for told in refused):
            self.wrong.append(f"two at once ended with {ended}"[:400])
        self.check("two at once", self.neighbours | set(self.job.files))

    # --- inside -----------------------------------------------------------------

    def start(self, before: Optional[Callable[[], None]] = None) -> subprocess.Popen[bytes]:
        """Start the job."""
        return subprocess.Popen(
            self.job.command(self.folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment(self.temporary),
            preexec_fn=before,
        )

    @staticmethod
    def finish(process: subprocess.Popen[bytes]) -> tuple[int, str]:
        """Wait for the end; return the exit status and what was said."""
        told = process.communicate(timeout=1800)[0].decode(errors="replace")
        return process.returncode, told

    def state(self) -> dict[str, str]:
        """Return the checksums of the files that count."""
        return {
            name: _digest(self.folder / name)
            for name in self.job.files
            if (self.folder / name).is_file()
        }

    def check_interrupted(self, what: str, before: dict[str, str], *, killed: bool) -> None:
        """Check that each file is the old one or a whole new one, and what is left beside."""
        for name, digest in self.state().items():
            if digest == before.get(name):
                continue
            try:
                whole = is_whole(self.folder / name)
            except Exception as error:  # noqa: BLE001 - whatever is wrong with it is counted
                whole = False
                what += f" ({error})"
            if not whole:
                self.wrong.append(f"{what}: {name} is no whole file")
        for name in before:
            if not (self.folder / name).exists() and not name.endswith(".aux.xml"):
                self.wrong.append(f"{what}: {name} is gone")
        known = self.neighbours | set(self.job.files) | set(self.job.kept)
        self.check(what, known | self.job.temporary() if killed else known, exact=False)

    def check(self, what: str, names: set[str], *, exact: bool = True) -> None:
        """Check the names in the folder, and the user's files."""
        found = {path.name for path in self.folder.iterdir()}
        if found - names - set(self.job.kept) or (exact and not names - found <= {"report"}):
            self.wrong.append(f"{what}: {sorted(found ^ names)} is left or missing")
        for name in self.neighbours:
            if (self.folder / name).read_text() != "the user's":
                self.wrong.append(f"{what}: {name} was touched")


def measure(
    job: Job, folder: Path, counts: tuple[int, int, int, int], generator: random.Random
) -> dict[str, Any]:
    """End one job in every way and return what was wrong."""
    kills, cancels, full, pairs = counts
    trial = Trial(job, folder)
    trial.whole_run()
    if trial.wrong:
        raise RuntimeError(f"{job.kind} cannot be ended in the middle: {trial.wrong}")
    sizes = [(trial.folder / name).stat().st_size for name in trial.state()]
    plan = [
        *(("kill", generator.uniform(0, trial.seconds)) for _ in range(kills)),
        *(("cancel", generator.uniform(0, trial.seconds)) for _ in range(cancels)),
        *(("full", generator.randrange(max(sizes))) for _ in range(full)),
    ]
    generator.shuffle(plan)
    for number, (how, value) in enumerate(plan):
        if number == len(plan) // 2:  # half of them meet no older file
            for name in trial.state():
                (trial.folder / name).unlink()
        getattr(trial, how)(int(value) if how == "full" else value)
        sys.stderr.write(f"{job.kind}: {how} {value:.4g}, wrong: {trial.wrong}\n")
    for _ in range(pairs):
        trial.pair()
    trial.whole_run()
    return {
        "job": job.kind,
        "kills": kills,
        "cancels": cancels,
        "full disks": full,
        "pairs": pairs,
        "s a run": trial.seconds,
        "slowest cancel s": trial.slowest,
        "wrong": len(trial.wrong),
        "what": "; ".join(trial.wrong[:3]),
    }


def _limit(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> int:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--jobs", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument(
        "--counts", nargs=4, type=int, metavar="N", help="Kills, cancels, full disks and pairs."
    )
    options = parser.parse_args()
    usual = QUICK if options.quick else (KILLS, CANCELS, FULL, PAIRS)
    counts = tuple(options.counts or usual)
    generator = random.Random(1)  # noqa: S311 - moments, not secrets
    jobs = make_jobs(ROOT / "build" / "bench" / "kills")
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            measure(jobs[kind], Path(folder) / kind, counts, generator) for kind in options.jobs
        ]
    protocol = (__doc__ or "").split("\n\n")[-1].replace("\n", " ").strip()
    options.output.write_text(json.dumps({"protocol": protocol, "rows": rows}, indent=1))
    return 1 if any(row["wrong"] for row in rows) else 0


if __name__ == "__main__":
    raise SystemExit(main())
