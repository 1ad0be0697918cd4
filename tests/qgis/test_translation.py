"""The German plugin: nothing is left in English, and nothing breaks by being translated."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.qgis.keyboard import letters_given_twice
from tools import translations

GERMAN = translations.FOLDER / "hyperkd_de.ts"
RENEW = "run: .venv/bin/python -m tools.translations"


@pytest.fixture(scope="module")
def german() -> dict[str, str]:
    return translations.translated(GERMAN)


def show_qgis_in(monkeypatch, locale: str, shown: str) -> None:
    """Let QGIS have the language of the settings or the system, and show itself in another."""
    from hyperkd_qgis import translation

    class Application:
        locale = staticmethod(lambda: locale)

        @staticmethod
        def instance() -> Application:
            return Application()

        def translation(self) -> str:
            return shown

    monkeypatch.setattr(translation, "QgsApplication", Application)


@pytest.fixture
def in_german(plugin, monkeypatch):
    """Show the plugin as a German QGIS does."""
    from hyperkd_qgis import translation

    show_qgis_in(monkeypatch, "de_DE", "")
    installed = translation.Translation()
    plugin._provider.refreshAlgorithms()
    yield
    installed.remove()
    plugin._provider.refreshAlgorithms()


def own_texts() -> set[str]:
    """Return what the plugin says by itself."""
    texts = set(translations.workflow_texts())
    for path in (translations.ROOT / "hyperkd_qgis").rglob("*.py"):
        texts.update(translations._arguments(path, "tr"))
        texts.update(translations._arguments(path, "marked"))
    return texts


def test_nothing_is_left_untranslated(german):
    assert sorted(own_texts() - set(german)) == [], RENEW
    # The engine's stages and tool tips belong to others; a new one may lag behind.
    all_texts = set(translations.texts())
    assert len(all_texts - set(german)) <= 0.05 * len(all_texts), RENEW


def test_the_texts_of_a_workflow_are_its_help_its_inputs_and_its_results(tmp_path):
    folder = tmp_path / "resources/models"
    folder.mkdir(parents=True)
    model = translations.ROOT / "resources/models/mosaicmap.model3"
    (folder / model.name).write_bytes(model.read_bytes())
    own = [
        "A model fine-tuned for classification.",
        "Class map",
        "Hyperspectral rasters",
        "Joins scenes of one sensor to a virtual raster and classifies them as one, without seams.",
        "Model (name or .onnx file)",
        "Scenes with the same bands in the same reference system.",
        "Several scenes to one class map",
    ]
    of_steps = ["Band table (sensor or CSV file)", "Severe problems to accept"]
    of_steps += ["No-data value", "Scale (reflectance per stored unit)"]
    found = list(translations.workflow_texts(tmp_path))
    assert set(found) >= {*own, *of_steps}
    assert len(found) == len(own) + 2 * len(of_steps)  # and the help of each


def test_every_text_reaches_the_translator_as_it_stands():
    """A text that is put together first could never be found."""
    computed = []
    for path in sorted((translations.ROOT / "hyperkd_qgis").rglob("*.py")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if re.search(r"\btr\(f[\"']", line):
                computed.append(f"{path.name}:{number}")
    assert computed == []


def test_translations_keep_places_tags_and_edges(german):
    wrong = []
    for source, text in german.items():
        for pattern in (r"\{[^}]*\}", r"</?\w+>", r"&(?=\w)", r"^\s", r"\s$", r"\*\.\w+"):
            if sorted(re.findall(pattern, source)) != sorted(re.findall(pattern, text)):
                wrong.append((pattern, source, text))
    assert wrong == []


def test_the_compiled_file_is_that_of_the_source(in_german, german):
    from hyperkd_qgis.messages import tr

    assert [source for source, text in german.items() if tr(source) != text] == [], RENEW


def test_a_new_text_is_unfinished_and_an_old_one_goes(tmp_path):
    path = tmp_path / "hyperkd_fr.ts"
    left = translations.write(path, ["A & <b>", "New"], {"A & <b>": "Ä & <b>", "Old": "Alt"})
    assert left == ["New"]
    assert translations.translated(path) == {"A & <b>": "Ä & <b>"}
    assert "Old" not in path.read_text(encoding="utf-8")
    assert 'language="fr"' in path.read_text(encoding="utf-8")


def test_a_german_qgis_shows_german(in_german):
    from qgis.core import QgsApplication

    registry = QgsApplication.processingRegistry()
    names = {
        each.name(): (each.displayName(), each.group())
        for each in registry.providerById("hyperkd").algorithms()
    }
    assert names["classify"] == ("Szene klassifizieren", "Anwenden")
    assert names["quantize"] == ("Modell quantisieren", "Trainieren")
    assert names["classmap"] == ("Von der Szene zu Klassenkarte und Flächen", "Abläufe")
    classmap = registry.algorithmById("hyperkd:classmap")
    assert classmap.parameterDefinition("scene").description() == "Hyperspektrales Raster"
    assert {each.description() for each in classmap.destinationParameterDefinitions()} == {
        "Klassenkarte",
        "Flächen der Klassen",
    }
    embed = registry.algorithmById("hyperkd:embed")
    assert embed.parameterDefinition("FORMAT").help().startswith("Format der Ausgaben")
    assert "Hauptkomponenten" in embed.shortHelpString()


def test_the_dialog_of_a_workflow_is_german(in_german):
    """It shows a copy of what the registry has."""
    from qgis.core import QgsApplication

    classmap = QgsApplication.processingRegistry().createAlgorithmById("hyperkd:classmap")
    assert classmap.displayName() == "Von der Szene zu Klassenkarte und Flächen"
    scene = classmap.parameterDefinition("scene")
    assert (scene.description(), scene.help()) == ("Hyperspektrales Raster", "Die Szene.")
    assert "<h3>Hyperspektrales Raster</h3><p>Die Szene.</p>" in classmap.shortHelpString()


@pytest.mark.parametrize("name", ["finetune", "distill", "models", "engine"])
def test_letters_are_given_once_in_german_too(in_german, monkeypatch, tmp_path, name):
    from qgis.PyQt import sip

    from hyperkd_qgis.runner.background import BackgroundJobs
    from hyperkd_qgis.ui.distill_dialog import DistillDialog
    from hyperkd_qgis.ui.engine_dialog import EngineDialog
    from hyperkd_qgis.ui.finetune_dialog import FinetuneDialog
    from hyperkd_qgis.ui.models_dialog import ModelsDialog

    monkeypatch.setenv("HYPERKD_JOBS", str(tmp_path / "jobs"))
    monkeypatch.setenv("HYPERKD_MODELS", str(tmp_path / "models"))
    jobs = BackgroundJobs()
    dialog = {
        "finetune": lambda: FinetuneDialog(jobs),
        "distill": lambda: DistillDialog(jobs, list),
        "models": ModelsDialog,
        "engine": EngineDialog,
    }[name]()
    dialog.show()
    assert letters_given_twice(dialog) == []
    assert "HyperKD" in dialog.windowTitle()
    dialog.close()
    sip.delete(dialog)
    sip.delete(jobs)


def test_another_language_stays_english(plugin, monkeypatch):
    from hyperkd_qgis import translation

    show_qgis_in(monkeypatch, "fr", "")
    installed = translation.Translation()
    from hyperkd_qgis.messages import tr

    assert tr("Cancelled.") == "Cancelled."
    installed.remove()


@pytest.mark.parametrize(
    ("locale", "shown", "said"),
    [("C", "de", "Abgebrochen."), ("de_DE", "en", "Cancelled."), ("de_DE", "", "Abgebrochen.")],
)
def test_the_plugin_speaks_as_qgis_does(plugin, monkeypatch, locale, shown, said):
    """As after ``qgis --lang de``, which changes neither settings nor the system's language."""
    from hyperkd_qgis import translation
    from hyperkd_qgis.messages import tr

    show_qgis_in(monkeypatch, locale, shown)
    installed = translation.Translation()
    try:
        assert tr("Cancelled.") == said
    finally:
        installed.remove()


def test_the_file_is_shipped():
    from tools.plugin import contents

    names = [name for name, _ in contents(Path(translations.ROOT))]
    assert "hyperkd_qgis/resources/i18n/hyperkd_de.qm" in names


def test_what_the_engine_says_is_known_and_shown_in_german(in_german):
    from hyperkd.evaluation.splits.split_parts import buffer_note
    from hyperkd.training.finetune.holdout_scores import _few
    from hyperkd_qgis.engine_notes import translated

    assert translated(buffer_note(8, 32)) == (
        "Trainings- und Testlabel liegen nur 8 Pixel auseinander (32 wären sicherer, aber es "
        "blieben zu wenige Label). Die Werte können zu hoch sein."
    )
    assert translated(buffer_note(0, 32)).startswith("Trainings- und Testlabel können neben")
    assert translated(buffer_note(1, 32)).startswith(
        "Trainings- und Testlabel liegen nur 1 Pixel auseinander (32 "
    )
    assert translated(_few(1, 1)[0]).startswith("Nur 1 Pixel von 1 Ort testet das Modell. Für ")
    assert translated(_few(5, 40)[0]) == (
        "Nur 40 Pixel von 5 Orten testen das Modell. Für verlässlichere Werte Kreuzvalidierung "
        "verwenden."
    )
    assert translated("Left out, because the scene has no data there: 12 pixels.").endswith(
        "12 Pixel."
    )
    # Half a known sentence, and one that nobody knows, stay as they are.
    assert translated("Running on the processor. Something new.") == (
        "Läuft auf dem Prozessor. Something new."
    )
    assert translated("Map of {classes} (50 %).") == "Map of {classes} (50 %)."


def test_problems_of_a_scene_are_shown_in_german(in_german):
    import numpy as np

    from hyperkd.raster.bands import reflectance, word_checks, words
    from hyperkd_qgis.messages import problem, problems

    bright = reflectance.Brightness(4095.0, 1807.4, 4095.0)
    found = [
        reflectance.inferred_problem(1e-4, bright, np.dtype("uint16"), stated=False),
        *reflectance.bright_problem(reflectance.Brightness(1.0, 1.0, 2.0), 1.0),
        *reflectance.raw_counts(np.full((4, 9), 4095), np.ones((4, 9), bool), declared=False),
        *word_checks.word_problems(
            [words.Saying("radiance", "the description", "At-sensor radiance")], bright, 1e-4, True
        ),
    ]
    told = [problem({**each.as_json(), "scene": "a.tif"}) for each in found]
    assert told == [
        "Die Datei gibt keine Skalierung an; ihre Werte (uint16) werden als Reflexionsgrad x 10000 "
        "gelesen, was nur erschlossen ist: 99. Perzentil 4095, im mittleren Kanal 1807.4, in "
        "hellen Kanälen 4095. Ist das falsch, geben Sie „Skalierung“ bei den erweiterten "
        "Parametern oder Experten-Einstellungen an.",
        "Das 99. Perzentil heller Kanäle ist ein Reflexionsgrad von 2: Schnee oder Wolken bei "
        "tiefer Sonne, oder gar kein Reflexionsgrad. Sehen Sie sich die Spektren an (Raster "
        "untersuchen).",
        "4 von 4 Kanälen enden genau bei 4095, der größten Zahl von 12 Bit: die Werte sehen nach "
        "Rohwerten eines Detektors in Sättigung aus. Kalibrieren Sie sie zu Reflexionsgraden.",
        "Beschreibung: 'At-sensor radiance' (Strahldichte); die Zahlen sehen aber nach "
        "Reflexionsgrad aus (99. Perzentil 0.41). Sie werden als Reflexionsgrad gelesen. Prüfen "
        "Sie, ob sie das sind; dann berichtigen Sie den Text.",
    ]
    several = {"problems": [{"message": "a.tif: No data.", "scene": "a.tif", "hint": ""}]}
    assert problems(several) == ["a.tif: No data."]


def test_a_detector_without_data_is_told_in_german(in_german, tmp_path):
    import numpy as np

    from hyperkd.raster.open_raster import open_raster
    from hyperkd_qgis.messages import problem
    from tests.factories import make_raster

    told = []
    for value in (0, -9999):
        data = np.random.default_rng(0).integers(2000, 4000, (36, 5, 7)).astype(np.int16)
        data[18:, :2] = value
        wavelengths = np.linspace(430, 2400, 36).tolist()
        path = make_raster(tmp_path / f"{value}.tif", data, wavelengths=wavelengths)
        with open_raster(str(path)) as source:
            told += [problem({**each.as_json(), "scene": "a.tif"}) for each in source.problems]
    assert told == [
        "Alle Kanäle von 1950 bis 2400 nm enthalten 0 in 40.0% der Pixel (ganzes Raster), die "
        "übrigen Kanäle nicht; diese Pixel zählen als Werte. Hat ein Detektor dort keine Daten, "
        "geben Sie 0 als „Nodata-Wert“ bei den erweiterten Parametern oder "
        "Experten-Einstellungen an.",
        "Alle Kanäle von 1950 bis 2400 nm enthalten -9999 in 40.0% der Pixel (ganzes Raster); das "
        "ist kein Reflexionsgrad und nicht der Nodata-Wert: solche Pixel gelten überall als "
        "fehlend.",
    ]


def test_what_is_meant_for_the_command_line_is_said_in_the_words_of_the_dialogs(plugin):
    """A window has no ``--accept``; what is named instead is what its field is called."""
    from hyperkd_qgis.algorithms.titles import field_title
    from hyperkd_qgis.engine_notes import SENTENCES, translated

    hint = "Calibrate them to reflectance. If you know better, accept it: --accept raw_counts."
    assert translated(hint) == (
        "Calibrate them to reflectance. If you know better, tick raw_counts under "
        f"“{field_title('embed', 'accept')}” in the advanced or expert settings."
    )
    assert "“No-data value”" in translated("If they are fill, declare it: --nodata 0.")
    for said in SENTENCES:
        assert not re.search(r"--\w|\bhyperkd [a-z]", translated(said)), said


def test_problems_of_a_product_are_shown_in_german(in_german):
    from hyperkd_qgis.engine_notes import translated

    # As tests/engine/test_product_validity.py finds them.
    assert translated(
        "The SWIR detector holds nothing but 0 in 40.0% of the pixels with data: they are left out."
    ) == (
        "Der Detektor SWIR enthält in 40.0% (Pixel mit Daten) nur 0: diese Pixel werden "
        "ausgelassen."
    )
    assert translated("Not used by its producer (List_Cw_*_Flags): bands 1-2.") == (
        "Vom Hersteller nicht verwendet (List_Cw_*_Flags): Kanäle 1-2."
    )
    assert translated(
        "Marked bad, because the error matrix calls them invalid in more than half of the sampled "
        "pixels with data: band 4."
    ).endswith("Hälfte (Stichprobe der Pixel mit Daten) ungültig nennt: Kanal 4.")


def test_the_notes_of_an_assessment_are_known(plugin):
    import numpy as np

    from hyperkd.evaluation.scores.class_accuracy import assess_classification
    from hyperkd_qgis.engine_notes import _translated

    names = ("roof", "water", "soil")
    classes = [{"name": name, "value": name, "color": "#000000"} for name in names]
    logits = np.eye(3)[[0, 0, 0, 0]] * 5.0
    found = assess_classification(np.array([0, 0, 1, 1]), logits, classes, np.arange(4), seed=0)
    assert len(found.notes) == 3
    for note in found.notes:
        assert _translated(note) is not None, note


def test_the_notes_of_a_restoration_are_known(plugin, tmp_path):
    import numpy as np

    from hyperkd_qgis.engine_notes import _translated
    from tests.engine.test_restore import CENTRES, NODATA, run, scene, striped, write

    values, _ = striped()
    values[50], values[55] = 0, 7  # flagged bad, and one number that nobody flags
    values[:40, 0, 0] = NODATA  # lacks too much
    values[9, 5, 5] = NODATA
    centres = np.where(np.arange(CENTRES.size) == 70, 1400.0, CENTRES)
    bad = ~np.isin(np.arange(CENTRES.size), (50, 70))
    path = write(tmp_path / "in.tif", values, wavelengths=centres, bbl=bad.astype(int))
    notes = run(path, stripes=True)[2]["notes"]
    notes += run(write(tmp_path / "whole.tif", scene()))[2]["notes"]
    known = {re.sub(r"[\d.,-]+", "", note) for note in notes}
    assert len(known) == 8
    for note in notes:
        assert _translated(note) is not None, note


def test_what_is_odd_about_labels_is_known(plugin):
    from hyperkd.raster.labels.field_values import ClassTable
    from hyperkd.raster.labels.missing_labels import MissingRule, words_problem
    from hyperkd_qgis.engine_notes import _translated

    field = "the field soc of a.gpkg"
    target, classes = MissingRule((), False), MissingRule((), True)
    table = ClassTable()
    for name in ("Wald", "wald", "GrÃ¼n"):
        table.code(name, "a.gpkg")
    found = [
        *target.judge({1.5: 9, 2.5: 9, -9999.0: 2}, "feature", field, total=20).problems,
        *classes.judge({1: 9, 2: 9, 3: 9, 255: 40}, "pixel", "a.tif", total=67).problems,
        *classes.judge({1: 9, 2: 9, 3: 9, -1: 40}, "pixel", "a.tif", total=67).problems,
        *classes.judge({1: 9, 2: 9, 3: 9, -1: 4}, "feature", field, total=31).problems,
        words_problem({"n/a": 2, "None": 1}, field),
        *table.problems([0, 1]),
    ]
    assert len(found) == 7
    for problem in found:
        assert _translated(problem.message) is not None, problem.message
        assert not problem.hint or _translated(problem.hint) is not None, problem.hint


def test_places_of_sentences_are_those_of_their_translations(german):
    from hyperkd_qgis.engine_notes import FRAGMENTS, IN_DIALOGS, SENTENCES

    for said in (*SENTENCES, *FRAGMENTS):
        source = IN_DIALOGS.get(said, said)
        assert sorted(re.findall(r"\{\w+\}", said)) == sorted(re.findall(r"\{\w+\}", source)), said
        places = re.findall(r"\{\w+\}", source)
        assert sorted(re.findall(r"\{\w+\}", german[source])) == sorted(places), source
        assert not re.search(r"\}\s*\{", source), source  # which would not be told apart
