"""What the plugin reads of a model by itself: its card, its bands, its page."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests import shipped
from tests.qgis.model_files import card, write_model

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "resources" / "students"


@pytest.fixture(autouse=True)
def own_store(plugin, monkeypatch, tmp_path):
    """Give each test a model store of its own."""
    store = tmp_path / "models"
    store.mkdir()
    monkeypatch.setenv("HYPERKD_MODELS", str(store))
    return store


# --- the card ----------------------------------------------------------------------------


def test_the_card_is_the_one_that_the_engine_reads(plugin):
    onnx = pytest.importorskip("onnx")
    from hyperkd_qgis.modelfile import read_card

    path = SHIPPED / "tiny.onnx"
    model = onnx.load(str(path), load_external_data=False)
    expected = {each.key: each.value for each in model.metadata_props}["hyperkd.card"]
    assert read_card(path) == json.loads(expected)


def test_a_checkpoint_has_the_same_card(plugin):
    from hyperkd_qgis.modelfile import read_card

    found = read_card(SHIPPED / "tiny.safetensors")
    model = read_card(SHIPPED / "tiny.onnx")
    assert found["bands"] == model["bands"]
    assert found["task"] == model["task"]


def test_weights_are_not_read(plugin, tmp_path):
    """A model of a gigabyte, most of it a hole in the file."""
    from hyperkd_qgis.modelfile import read_card

    path, length = tmp_path / "large.onnx", 2**30
    small = write_model(tmp_path / "small.onnx", card())
    tail = small.read_bytes()[5000 + 5 :]  # what follows the graph
    head = b"\x08\x09\x3a" + b"\x80\x80\x80\x80\x04"
    with path.open("wb") as file:
        file.write(head)
        file.seek(length, 1)
        file.write(tail)
    started = time.thread_time()
    assert read_card(path)["licence"] == "CC0-1.0"
    assert time.thread_time() - started < 0.05


@pytest.mark.parametrize(
    "content",
    [b"", b"not a model", b"\x3a\xff\xff\xff\xff\x7f", b"\x08", b"\x0b", b"\x72\x03\x0a\x05a"],
)
@pytest.mark.parametrize("suffix", [".onnx", ".safetensors"])
def test_what_is_no_model_has_no_card(plugin, tmp_path, content, suffix):
    from hyperkd_qgis.modelfile import read_card

    path = tmp_path / f"odd{suffix}"
    path.write_bytes(content)
    assert read_card(path) is None


def test_a_model_of_another_maker_has_no_card(plugin, tmp_path):
    from hyperkd_qgis.modelfile import read_card

    assert read_card(write_model(tmp_path / "x.onnx", card(), key="model_type")) is None
    assert read_card(tmp_path / "nothing.onnx") is None
    assert read_card(tmp_path / "x.pt") is None


# --- names -------------------------------------------------------------------------------


def test_a_name_is_a_shipped_or_a_stored_model_or_a_path(plugin, own_store, tmp_path):
    from hyperkd_qgis.modelfile import find_model, local_models

    mine = write_model(own_store / "mine.onnx", card())
    other = write_model(tmp_path / "other.onnx", card())
    assert find_model("tiny").name == "tiny.onnx"
    assert find_model("mine") == mine
    assert find_model(str(other)) == other
    assert find_model("other") is None
    assert find_model("../models/mine") is None
    assert [path.stem for path in local_models()] == sorted(["mine", *shipped.NAMES])


def test_the_store_is_where_the_engine_has_it(plugin, monkeypatch):
    from hyperkd import folders
    from hyperkd_qgis.modelfile import models_folder

    assert models_folder() == folders.models_folder()
    monkeypatch.delenv("HYPERKD_MODELS")
    monkeypatch.setenv("XDG_DATA_HOME", "/somewhere/data")
    assert models_folder() == folders.models_folder() == Path("/somewhere/data/HyperKD/models")
    monkeypatch.delenv("XDG_DATA_HOME")
    assert models_folder() == folders.models_folder()


# --- checks before a run -----------------------------------------------------------------


@pytest.fixture
def check(plugin, use_engine, scene):
    """Return ``checkParameterValues`` of an algorithm on a scene."""
    import sys

    from qgis.core import QgsApplication, QgsProcessingContext

    use_engine(Path(sys.executable))

    def run(identifier, layer=scene, **values):
        algorithm = QgsApplication.processingRegistry().algorithmById(identifier)
        given = {"INPUT": layer, "OUTPUT": "TEMPORARY_OUTPUT", **values}
        if isinstance(layer, Path):
            given["INPUT"] = str(layer)
        return algorithm.checkParameterValues(given, QgsProcessingContext())

    return run


@pytest.mark.parametrize(
    ("identifier", "task", "sentence"),
    [
        ("hyperkd:classify", "pretrain", "needs a model fine-tuned for classification"),
        ("hyperkd:classify", "regression", "needs a model fine-tuned for classification"),
        ("hyperkd:regress", "classification", "needs a model fine-tuned for regression"),
        ("hyperkd:embed", "classification", "needs a student"),
        ("hyperkd:reconstruct", "regression", "needs a student"),
    ],
)
def test_a_model_for_something_else_is_refused(check, own_store, identifier, task, sentence):
    write_model(own_store / "mine.onnx", card(task, name="My model"))
    values = {"ERROR": "TEMPORARY_OUTPUT"} if identifier == "hyperkd:reconstruct" else {}
    good, reason = check(identifier, MODEL="mine", **values)
    assert not good
    assert reason.startswith("“My model” is a model for ")
    assert sentence in reason


@pytest.mark.parametrize(
    ("identifier", "task"),
    [("hyperkd:classify", "classification"), ("hyperkd:regress", "regression")],
)
def test_a_model_for_this_is_taken(check, own_store, identifier, task):
    write_model(own_store / "mine.onnx", card(task))
    assert check(identifier, MODEL="mine") == (True, "")


def test_an_unknown_name_is_refused_with_those_that_there_are(check, own_store):
    write_model(own_store / "mine.onnx", card())
    good, reason = check("hyperkd:embed", MODEL="tinny")
    assert not good
    assert reason.startswith(
        f"There is no model “tinny”. There are: {', '.join(sorted(['mine', *shipped.NAMES]))}."
    )


@pytest.fixture
def spectral(write_raster, tmp_path):
    """Return a maker of layers whose bands tell their wavelengths by name."""
    from qgis.core import QgsRasterLayer

    def make(centres, unit="nm"):
        names = [f"band {each:g} {unit}" for each in centres]
        path = write_raster(tmp_path / "s.tif", [[1.0, 2.0]], bands=len(names), names=names)
        return QgsRasterLayer(str(path), "Summer scene")

    return make


def test_a_scene_that_lacks_half_of_the_spectrum_is_refused(check, own_store, spectral):
    write_model(own_store / "mine.onnx", card(name="My model"))
    layer = spectral([450, 500, 550, 600, 650, 700, 850])
    good, reason = check("hyperkd:embed", layer, MODEL="mine")
    assert not good
    assert reason == (
        "“Summer scene” covers 450 to 850 nm, but My model needs 450 to 2200 nm: 2 of its 6 "
        "bands are missing, for instance at 2200 nm. Choose a scene of another sensor, or a "
        "model made for this one."
    )
    # who tells the bands is believed
    assert check("hyperkd:embed", layer, MODEL="mine", BANDS="enmap") == (True, "")


@pytest.mark.parametrize(
    ("centres", "unit"),
    [
        ([455, 560, 640, 860, 1590, 2190], "nm"),
        ([0.455, 0.56, 0.64, 0.86, 1.59, 2.19], "µm"),
    ],
)
def test_a_scene_that_may_do_is_left_to_the_engine(check, own_store, spectral, centres, unit):
    write_model(own_store / "mine.onnx", card())
    assert check("hyperkd:embed", spectral(centres, unit), MODEL="mine") == (True, "")


def test_few_wavelengths_among_many_bands_mean_something_else(check, own_store, write_raster):
    from qgis.core import QgsRasterLayer

    write_model(own_store / "mine.onnx", card())
    names = ["slope", "aspect", "index 550 nm", "height", "roughness"]
    path = write_raster(own_store / "s.tif", [[1.0, 2.0]], bands=5, names=names)
    assert check("hyperkd:embed", QgsRasterLayer(str(path), "s"), MODEL="mine") == (True, "")


def test_wavelengths_are_read_from_the_metadata_of_the_bands(plugin, potsdam):
    from qgis.core import QgsRasterLayer

    from hyperkd_qgis.spectrum import centres_nm

    found = centres_nm(QgsRasterLayer(str(potsdam.tile(128, 0)), "tile"))
    assert len(found) == 218
    assert found[1] == 418.24
    assert max(found.values()) == pytest.approx(2445.3, abs=0.5)


def test_bad_bands_do_not_count(plugin, tmp_path):
    from osgeo import gdal
    from qgis.core import QgsRasterLayer

    from hyperkd_qgis.spectrum import centres_nm

    path = tmp_path / "bad.tif"
    dataset = gdal.GetDriverByName("GTiff").Create(str(path), 2, 2, 3)
    for number, (centre, good) in enumerate(((0.45, 1), (1.4, 0), (2.2, 1)), 1):
        band = dataset.GetRasterBand(number)
        band.SetMetadataItem("wavelength", str(centre))
        band.SetMetadataItem("bbl", str(good))
    dataset = None
    assert centres_nm(QgsRasterLayer(str(path), "x")) == {1: 450.0, 3: 2200.0}


# --- the page ----------------------------------------------------------------------------


def test_the_page_tells_what_a_user_wants_to_know(plugin, tmp_path):
    from hyperkd_qgis.cards import card_page

    path = write_model(tmp_path / "mine.onnx", card())
    values = card(
        "classification",
        name="Trees",
        metrics={"test": {"macro_f1": 0.81234, "protocol": "blocks"}},
        teacher={"name": "Prithvi"},
        self_test={"seed": 1},
    )
    page = card_page(values, path=path, facts={"Fetched": "yesterday"})
    for text in (
        "<h1>Trees</h1>",
        "Classification",
        "CC0-1.0",
        "6 bands, 450 to 2200 nm",
        "wood &amp; &lt;grass&gt;",
        "background-color:#0000ff",
        "test</td><td>macro_f1 0.8123, protocol blocks",
        "Teacher</td><td>name Prithvi",
        "yesterday",
    ):
        assert text in page
    assert "none: results cannot be checked" not in page
    assert "none: results cannot be checked" in card_page(card())


def test_model_information_needs_no_engine(plugin, own_store, tmp_path):
    import processing

    write_model(own_store / "mine.onnx", card("classification", name="Trees"))
    page = tmp_path / "card.html"
    results = processing.run("hyperkd:modelinfo", {"MODEL": "mine", "OUTPUT": str(page)})
    assert results == {
        "OUTPUT": str(page),
        "NAME": "Trees",
        "TASK": "classification",
        "LICENCE": "CC0-1.0",
        "CLASSES": "water\nwood & <grass>",
        "BANDS": 6,
    }
    assert "<h1>Trees</h1>" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ("nobody", f"There is no model “nobody”. There are: {', '.join(shipped.NAMES)}."),
        ("odd", "has no HyperKD card"),
    ],
)
def test_model_information_refuses_with_a_sentence(plugin, own_store, model, sentence):
    import processing
    from qgis.core import QgsProcessingException

    (own_store.parent / "odd.onnx").write_bytes(b"odd")
    given = {"MODEL": model if model == "nobody" else str(own_store.parent / "odd.onnx")}
    with pytest.raises(QgsProcessingException, match=sentence):
        processing.run("hyperkd:modelinfo", {**given, "OUTPUT": "TEMPORARY_OUTPUT"})


@pytest.mark.parametrize(("bands", "refused"), [(1, True), (3, True), (4, False)])
def test_a_photo_is_told_to_be_no_hyperspectral_scene(
    plugin, write_raster, tmp_path, bands, refused
):
    from qgis.core import QgsRasterLayer

    from hyperkd_qgis.spectrum import mismatch

    path = write_raster(tmp_path / "photo.tif", [[1.0, 2.0]], bands=bands)
    layer = QgsRasterLayer(str(path), "photo")
    wanted = card(bands={"centre_nm": [float(nm) for nm in range(400, 1400, 10)]})
    said = mismatch(layer, wanted)
    if not refused:
        assert said == ""
        return
    has = "1 band" if bands == 1 else f"{bands} bands"
    assert said == (
        f"“photo” has {has}. HyperKD needs a hyperspectral scene: a model reads 100 bands."
    )
    few = card(bands={"centre_nm": [400.0] * (2 * bands)})
    assert mismatch(layer, few) == ""


def test_a_scene_is_inspected_whatever_a_student_needs(check, own_store, spectral):
    layer = spectral([500 + 5 * step for step in range(30)])
    good, said = check("hyperkd:embed", layer)
    assert not good
    assert "500 to 645 nm" in said
    assert check("hyperkd:inspect", layer) == (True, "")


# --- files that a stranger made -----------------------------------------------------------


def raw_model(path, text):
    """Write an ONNX file with any text in the place of its card."""
    from tests.qgis.model_files import _field

    entry = _field(1, b"hyperkd.card") + _field(2, text.encode("utf-8", "surrogatepass"))
    path.write_bytes(b"\x08\x09" + _field(7, bytes(50)) + _field(14, entry))
    return path


def nested(depth):
    value = "x"
    for _ in range(depth):
        value = [value]
    return value


STRANGE = {
    "deep": "[" * 100_000,
    "deep object": '{"a":' * 100_000,
    "deep training": json.dumps(card(training={"a": nested(200)})),
    "huge": json.dumps(card(ground_sampling_m=10**400)),
    "huge centre": json.dumps(card(bands={"centre_nm": [10**400]})),
    "endless": json.dumps(card()).replace("30.0", "1e999"),
    "no number": json.dumps(card()).replace("30.0", "NaN"),
    "half a character": json.dumps(card(name="\ud800")),
    "half a name": json.dumps(card(training={"\udfff": 1})),
    "a list": "[]",
    "a number": "7",
    "name": json.dumps(card(name=["x"])),
    "bands": json.dumps(card(bands=[])),
    "centres": json.dumps(card(bands={"centre_nm": "abc"})),
    "centre": json.dumps(card(bands={"centre_nm": [None]})),
    "classes": json.dumps(card("classification", classes={"a": 1})),
    "class": json.dumps(card("classification", classes=["a", 7])),
    "targets": json.dumps(card("regression", targets=[["x"]])),
    "range": json.dumps(card("regression", targets=[{"name": "x", "minimum": "low"}])),
    "metrics": json.dumps(card(metrics="good")),
    "teacher": json.dumps(card(teacher="me")),
    "quantisation": json.dumps(card(quantisation=[1])),
    "parents": json.dumps(card(parents=7)),
    "size": json.dumps(card(tile_px="64")),
    "sampling": json.dumps(card(ground_sampling_m={})),
}


@pytest.mark.parametrize("name", STRANGE)
def test_a_card_that_cannot_be_shown_is_none(plugin, own_store, name):
    from hyperkd_qgis.modelfile import read_card
    from hyperkd_qgis.ui.models_dialog import ModelsDialog

    path = raw_model(own_store / "strange.onnx", STRANGE[name])
    assert read_card(path) is None
    write_model(own_store / "good.onnx", card(name="good"))
    dialog = ModelsDialog()  # the others are shown
    names = [row.name for row in dialog.list.shown()]
    assert {"good", "strange", "tiny"} <= set(names)
    for each in names:
        assert dialog.list.select(each)


@pytest.mark.parametrize("header", [b"[]", b"7", b'{"__metadata__": 3}', b"[" * 100_000])
def test_a_checkpoint_with_another_header_has_no_card(plugin, tmp_path, header):
    from hyperkd_qgis.modelfile import read_card

    path = tmp_path / "m.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    assert read_card(path) is None
    path.write_bytes(b'{"__metadata__": {"hyperkd.card": 7}}')
    assert read_card(path) is None


def test_a_file_of_fields_without_end_is_left(plugin, tmp_path):
    from hyperkd_qgis.modelfile import read_card

    path = tmp_path / "many.onnx"
    path.write_bytes(b"\x08\x09" * 4_000_000)
    started = time.thread_time()
    assert read_card(path) is None
    assert time.thread_time() - started < 1


def test_a_pipe_or_a_broken_link_in_the_store_keeps_nobody_waiting(plugin, own_store):
    import os

    from hyperkd_qgis.modelfile import read_card
    from hyperkd_qgis.modelrows import rows_of_files

    os.mkfifo(own_store / "pipe.onnx")
    (own_store / "gone.onnx").symlink_to(own_store / "nowhere")
    (own_store / "folder.onnx").mkdir()
    assert read_card(own_store / "pipe.onnx") is None
    assert "tiny" in [row.name for row in rows_of_files()]
