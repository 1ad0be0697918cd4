"""The figures of ``bench_inference`` as the tables of docs/inference.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

BEGIN, END = "<!-- table -->", "<!-- end of table -->"
STAGES = ("read", "prepare", "compute", "blend", "decide", "write")
LAYOUTS = {
    "strips": "band sequential, strips of 3 rows",
    "pixel-tiles": "pixel interleaved, tiles of 512",
    "band-tiles": "band interleaved, tiles of 512",
}

Result = Mapping[str, Any]


def document(results: Mapping[str, Result]) -> str:
    """Return what the cases found, as Markdown.

    Args:
        results: by the case's name; cases that were not measured are left out.
    """
    parts = []
    for name, write in (
        ("speed", _speed),
        ("tiny", _speed),
        ("memory", _memory),
        ("start", _start),
        ("faults", _faults),
        ("overlap", _overlap),
    ):
        if name in results:
            parts.append(write(results[name]))
    return "\n\n".join(parts) + "\n"


def _speed(result: Result) -> str:
    rows = result["rows"]
    lines = [
        [
            row["model"],
            LAYOUTS[row["layout"]],
            row["border"],
            str(row["tiles"]),
            f"{row['job_s']:.1f}",
            f"{row['floor_s']:.1f}",
            f"**{row['ratio']:.2f}**",
            f"{row['bare_s']:.1f}",
            f"{row['plain_s']:.1f}",
            f"**{row['factor']:.2f}**",
            f"{row['peak_mb']:.0f}",
        ]
        for row in rows
    ]
    titles = ("model", "layout, DEFLATE", "nodata", "tiles", "job s", "floor s", "job / floor")
    more = ("bare network s", "plain loop s", "plain / job", "peak MB")
    apart = max(row["spread"] for row in rows)
    about = (
        f"One scene of 1100 x 1000 pixels and 224 bands on {result['cores']} cores "
        f"(onnxruntime {result['onnxruntime']}, GDAL {result['gdal']}), medians of "
        f"{rows[0]['turns']} turns; the runs of one line are at most {apart:.0%} apart."
    )
    told = [about, _table([*titles, *more], lines), _stages(rows)]
    gain = _int8(rows)
    return "\n\n".join([*told, gain] if gain else told)


def _stages(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = []
    for row in rows:
        if row["border"] == "none" and "int8" not in row["model"]:
            continue
        stages = [row["stages"].get(stage, 0.0) for stage in STAGES]
        rest = row["cpu_s"] - sum(stages)
        seconds = [f"{second:.2f}" for second in (*stages, rest, row["cpu_s"])]
        least = [f"{row['bare_cpu_s']:.2f}", f"{row['decode_cpu_s']:.2f}"]
        lines.append([row["model"], row["layout"], *seconds, *least])
    titles = ["model", "layout", *STAGES, "rest", "sum", "bare calls", "one decoding pass"]
    about = (
        "Processor seconds of the same jobs, with the border of nodata, by stage (`rest`: "
        "starting Python, its libraries and the network), and those that the floor is made of:"
    )
    return f"{about}\n\n{_table(titles, lines)}"


def _int8(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return how much faster int8 is, where it was measured."""
    by_name = {(row["model"], row["layout"], row["border"]): row for row in rows}
    pairs = [
        (by_name[name.replace(" int8", ""), layout, border], row)
        for (name, layout, border), row in by_name.items()
        if name.endswith(" int8")
    ]
    if not pairs:
        return ""
    calls = [before["bare_cpu_s"] / after["bare_cpu_s"] for before, after in pairs]
    jobs = [before["job_s"] / after["job_s"] for before, after in pairs]
    return (
        f"int8 computes the bare calls {_range(calls)} times as fast as float32, and the whole "
        f"job {_range(jobs)} times; what it costs is on [quantisation.md](quantisation.md)."
    )


def _range(values: Sequence[float]) -> str:
    low, high = f"{min(values):.2f}", f"{max(values):.2f}"
    return low if low == high else f"{low} to {high}"


def _memory(result: Result) -> str:
    rows = result["rows"]
    heights = [key for key in rows[0] if key.startswith("peak_mb")]
    lines = [
        [
            row["model"],
            LAYOUTS[row["layout"]],
            *(f"{row[key]:.0f}" for key in heights),
            f"{row['apart']:.1%}",
            f"{row['estimated_mb']:.0f}",
        ]
        for row in rows
    ]
    titles = [f"MB at {key.split()[-1]} x the height" for key in heights]
    about = "Peak resident memory of the whole process with defaults, and the estimate before:"
    table = _table(["model", "layout", *titles, "apart", "estimated MB"], lines)
    return f"{about}\n\n{table}"


def _start(result: Result) -> str:
    lines = [
        [
            row["model"],
            LAYOUTS[row["layout"]],
            f"{row['first_event_s']:.2f}",
            f"{row['slowest_first_event_s']:.2f}",
            f"{row['first_tile_s']:.2f}",
        ]
        for row in result["rows"]
    ]
    titles = ["model", "layout", "first progress s", "slowest of them s", "first tile s"]
    return f"Seconds after the start of the process:\n\n{_table(titles, lines)}"


def _faults(result: Result) -> str:
    keys = ("what", "times", "went on", "began anew", "finished first", "wrong", "slowest end s")
    lines = [
        [f"{row[key]:.2f}" if key == "slowest end s" else str(row[key]) for key in keys]
        for row in result["rows"]
    ]
    about = (
        "Jobs ended at random moments and started again with `--resume`. `wrong` counts "
        "whatever should not be: an output that was touched, a file that is left, an orphan, "
        "bytes that are not those of an undisturbed run, a cancel that takes more than 2 s:"
    )
    return f"{about}\n\n{_table([key.replace(' s', ', s') for key in keys], lines)}"


def _overlap(result: Result) -> str:
    lines = [
        [str(row["overlap_px"]), f"{row['deviation']:.3f}", f"{row['worst_step']:.2f}"]
        for row in result["rows"]
    ]
    about = (
        "What an overlap leaves of the borders of tiles (shipped student, tiles of 64 pixels, "
        "its reconstruction): deviation from an overlap of 48 pixels as a share of the standard "
        "deviation, and the worst step between two rows as a multiple of the usual one:"
    )
    return f"{about}\n\n{_table(['overlap, pixels', 'deviation', 'worst step'], lines)}"


def _table(titles: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = [list(titles), ["---"] * len(titles), *map(list, lines)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
