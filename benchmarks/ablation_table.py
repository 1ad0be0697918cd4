"""Means, paired differences and their intervals: the table of the ablation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
from ablation_arms import ARMS
from ablation_baselines import BASELINES
from ablation_readouts import macro_f1
from numpy.typing import NDArray
from scipy.stats import t as student_t

# Column of the table: key in the rows, title, digits, whether large is good.
FIGURES = (
    ("f1_0.01", "F1, 1 %", 4),
    ("f1_0.1", "F1, 10 %", 4),
    ("f1_1", "F1, 100 %", 4),
    ("abundance", "abundance R²", 4),
    ("trait", "trait R²", 4),
    ("metamer", "metamer R²", 4),
    ("effective_rank", "effective rank", 1),
    ("potsdam_f1", "Potsdam F1", 4),
)
MASKED = (
    ("random_psnr_db", "PSNR (dB)", 2),
    ("random_ssim", "SSIM", 4),
    ("random_sam_deg", "SAM (°)", 3),
    ("guided_psnr_db", "guided: PSNR (dB)", 2),
    ("guided_ssim", "guided: SSIM", 4),
    ("guided_sam_deg", "guided: SAM (°)", 3),
    ("train_s", "training (s)", 0),
)
PRIMARY, SECOND = "f1_0.1", "metamer"
SECOND_BOUND = -0.02
NO_DIFFERENCE = "no detectable difference"
BOOTSTRAPS = 2000

# What is compared with what.
COMPARISONS = (
    ("E", "A", "all three against plain"),
    ("B", "A", "distillation alone"),
    ("C", "A", "guided masking alone"),
    ("D", "A", "the loss alone"),
    ("E", "E-distillation", "distillation, given the others"),
    ("E", "E-guided", "guided masking, given the others"),
    ("E", "E-loss", "the loss, given the others"),
    ("E", "E-random", "a trained teacher against a random one"),
    ("E", "E-shuffled", "the teacher's tokens in place against shuffled"),
    ("E", "A-matched", "all three against plain of the same time"),
    ("E-relation", "A", "with relations instead of features"),
    ("E-informed", "A", "with a teacher informed of land cover"),
)

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Difference:
    """A paired difference.

    Attributes:
        mean: over the seeds.
        low, high: 95 % interval (Student's t over the seeds); NaN for one seed.
        seeds: how many.
    """

    mean: float
    low: float
    high: float
    seeds: int

    @property
    def verdict(self) -> str:
        """Say which way it goes, or that it cannot be told."""
        if not (self.low > 0 or self.high < 0):
            return NO_DIFFERENCE
        return "higher" if self.mean > 0 else "lower"


def interval(values: Sequence[float]) -> Difference:
    """Return mean and 95 % interval of values, one a seed."""
    array = np.asarray(values, np.float64)
    count = len(array)
    mean = float(array.mean())
    if count < 2:
        return Difference(mean, float("nan"), float("nan"), count)
    half = float(student_t.ppf(0.975, count - 1) * array.std(ddof=1) / np.sqrt(count))
    return Difference(mean, mean - half, mean + half, count)


def paired(rows: Rows, arm: str, other: str, key: str) -> Optional[Difference]:
    """Return ``arm`` minus ``other`` over the seeds that both have, or None where there is none."""
    first, second = by_seed(rows, arm, key), by_seed(rows, other, key)
    seeds = sorted(set(first) & set(second))
    return interval([first[seed] - second[seed] for seed in seeds]) if seeds else None


def by_seed(rows: Rows, arm: str, key: str) -> dict[int, Any]:
    """Return a figure of an arm by seed."""
    return {row["seed"]: row[key] for row in rows if row["arm"] == arm and key in row}


def over_scenes(rows: Rows, arm: str, other: str, scored: Sequence[int]) -> Optional[Difference]:
    """Return the difference of the primary figure with an interval over held-out scenes.

    Scenes and seeds are drawn with replacement (bootstrap, percentiles), the same for
    both arms: the interval says what other scenes would have given.
    """
    key = f"confusion_{PRIMARY.split('_')[1]}"
    first, second = by_seed(rows, arm, key), by_seed(rows, other, key)
    seeds = sorted(set(first) & set(second))
    if not seeds:
        return None
    stacks = [np.array([chosen[seed] for seed in seeds]) for chosen in (first, second)]
    generator = np.random.default_rng(0)
    count, scenes = stacks[0].shape[:2]
    values = []
    for _ in range(BOOTSTRAPS):
        seed, scene = generator.integers(count, size=count), generator.integers(scenes, size=scenes)
        values.append(_mean_difference(stacks, seed, scene, scored))
    every = np.arange(count), np.arange(scenes)
    low, high = np.percentile(values, (2.5, 97.5))
    return Difference(_mean_difference(stacks, *every, scored), float(low), float(high), count)


def _mean_difference(
    stacks: Sequence[NDArray[Any]], seed: Any, scene: Any, scored: Sequence[int]
) -> float:
    chosen = np.asarray(scored)
    first, second = (
        np.mean([macro_f1(confusion, chosen) for confusion in stack[seed][:, scene].sum(1)])
        for stack in stacks
    )
    return float(first - second)


def summary(rows: Rows, scored: Sequence[int]) -> dict[str, Any]:
    """Return everything the document shows, as JSON values."""
    keys = [key for key, _, _ in (*FIGURES, *MASKED)]
    means = {
        arm: {key: _json(interval(list(values))) for key in keys if (values := _of(rows, arm, key))}
        for arm in (*ARMS, *BASELINES)
    }
    compared = []
    for arm, other, what in COMPARISONS:
        figures = {}
        for key in keys[:-1]:
            found = paired(rows, arm, other, key)
            if found is not None:
                figures[key] = {**_json(found), "verdict": found.verdict}
        if figures:
            scenes = over_scenes(rows, arm, other, scored)
            compared.append(
                {
                    "arm": arm,
                    "other": other,
                    "what": what,
                    "figures": figures,
                    "primary_over_scenes": None if scenes is None else _json(scenes),
                }
            )
    return {"means": means, "comparisons": compared, "registered": registered(rows)}


def registered(rows: Rows) -> dict[str, Any]:
    """Return the answers to the two questions that were asked before the runs."""
    first, second = paired(rows, "E", "A", PRIMARY), paired(rows, "E", "A", SECOND)
    if first is None or second is None:
        return {}
    return {
        "primary": {**_json(first), "met": bool(first.low > 0)},
        "second": {**_json(second), "bound": SECOND_BOUND, "met": bool(second.low > SECOND_BOUND)},
    }


def _of(rows: Rows, arm: str, key: str) -> list[float]:
    return list(by_seed(rows, arm, key).values())


def _json(value: Difference) -> dict[str, Any]:
    def plain(number: float) -> Optional[float]:
        return round(number, 5) if np.isfinite(number) else None

    return {
        "mean": plain(value.mean),
        "low": plain(value.low),
        "high": plain(value.high),
        "seeds": value.seeds,
    }


def markdown(result: Mapping[str, Any]) -> str:
    """Return the tables of ``summary``."""
    parts = [
        _answers(result["registered"]),
        "**Read-outs of the frozen encoders, held-out scenes.** Mean ± half of the 95 % interval "
        "over the seeds.",
        _means(result["means"], ARMS, FIGURES),
        "**Reconstruction of hidden pixels, held-out scenes**, and the processor's seconds "
        "of one training.",
        _means(result["means"], ARMS, MASKED),
        "**Without a student**, the same labels, scenes and scores.",
        _means(result["means"], BASELINES, FIGURES),
        "**Paired differences**, with their 95 % intervals over the seeds.",
        _differences(result["comparisons"], FIGURES[:6]),
        "**Paired differences of the reconstruction.**",
        _differences(result["comparisons"], MASKED[:6]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _answers(asked: Mapping[str, Any]) -> str:
    """Return the registered questions with their answers, or nothing before there are any."""
    lines = []
    for key, what, bound in (
        ("primary", "F1 at 10 % of the labels, E − A", "above 0"),
        ("second", "metamer R², E − A", f"above {SECOND_BOUND}"),
    ):
        if key in asked and asked[key]["low"] is not None:
            found = asked[key]
            words = [f"{found['mean']:+.4f}, 95 % interval {found['low']:+.4f} to"]
            words += [f"{found['high']:+.4f} over {found['seeds']} seeds;"]
            if found["low"] <= 0 <= found["high"]:
                words.append(f"{NO_DIFFERENCE};")
            words.append(f"lower bound {bound}: {'yes' if found['met'] else 'no'}.")
            lines.append(f"- **{key.capitalize()}** ({what}): {' '.join(words)}")
    return "\n".join(lines)


def _means(
    means: Mapping[str, Any], titles: Mapping[str, Any], figures: Iterable[tuple[str, str, int]]
) -> str:
    columns = list(figures)
    lines = [["", *(title for _, title, _ in columns)]]
    for name, about in titles.items():
        if means.get(name):
            title = about if isinstance(about, str) else f"**{name}** {about.title}"
            cells = [_mean_cell(means[name].get(key), digits) for key, _, digits in columns]
            lines.append([title, *cells])
    return _table(lines)


def _mean_cell(value: Optional[Mapping[str, Any]], digits: int) -> str:
    if value is None:
        return ""
    if value["high"] is None or value["high"] == value["low"]:
        return f"{value['mean']:.{digits}f}"
    return f"{value['mean']:.{digits}f} ± {(value['high'] - value['low']) / 2:.{digits}f}"


def _differences(compared: Sequence[Mapping[str, Any]], figures: Sequence[Any]) -> str:
    lines = [["", *(title for _, title, _ in figures)]]
    for entry in compared:
        cells = [_difference_cell(entry["figures"].get(key), digits) for key, _, digits in figures]
        lines.append([f"{entry['arm']} − {entry['other']}: {entry['what']}", *cells])
    return _table(lines)


def _difference_cell(value: Optional[Mapping[str, Any]], digits: int) -> str:
    if value is None:
        return ""
    if value["low"] is None:
        return f"{value['mean']:+.{digits}f}"
    cell = f"{value['mean']:+.{digits}f} [{value['low']:+.{digits}f}, {value['high']:+.{digits}f}]"
    return f"{cell} {NO_DIFFERENCE}" if value["verdict"] == NO_DIFFERENCE else f"**{cell}**"


def _table(lines: Sequence[Sequence[str]]) -> str:
    rows = [lines[0], ["---"] * len(lines[0]), *lines[1:]]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
