"""From rows to figures: pooled over folds, paired by seed, with intervals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Optional

import numpy as np
from finetune_methods import SCRATCH, STUDENT
from numpy.typing import NDArray
from scipy.stats import t as student_t

from hyperkd.evaluation.scores.class_accuracy import score

BOOTSTRAPS = 1000
# Key and title of the figures, and whether large is good.
FIGURES: Mapping[str, tuple[tuple[str, str, bool], ...]] = {
    "classification": (("oa", "OA", True), ("macro_f1", "macro F1", True)),
    "regression": (("r2", "R²", True), ("rmse", "RMSE", False)),
    "traits": (("r2_0", "R² leaf area", True), ("r2_1", "R² chlorophyll", True)),
}

Rows = Sequence[Mapping[str, Any]]


def row_of(
    truth: NDArray[Any], predicted: NDArray[Any], scene: NDArray[np.int64], classes: int
) -> dict[str, Any]:
    """Return what a row keeps of the answers of a fold, by scene.

    Args:
        truth: ``(n,)`` class indices or ``(n, T)`` values.
        predicted: as ``truth``.
        scene: ``(n,)`` number of the test scene, the same in all seeds.
        classes: how many, 0 for a regression.
    """
    by_scene: dict[str, Any] = {}
    for number in np.unique(scene):
        here = scene == number
        if classes:
            flat = predicted[here] * classes + truth[here]
            counts = np.bincount(flat, minlength=classes**2).reshape(classes, classes)
            by_scene[str(number)] = counts.tolist()
        else:
            by_scene[str(number)] = [
                np.round(values[here], 6).tolist() for values in (truth, predicted)
            ]
    return {"by_scene": by_scene}


def pooled(rows: Rows) -> dict[str, Any]:
    """Return the answers of all folds of a seed and method, by scene."""
    scenes: dict[str, Any] = {}
    for row in rows:
        for name, kept in row["by_scene"].items():
            scenes[name] = np.asarray(kept)
    return scenes


def figures(kind: str, scenes: Sequence[Any]) -> dict[str, float]:
    """Return the figures of answers pooled over scenes.

    OA and macro F1 (mean over the classes in the truth) of the summed confusion matrix;
    R² as 1 - SSE / SST and RMSE of the first target, R² of each target.
    """
    if kind == "classification":
        matrix = np.sum(scenes, axis=0)
        result = score(matrix)
        return {"oa": float(result.overall_accuracy), "macro_f1": float(result.macro_f1)}
    truth, predicted = (np.concatenate([scene[i] for scene in scenes]) for i in (0, 1))
    squares = ((predicted - truth) ** 2).sum(axis=0)
    spread = ((truth - truth.mean(axis=0)) ** 2).sum(axis=0)
    explained = 1 - squares / spread
    return {
        "r2": float(explained[0]),
        "rmse": float(np.sqrt(squares[0] / len(truth))),
        **{f"r2_{target}": float(value) for target, value in enumerate(explained)},
    }


def summary(rows: Rows, kinds: Mapping[str, str], folds: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return a line for each task and method: means over seeds, and the student's lead.

    Args:
        rows: everything that was measured.
        kinds: kind by task.
        folds: number of folds by task; seeds with fewer are left out.
    """
    found: dict[tuple[str, str], dict[int, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        found[row["task"], row["method"]][row["seed"]].append(row)
    whole: dict[tuple[str, str], dict[int, Any]] = {
        key: {seed: pooled(parts) for seed, parts in seeds.items() if len(parts) == folds[key[0]]}
        for key, seeds in found.items()
    }
    lines = []
    for (task, method), answers in whole.items():
        # Methods are compared over the seeds that all of them have; from scratch has fewer.
        others = [
            set(seeds)
            for (name, other), seeds in whole.items()
            if name == task and other in (method, *_complete(whole, task))
        ]
        answers = {seed: answers[seed] for seed in sorted(set.intersection(*others))}
        if not answers:
            continue
        kind = kinds[task]
        values = {seed: figures(kind, list(scenes.values())) for seed, scenes in answers.items()}
        line: dict[str, Any] = {"task": task, "method": method, "seeds": len(values)}
        for key, _, _ in FIGURES[kind]:
            line[key] = float(np.mean([value[key] for value in values.values()]))
        parts = [part for seed in answers for part in found[task, method][seed]]
        line["seconds"] = sum(part["seconds"] for part in parts) / len(answers)
        line["_values"], line["_scenes"] = values, answers
        lines.append(line)
    _add_leads(lines, kinds)
    return lines


def _complete(whole: Mapping[tuple[str, str], Any], task: str) -> list[str]:
    return [method for name, method in whole if name == task and method != SCRATCH]


def _add_leads(lines: list[dict[str, Any]], kinds: Mapping[str, str]) -> None:
    """Add to every other method the student's difference to it, with two intervals."""
    mine = {line["task"]: line for line in lines if line["method"] == STUDENT}
    for line in lines:
        own = mine.get(line["task"])
        if own is None or line is own:
            continue
        for key, _, _ in FIGURES[kinds[line["task"]]]:
            seeds = sorted(set(own["_values"]) & set(line["_values"]))
            apart = [own["_values"][seed][key] - line["_values"][seed][key] for seed in seeds]
            line[f"lead_{key}"] = {
                "mean": float(np.mean(apart)),
                "over_seeds": _over_seeds(apart),
                "over_scenes": _over_scenes(own, line, seeds, kinds[line["task"]], key),
            }


def _over_seeds(apart: Sequence[float]) -> Optional[list[float]]:
    """Return Student's 95 % interval of a mean difference, None for one seed."""
    if len(apart) < 2:
        return None
    half = student_t.ppf(0.975, len(apart) - 1) * np.std(apart, ddof=1) / np.sqrt(len(apart))
    return [float(np.mean(apart) - half), float(np.mean(apart) + half)]


def _over_scenes(
    own: Mapping[str, Any], other: Mapping[str, Any], seeds: Sequence[int], kind: str, key: str
) -> Optional[list[float]]:
    """Return the 95 % interval of a difference when scenes are drawn anew (bootstrap).

    Both methods get the same draw. Scenes that occur in one seed only (simulated ones)
    are drawn among those of their seed.
    """
    if min(len(own["_scenes"][seed]) for seed in seeds) < 2:
        return None
    generator = np.random.default_rng(0)
    apart = []
    for _ in range(BOOTSTRAPS):
        values = []
        for seed in seeds:
            names = sorted(own["_scenes"][seed])
            drawn = generator.choice(names, len(names))
            first, second = (
                figures(kind, [line["_scenes"][seed][name] for name in drawn])[key]
                for line in (own, other)
            )
            values.append(first - second)
        apart.append(np.mean(values))
    low, high = np.percentile(apart, (2.5, 97.5))
    return [float(low), float(high)]


def markdown(lines: Sequence[Mapping[str, Any]], titles: Mapping[str, str], kinds: Any) -> str:
    """Return the tables, one for each task."""
    text = []
    for task, title in titles.items():
        own = [line for line in lines if line["task"] == task]
        if not own:
            continue
        keys = FIGURES[kinds[task]]
        names = [name for _, name, _ in keys]
        seeds = max(line["seeds"] for line in own)
        text += [
            f"**{title}** ({seeds} {'seed' if seeds == 1 else 'seeds'})",
            "",
            "| method | "
            + " | ".join([*names, *(f"HyperKD's lead in {name}" for name in names), "seconds"])
            + " |",
            "|---" * (2 + 2 * len(keys)) + "|",
        ]
        for line in sorted(own, key=lambda item: _order(item["method"])):
            cells = [f"{line[key]:.3f}" for key, _, _ in keys]
            cells += [_lead(line.get(f"lead_{key}")) for key, _, _ in keys]
            name = line["method"]
            if line["seeds"] < seeds:
                name += f" ({line['seeds']} {'seed' if line['seeds'] == 1 else 'seeds'})"
            text.append(f"| {name} | {' | '.join(cells)} | {line['seconds']:.0f} |")
        text.append("")
    return "\n".join(text)


def _order(method: str) -> tuple[int, str]:
    return [STUDENT, SCRATCH].index(method) if method in (STUDENT, SCRATCH) else 2, method


def _lead(lead: Optional[Mapping[str, Any]]) -> str:
    if lead is None:
        return ""
    shown = f"{lead['mean']:+.3f}"
    for name in ("over_seeds", "over_scenes"):
        if lead[name] is not None:
            low, high = lead[name]
            shown += f" [{low:+.3f}, {high:+.3f}]"
    return shown


def short(lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the lines as the task runner's table shows them."""
    rows = []
    for line in lines:
        row: dict[str, Any] = {"task": line["task"], "method": line["method"]}
        row["seeds"] = line["seeds"]
        for kind in FIGURES.values():
            for key, _, _ in kind:
                row[key] = line.get(key, "")
        row["seconds"] = line["seconds"]
        rows.append(row)
    return rows
