"""The report: its page says what its JSON says, stands alone, and warns where it must."""

from __future__ import annotations

import json
import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from hyperkd.errors import HyperKDError
from hyperkd.evaluation.reports.accuracy_report import (
    OPTIMISTIC,
    render,
    report_contents,
    report_files,
    write_report,
)
from hyperkd.evaluation.reports.class_report import best_classical, verdict
from hyperkd.evaluation.reports.label_spectra import spectra_by_class, spectra_by_value
from hyperkd.evaluation.reports.page_parts import percent, plain, signed_points
from hyperkd.evaluation.reports.value_report import verdict as verdict_of_values
from hyperkd.evaluation.scores.class_accuracy import OVERALL, assess_classification
from hyperkd.evaluation.scores.map_area import estimate_area
from hyperkd.evaluation.scores.paired_comparison import compare_classifications, compare_regressions
from hyperkd.evaluation.scores.regression_error import assess_regression
from hyperkd.types import BandTable, Wavelengths
from tests.reports import SilentReport

NAMES = ("roof", 'tree <old> & "young"', "soil", "water")
CLASSES = tuple(
    {"name": name, "value": i + 1, "color": color}
    for i, (name, color) in enumerate(zip(NAMES, ("#cc3311", "#117733", "#999933", "#0077bb")))
)
TARGETS = ({"name": "soc", "unit": "%"}, {"name": "clay", "unit": "g/kg"})
CENTRES = np.array([450.0, 460.0, 470.0, 480.0, 700.0, 710.0, 720.0])
VOID_TAGS = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """Checks that tags are balanced; keeps text, attributes and the whole SVGs."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, Any]]] = []
        self.words: list[str] = []
        self.feed(html)
        assert self.open == []
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, Any]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID_TAGS:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, Any]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)


def bands() -> BandTable:
    count = len(CENTRES)
    return BandTable(
        Wavelengths(CENTRES),
        np.ones(count, bool),
        np.ones(count),
        np.zeros(count),
        np.full(count, np.nan),
    )


def classification(folder: Path, **others: Any) -> tuple[dict[str, Any], str]:
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 3, 300)
    logits = 2 * np.eye(4)[truth] + generator.gumbel(size=(300, 4))
    groups = np.arange(300) // 5
    predicted = logits.argmax(axis=1)
    rival = np.where(generator.random(300) < 0.5, truth, 0)
    found = assess_classification(truth, logits, CLASSES, groups, seed=0, temperature=1.5)
    settings = {
        "comparisons": [
            compare_classifications(
                truth,
                {"toy": predicted, "random forest": rival},
                4,
                groups,
                seed=0,
                settings={"random forest": {"trees": 200, "class_weight": None}},
            )
        ],
        "areas": estimate_area(
            truth,
            predicted,
            predicted,
            (100, 200, 300, 400),
            CLASSES,
            groups,
            pixel_ha=0.09,
            seed=0,
        ),
        "split": {
            "method": "polygons",
            "buffer_px": 7,
            "block_px": None,
            "seed": 3,
            "train": {"pixels": 1234, "groups": 40, "classes": {name: 300 for name in NAMES}},
            "test": {"pixels": 300, "groups": 60, "classes": {name: 75 for name in NAMES}},
            "validation": {},
            "left_out": {"pixels": 77},
            "notes": ["A note of the split."],
        },
        "history": [
            {"epoch": i, "loss": 1 / (i + 1), "validation_loss": 1.2 / (i + 1), "accuracy": i / 9}
            for i in range(9)
        ],
        "spectra": spectra_by_class(generator.random((300, 7)), truth, CLASSES, bands()),
        **others,
    }
    return written(folder, found, **settings)


def regression(folder: Path, **others: Any) -> tuple[dict[str, Any], str]:
    generator = np.random.default_rng(0)
    truth = generator.gamma(2, 1, (90, 2)) * (1, 100)
    predicted = truth + generator.normal(size=(90, 2)) * (0.3, 40)
    groups = np.arange(90) // 3
    found = assess_regression(truth, predicted, TARGETS, groups, seed=0)
    compared = [
        compare_regressions(
            truth[:, i],
            {"toy": predicted[:, i], "PLSR": predicted[:, i] * 0.8},
            groups,
            seed=0,
            settings={"PLSR": {"targets": [{"components": 4}, {"components": 5}]}},
        )
        for i in range(2)
    ]
    shown = spectra_by_value(generator.random((90, 7)), truth[:, 0], TARGETS[0], bands())
    return written(folder, found, **{"comparisons": compared, "spectra": shown, **others})


def written(folder: Path, found: Any, **settings: Any) -> tuple[dict[str, Any], str]:
    settings = {
        "title": "Is <this> map good?",
        "about": {"model": "toy & co", "scenes": "a.tif"},
        "protocol": "The test part.",
        **settings,
    }
    report = SilentReport()
    page = write_report(str(folder), report_contents(found, **settings), report)
    figures = folder / "report.json"
    assert report.artifacts == [("report", str(page)), ("figures", str(figures))]
    assert sorted(path.name for path in folder.iterdir()) == ["report.html", "report.json"]
    return json.loads(figures.read_text("utf-8")), page.read_text("utf-8")


def test_a_report_has_its_names_only_after_the_block(tmp_path: Path) -> None:
    contents, _ = classification(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with (
        pytest.raises(RuntimeError, match="the model failed"),
        report_files(str(tmp_path), {**contents, "title": "Another"}) as files,
    ):
        assert {role: path.name for role, path in files.items()} == {
            "report": "report.html",
            "figures": "report.json",
        }
        raise RuntimeError("the model failed")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_page_is_whole_and_stands_alone(tmp_path: Path) -> None:
    for number, make in enumerate((classification, regression)):
        _, html = make(tmp_path / str(number))
        page = Page(html)
        tags = {tag for tag, _ in page.tags}
        assert "script" not in tags
        for tag, attributes in page.tags:
            assert not {"src", "onclick", "onload"} & set(attributes), tag
            assert attributes.get("href", "#").startswith("#")
        assert "url(" not in html
        assert "@import" not in html
        for svg in re.findall(r"<svg.*?</svg>", html, re.S):
            ElementTree.fromstring(svg)  # well-formed, or it raises
            assert 'role="img"' in svg
            assert re.search(r'aria-label="[^"]+"', svg)
        anchors = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
        links = {attributes["href"][1:] for _, attributes in page.tags if "href" in attributes}
        assert links <= anchors


def test_every_figure_of_the_page_is_one_of_the_json(tmp_path: Path) -> None:
    told, html = classification(tmp_path / "r")
    text = Page(html).text
    assessment = told["assessment"]
    for name in OVERALL:
        found = assessment["overall"][name]
        shown = plain if name == "kappa" else percent
        assert shown(found["value"]) in text, name
    for row in assessment["classes"]:
        for name in ("users_accuracy", "producers_accuracy", "f1", "iou"):
            found = row[name]
            if found["low"] is not None:
                ends = f"({100 * found['low']:.1f} to {100 * found['high']:.1f})"
                assert f"{percent(found['value'])} {ends}" in text
    for line in assessment["confusion"]["pixels"]:
        assert " ".join(str(value) for value in line) in text
    for row in told["areas"]["classes"]:
        assert f"{row['area_ha']['value']:#.3g}".rstrip(".") in text
    rival = told["comparisons"][0]["methods"][1]
    assert signed_points(rival["model_minus_method"]["overall_accuracy"]) in text
    assert percent(assessment["calibration"]["calibrated"]["ece"]) in text
    assert plain(assessment["calibration"]["uncalibrated"]["nll"]) in text
    for value in ("1,234", "77", "A note of the split.", "toy & co", "The test part.", "Is <this>"):
        assert value in text


def test_every_figure_of_a_regression_is_one_of_the_json(tmp_path: Path) -> None:
    told, html = regression(tmp_path / "r")
    text = Page(html).text
    for target in told["assessment"]["targets"]:
        for name in ("r2", "rmse", "bias", "mae", "rpd", "rpiq"):
            found = target[name]
            ends = f"({plain(found['low'])} to {plain(found['high'])})"
            assert f"{plain(found['value'])} {ends}" in text, name
    assert "RMSE (g/kg)" in text
    assert html.count("<circle") > 2 * 90
    assert "components 4" in text


def test_names_are_shown_as_they_are_and_never_as_markup(tmp_path: Path) -> None:
    _, html = classification(tmp_path / "r")
    assert "<old>" not in html
    assert NAMES[1] in unescape(Page(html).text)


def test_undefined_figures_are_dashes_and_null(tmp_path: Path) -> None:
    told, html = classification(tmp_path / "r")
    water = told["assessment"]["classes"][3]
    assert water["producers_accuracy"] == {"value": None, "low": None, "high": None}
    row = re.search(r'<th scope="row"><span[^>]*></span>water</th>(.*?)</tr>', html)
    assert row is not None
    assert re.findall(r"<td[^>]*>(.*?)</td>", row.group(1))[1] == "–"
    assert "No reference pixel is water" in html


def test_optimistic_figures_carry_their_warning_on_top(tmp_path: Path) -> None:
    _, html = classification(tmp_path / "r", optimistic=True)
    assert OPTIMISTIC in html
    assert html.index(OPTIMISTIC) < html.index("<h2")
    _, honest = classification(tmp_path / "s")
    assert OPTIMISTIC not in honest


def test_sections_without_content_are_left_out(tmp_path: Path) -> None:
    _, html = classification(
        tmp_path / "r", comparisons=[], areas=None, split=None, history=[], spectra=None
    )
    headings = re.findall(r"<h2[^>]*>(.*?)</h2>", html)
    assert headings == ["Confusion matrix", "Classes", "Probabilities", "How this was measured"]


def test_validation_curves_are_dashed_in_the_colour_of_their_twin(tmp_path: Path) -> None:
    _, html = classification(tmp_path / "r")
    strokes = {
        name: (colour, dash)
        for colour, dash, name in re.findall(
            r'stroke="(#\w+)" stroke-width="1.6"( stroke-dasharray="6 4")?><title>(.*?)</title>',
            html,
        )
    }
    assert strokes["loss"][0] == strokes["validation loss"][0]
    assert (strokes["loss"][1], bool(strokes["validation loss"][1])) == ("", True)


def test_curves_of_spectra_break_where_bands_are_missing(tmp_path: Path) -> None:
    _, html = classification(tmp_path / "r")
    path = re.search(r'<path d="([^"]*)"[^>]*><title>roof</title>', html)
    assert path is not None
    assert [len(part.split("L")) for part in path.group(1).split("M")[1:]] == [4, 3]


def test_bands_inside_water_vapour_are_in_the_json_and_not_drawn(tmp_path: Path) -> None:
    centres = np.array([1300.0, 1320.0, 1340.0, 1400.0, 1940.0, 1980.0, 2000.0])
    table = BandTable(
        Wavelengths(centres), np.ones(7, bool), np.ones(7), np.zeros(7), np.full(7, np.nan)
    )
    reflectance = np.full((300, 7), 0.25)
    reflectance[:, 3:5] = 40.0
    truth = np.arange(300) % 3
    told, html = classification(
        tmp_path / "r", spectra=spectra_by_class(reflectance, truth, CLASSES, table)
    )
    assert told["spectra"]["kinds"][0]["mean"][3:5] == [40, 40]
    path = re.search(r'<path d="([^"]*)"[^>]*><title>roof</title>', html)
    assert path is not None
    assert [len(part.split("L")) for part in path.group(1).split("M")[1:]] == [3, 2]
    assert "2 bands in water vapour absorption are not drawn" in html


def method(name: str, value: float, difference: tuple[float, Any, Any], key: str) -> dict[str, Any]:
    found = dict(zip(("value", "low", "high"), difference))
    return {"name": name, key: {"value": value}, "model_minus_method": {key: found}}


def rival(name: str, figures: tuple[float, float], *differences: Any) -> dict[str, Any]:
    """A classical model by its overall accuracy and macro F1."""
    keys = ("overall_accuracy", "macro_f1")
    apart = [dict(zip(("value", "low", "high"), each)) for each in differences]
    return {
        "name": name,
        **{key: {"value": value} for key, value in zip(keys, figures)},
        "model_minus_method": dict(zip(keys, apart)),
    }


MORE, LESS, LIKE = (0.05, 0.01, 0.09), (-0.05, -0.09, -0.01), (0.05, -0.01, 0.09)


@pytest.mark.parametrize(
    ("accuracy", "f1", "words"),
    [
        (
            MORE,
            MORE,
            "It is better than the best classical model, svm: overall accuracy +5.0 (+1.0 to",
        ),
        (MORE, LIKE, "macro F1 +5.0 (−1.0 to +9.0) points."),
        (LESS, LIKE, "The classical model svm is better: overall accuracy −5.0 (−9.0 to −1.0)"),
        (LIKE, LESS, "is better: overall accuracy +5.0 (−1.0 to +9.0) points, macro F1 −5.0"),
        (MORE, LESS, "svm, it has a higher overall accuracy and a lower macro F1: overall"),
        (LIKE, LIKE, "svm, no difference can be shown: overall accuracy +5.0"),
        ((0.05, None, None), LIKE, "svm, are: overall accuracy +5.0 points, macro F1 +5.0"),
    ],
)
def test_the_verdict_follows_both_intervals(accuracy: Any, f1: Any, words: str) -> None:
    rivals = [rival("rf", (0.6, 0.5), MORE, MORE), rival("svm", (0.8, 0.6), accuracy, f1)]
    assert words in verdict([{"name": "toy"}, *rivals])
    assert verdict([{"name": "toy"}]) == ""


def test_the_best_classical_model_is_not_the_one_that_forgets_rare_classes() -> None:
    rivals = [rival("rf", (0.90, 0.40), MORE, MORE), rival("svm", (0.88, 0.85), MORE, LESS)]
    best = best_classical([{"name": "toy"}, *rivals])
    assert best is not None and best["name"] == "svm"


@pytest.mark.parametrize(
    ("difference", "words"),
    [
        ((-0.2, -0.3, -0.1), "lower than that of the best classical model, PLSR"),
        (
            (0.2, 0.1, 0.3),
            "PLSR has a lower RMSE; the difference is +0.200 (+0.100 to +0.300) %",
        ),
        ((-0.2, -0.3, 0.1), "PLSR, no difference can be shown: RMSE −0.200 (−0.300 to +0.100) %."),
        ((-0.2, None, None), "PLSR, by −0.200 %; there are too few groups"),
    ],
)
def test_the_verdict_of_a_regression_takes_the_smaller_error(difference: Any, words: str) -> None:
    rivals = [method("rf", 2.0, (-1, -2, -0.5), "rmse"), method("PLSR", 1.0, difference, "rmse")]
    assert words in verdict_of_values([{"name": "toy"}, *rivals], TARGETS[0])


def test_many_classes_and_one_target_are_shown_too(tmp_path: Path) -> None:
    classes = [{"name": f"class {i}", "value": i, "color": "#336699"} for i in range(40)]
    truth = np.arange(400) % 40
    found = assess_classification(truth, np.eye(40)[truth], classes, np.arange(400), seed=0)
    _, html = written(tmp_path / "many", found)
    Page(html)
    assert html.count("in the map, class 7 in the reference") == 40
    values = np.arange(20.0)[:, None]
    one = assess_regression(values, values + 1, TARGETS[:1], np.arange(20), seed=0)
    told, html = written(tmp_path / "one", one)
    assert told["assessment"]["targets"][0]["bias"]["value"] == 1
    assert "<h3>" not in html


def test_more_targets_than_a_sentence_holds_are_counted(tmp_path: Path) -> None:
    targets = [{"name": f"t{i}", "unit": ""} for i in range(5)]
    values = np.random.default_rng(0).random((30, 5))
    found = assess_regression(values, values + 0.1, targets, np.arange(30), seed=0)
    _, html = written(tmp_path / "r", found)
    assert "And 2 more targets." in html


def test_the_page_can_be_made_again_from_the_json(tmp_path: Path) -> None:
    told, html = classification(tmp_path / "r")
    assert render(told) == html


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    values = np.arange(20.0)[:, None]
    found = assess_regression(values, values, TARGETS[:1], np.arange(20), seed=0)
    with pytest.raises(HyperKDError, match="Cannot make the folder .*missing") as refused:
        written(tmp_path / "missing" / "r", found)
    assert refused.value.code == "unwritable_output"
    (tmp_path / "file").write_text("")
    with pytest.raises(HyperKDError, match="Cannot make the folder"):
        written(tmp_path / "file", found)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.5, "0.500"), (12345.6, "12,346"), (-0.00123, "−0.00123"), (150.4, "150"), (None, "–")],
)
def test_numbers_have_three_significant_digits(value: float | None, shown: str) -> None:
    assert plain(value) == shown
