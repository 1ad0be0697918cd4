"""Opening model files: the good one, and every kind of bad one by its own message."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import re
import zipfile

import numpy as np
import pytest

from hyperkd.errors import HyperKDError
from hyperkd.models.bundle import open_bundle, read_card, read_checkpoint_card
from hyperkd.models.card import CARD_KEY
from hyperkd.models.seal import SEAL_KEY, sealed
from hyperkd.models.store.registry import SHIPPED, resolve
from hyperkd.spectral.affine import Affine

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

TINY = SHIPPED / "tiny.onnx"
CHECKPOINT = SHIPPED / "tiny.safetensors"


@pytest.fixture(scope="module")
def tiny():
    return open_bundle(TINY)


def run(network: bytes, pixels, valid) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
    feed = {"pixels": np.float32(pixels), "valid": np.float32(valid)}
    (output,) = session.run(None, feed)
    return output


def refused(path, code, message, opener=open_bundle) -> HyperKDError:
    with pytest.raises(HyperKDError, match=message) as caught:
        opener(path)
    assert caught.value.code == code
    assert path.name in caught.value.message
    return caught.value


def write(tmp_path, content: bytes, name: str = "m.onnx"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


def changed(tmp_path, change):
    """Write the shipped student with a change to its parsed form, without its seal."""
    model = onnx.load(str(TINY))
    kept = [entry for entry in model.metadata_props if entry.key != SEAL_KEY]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    change(model)
    return write(tmp_path, model.SerializeToString())


# --- the shipped student ---------------------------------------------------------------


def test_the_shipped_student_opens(tiny):
    assert tiny.outputs == ("embedding", "reconstruction")
    assert tiny.sha256 == hashlib.sha256(TINY.read_bytes()).hexdigest()
    assert tiny.card.name == "tiny"
    assert len(tiny.card.bands) == 218
    assert np.all(np.diff(tiny.card.bands.centre_nm) > 0)


def test_the_shipped_student_and_its_checkpoint_carry_the_same_card(tiny):
    checkpoint = read_checkpoint_card(CHECKPOINT)
    assert checkpoint.to_json() == tiny.card.to_json()
    assert read_card(CHECKPOINT).to_json() == read_card(TINY).to_json()


def test_the_shipped_files_stay_small():
    assert TINY.stat().st_size + CHECKPOINT.stat().st_size < 12_000_000


def test_both_outputs_share_one_set_of_weights():
    """The checkpoint holds each weight once, and so does the model."""
    assert TINY.stat().st_size < 1.02 * CHECKPOINT.stat().st_size


def test_the_shipped_student_names_no_machine(tiny):
    content = TINY.read_bytes() + CHECKPOINT.read_bytes()
    for trace in (b"site-packages", b"/home/", b"/tmp/", b"stack_trace"):
        assert trace not in content


@pytest.mark.parametrize("output", ["embedding", "reconstruction"])
def test_the_shipped_student_passes_its_self_test(tiny, output):
    card = tiny.card
    pixels, valid = card.self_test.inputs(len(card.bands), card.tile_px)
    values = run(tiny.network(output), pixels, valid)
    assert card.self_test.check(output, values) < 1e-4


# --- cutting the network to one output --------------------------------------------------


def test_a_network_computes_one_output_and_holds_nothing_else(tiny):
    network = onnx.load_from_string(tiny.network("embedding"))
    names = {tensor.name for tensor in network.graph.initializer}
    assert [value.name for value in network.graph.output] == ["embedding"]
    assert not any(name.startswith(("decoder_blocks", "bridge", "spectra")) for name in names)
    whole = {tensor.name for tensor in tiny.graph.graph.initializer}
    assert any(name.startswith("bridge") for name in whole)


def test_the_cut_network_gives_what_the_whole_gives(tiny):
    generator = np.random.default_rng(0)
    pixels = generator.random((2, 218, 16, 24), dtype=np.float32)
    valid = np.float32(generator.random((2, 1, 16, 24)) < 0.9)
    session = onnxruntime.InferenceSession(str(TINY), providers=["CPUExecutionProvider"])
    whole = session.run(list(tiny.outputs), {"pixels": pixels, "valid": valid})
    for name, expected in zip(tiny.outputs, whole):
        got = run(tiny.network(name), pixels, valid)
        np.testing.assert_allclose(got, expected, atol=1e-5 * np.abs(expected).max())


def test_an_unknown_output_is_refused(tiny):
    with pytest.raises(HyperKDError, match="has no output 'classes', only embedding, recon") as e:
        tiny.network("classes")
    assert e.value.code == "bad_model"


def test_the_tokens_are_what_the_embedding_is_made_of(tiny):
    """Bilinear at patch 4, four pixels around a corner of tokens: shares of 1, 3, 5, 7 of 8."""
    pixels, valid = tiny.card.self_test.inputs(218, 64)
    assert tiny.has_tokens
    tokens = run(tiny.network("tokens"), pixels, valid)
    embedding = run(tiny.network("embedding"), pixels, valid)
    assert tokens.shape == (1, 128, 16, 16)
    t = tokens[0, :, 3:5, 6:8]
    expected = (
        5 * 7 * t[:, 0, 0] + 5 * t[:, 0, 1] + 3 * 7 * t[:, 1, 0] + 3 * t[:, 1, 1]
    ) / 64  # row 15 lies 3/8 beyond token 3, column 26 lies 1/8 beyond token 6
    np.testing.assert_allclose(embedding[0, :, 15, 26], expected, atol=1e-5)
    folded = run(tiny.network("tokens", Affine(2 * np.eye(218), np.zeros(218))), pixels / 2, valid)
    np.testing.assert_allclose(folded, tokens, atol=1e-5 * np.abs(tokens).max())


def test_an_embedding_that_is_made_otherwise_has_no_tokens(tmp_path):
    def sharpen(model):
        (node,) = (node for node in model.graph.node if "embedding" in node.output)
        for attribute in node.attribute:
            if attribute.name == "mode":
                attribute.s = b"cubic"

    bundle = open_bundle(changed(tmp_path, sharpen))
    assert not bundle.has_tokens
    with pytest.raises(HyperKDError, match="has no output 'tokens', only embedding") as caught:
        bundle.network("tokens")
    assert caught.value.code == "bad_model"


# --- folding a sensor into the first layer ----------------------------------------------


@pytest.mark.parametrize("output", ["embedding", "reconstruction"])
def test_folded_equals_unfolded(tiny, output):
    """Stored int16 values of 230 shuffled channels give what their reflectance gives."""
    generator = np.random.default_rng(1)
    matrix = np.zeros((218, 230))
    matrix[np.arange(218), generator.permutation(230)[:218]] = 1e-4
    first = Affine(matrix, generator.normal(0, 0.01, 218))
    stored = generator.integers(-200, 9000, (2, 230, 16, 16), dtype=np.int16)
    reflectance = np.stack([first.apply(tile.astype(np.float64)) for tile in stored])
    valid = np.ones((2, 1, 16, 16))
    folded = run(tiny.network(output, first), stored, valid)
    unfolded = run(tiny.network(output), reflectance, valid)
    np.testing.assert_allclose(folded, unfolded, atol=1e-5 * np.abs(unfolded).max())
    assert np.abs(unfolded).max() > 1e-3


def test_folding_leaves_the_bundle_as_it_was(tiny):
    before = tiny.graph.SerializeToString()
    tiny.network("embedding", Affine(np.zeros((218, 3)), np.ones(218)))
    assert tiny.graph.SerializeToString() == before


def test_a_first_layer_for_other_bands_is_refused(tiny):
    with pytest.raises(HyperKDError, match="gives 6 bands, the model takes 218") as caught:
        tiny.network("embedding", Affine(np.zeros((6, 10)), np.zeros(6)))
    assert caught.value.code == "band_mismatch"


def before_the_stem(model, *nodes) -> None:
    """Let the stem read the output of the last of ``nodes`` instead of the pixels."""
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            if name == "pixels" and node.op_type == "Conv":
                node.input[index] = nodes[-1].output[0] if nodes else "valid"
    for place, node in enumerate(nodes):
        model.graph.node.insert(place, node)


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([onnx.helper.make_node("Sqrt", ["pixels"], ["root"])], "pixels of the model m.onnx go in"),
        ([], "does not read its pixels: it has no spectral stem"),
    ],
)
def test_a_model_without_a_stem_cannot_be_folded(tmp_path, nodes, message):
    bundle = open_bundle(changed(tmp_path, lambda model: before_the_stem(model, *nodes)))
    with pytest.raises(HyperKDError, match=message) as caught:
        bundle.network("embedding", Affine(np.zeros((218, 3)), np.zeros(218)))
    assert caught.value.code == "bad_model"


def test_a_stem_that_mixes_pixels_or_bands_of_its_own_cannot_be_folded(tmp_path):
    def group(model):
        (stem,) = (node for node in model.graph.node if "stem.weight" in node.input)
        for attribute in stem.attribute:
            if attribute.name == "group":
                attribute.i = 2

    bundle = open_bundle(changed(tmp_path, group))
    with pytest.raises(HyperKDError, match="which is not a spectral stem") as caught:
        bundle.network("embedding", Affine(np.zeros((218, 3)), np.zeros(218)))
    assert caught.value.code == "bad_model"


# --- bad files ---------------------------------------------------------------------------


def test_a_missing_file(tmp_path):
    for path in (tmp_path / "none.onnx", tmp_path):
        for opener in (open_bundle, read_checkpoint_card):
            refused(path, "bad_model", "There is no model file", opener)


@pytest.mark.parametrize("content", [b"", b"no model\n" * 40, b"II*\x00" + bytes(500)])
def test_what_is_no_model(tmp_path, content):
    refused(write(tmp_path, content), "bad_model", "is not an ONNX model")


@pytest.mark.parametrize("share", [0.001, 0.25, 0.5, 0.999])
def test_a_model_that_was_cut_short(tmp_path, share):
    content = TINY.read_bytes()
    path = write(tmp_path, content[: int(len(content) * share)])
    refused(path, "bad_model", "was cut short or damaged")


def test_a_model_cut_exactly_after_its_first_field(tmp_path):
    refused(write(tmp_path, TINY.read_bytes()[:2]), "bad_model", "was cut short or damaged")


def test_a_flipped_bit_anywhere_is_noticed(tmp_path):
    """Most of them would change the answers too little for any self-test."""
    content = sealed(onnx.load(str(TINY)))
    open_bundle(write(tmp_path, content))
    generator = np.random.default_rng(0)
    # The first bytes tell that it is ONNX, the last ones are the seal's own.
    for place in generator.integers(8, len(content) - 100, 30):
        damaged = bytearray(content)
        damaged[place] ^= 1 << generator.integers(8)
        path = write(tmp_path, bytes(damaged))
        with pytest.raises(HyperKDError) as caught:
            open_bundle(path)
        assert caught.value.code in {"bad_model", "untrusted_model"}


def test_a_model_that_another_program_rewrote_is_not_what_was_written(tmp_path):
    model = onnx.load_from_string(sealed(onnx.load(str(TINY))))
    model.graph.initializer[0].raw_data = bytes(len(model.graph.initializer[0].raw_data))
    path = write(tmp_path, model.SerializeToString())
    error = refused(path, "bad_model", "damaged: it does not hold what was written")
    assert error.hint == "Copy or download it again."


def test_a_seal_is_replaced_and_the_rest_stays(tmp_path):
    model = onnx.load(str(TINY))
    first = sealed(model)
    assert sealed(onnx.load_from_string(first)) == first
    model.doc_string = "changed"
    second = open_bundle(write(tmp_path, sealed(model))).graph
    keys = [entry.key for entry in second.metadata_props]
    assert keys[-1] == SEAL_KEY and len(set(keys)) == len(keys)
    assert (second.doc_string, second.graph) == ("changed", model.graph)


def test_a_model_without_a_seal_is_read(tmp_path):
    """Those of earlier versions have none."""
    path = changed(tmp_path, lambda model: None)
    assert SEAL_KEY not in [entry.key for entry in open_bundle(path).graph.metadata_props]


def test_a_model_without_a_card(tmp_path):
    path = changed(tmp_path, lambda model: model.ClearField("metadata_props"))
    error = refused(path, "bad_model", r"has no card \(hyperkd.card\)")
    assert error.hint.endswith("Export it with hyperkd export.")


def test_a_card_of_another_schema(tmp_path):
    def age(model):
        for entry in model.metadata_props:
            entry.value = re.sub(r'"schema": \d', '"schema": 99', entry.value)

    with pytest.raises(
        HyperKDError, match="wrote it, in schema 99; this version reads 1"
    ) as caught:
        open_bundle(changed(tmp_path, age))
    assert caught.value.code == "bad_model"


def test_a_model_without_the_mask_input(tmp_path):
    def rename(model):
        model.graph.input[1].name = "other"

    refused(changed(tmp_path, rename), "bad_model", "has no input valid")


class Exploit:
    """Unpickling this creates a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("opener", [open_bundle, read_checkpoint_card])
def test_a_pickle_is_refused_and_does_not_run(tmp_path, protocol, opener):
    import pickle

    path = write(tmp_path, pickle.dumps(Exploit(tmp_path / "ran"), protocol), "m.pt")
    error = refused(path, "untrusted_model", "is a pickled Python object", opener)
    assert "can run code when it is opened" in error.hint
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("opener", [open_bundle, read_checkpoint_card])
def test_an_archive_as_torch_saves_it_is_refused(tmp_path, opener):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02.")
    path = write(tmp_path, buffer.getvalue(), "m.pth")
    refused(path, "untrusted_model", "or an archive of them", opener)


def test_tensors_in_another_file_are_refused(tmp_path):
    def externalise(model):
        tensor = model.graph.initializer[0]
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="../../etc/passwd")

    refused(changed(tmp_path, externalise), "untrusted_model", "in another file")


def test_tensors_in_another_file_are_refused_inside_nested_graphs(tmp_path):
    def externalise(model):
        nested = onnx.helper.make_graph([], "nested", [], [])
        tensor = nested.initializer.add(name="deep", data_type=1, dims=[1])
        tensor.external_data.add(key="location", value="elsewhere")
        node = model.graph.node.add(op_type="If", name="branch")
        node.attribute.append(onnx.helper.make_attribute("then_branch", nested))

    refused(changed(tmp_path, externalise), "untrusted_model", "keeps the tensor deep")


@pytest.mark.parametrize("where", ["opset", "function"])
def test_foreign_operators_are_refused(tmp_path, where):
    def add(model):
        if where == "opset":
            model.opset_import.add(domain="com.example", version=1)
        else:
            model.functions.add(domain="com.example", name="f")

    refused(changed(tmp_path, add), "untrusted_model", "needs operators of com.example")


# --- checkpoints -------------------------------------------------------------------------


def test_a_checkpoint_that_was_cut_short(tmp_path):
    content = CHECKPOINT.read_bytes()
    for length in (100, len(content) // 2, len(content) - 1):
        path = write(tmp_path, content[:length], "m.safetensors")
        refused(path, "bad_model", "was cut short or damaged", read_checkpoint_card)


@pytest.mark.parametrize("content", [b"", b"abc", b"no checkpoint at all\n" * 9])
def test_what_is_no_checkpoint(tmp_path, content):
    path = write(tmp_path, content, "m.safetensors")
    refused(path, "bad_model", "is not a safetensors checkpoint", read_checkpoint_card)


def test_a_checkpoint_without_a_card(tmp_path):
    from safetensors.numpy import save_file

    path = tmp_path / "m.safetensors"
    save_file({"x": np.zeros(3, np.float32)}, path, metadata={"other": "1"})
    refused(path, "bad_model", "has no card", read_checkpoint_card)


def test_the_card_key_is_the_documented_one():
    assert CARD_KEY == "hyperkd.card"


# --- the real sensor ----------------------------------------------------------------------


@pytest.mark.parametrize("output", ["embedding", "reconstruction"])
@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_potsdam_folded_equals_unfolded_with_shuffled_bands(tiny, potsdam, dtype, output):
    from hyperkd.raster.open_raster import open_raster
    from hyperkd.spectral.preprocessing import input_map

    with open_raster(str(potsdam.tile(96, 96))) as source:
        tile = source.read_tile(source.grid.window)
        table = source.bands
    stored = tile.data.astype(np.int16)  # float32 in the file, of whole numbers
    np.testing.assert_array_equal(stored, tile.data)
    if dtype == np.float32:  # reflectance itself, as other programs write it
        stored = np.float32(stored * table.scale[:, None, None] + table.offset[:, None, None])
        table = dataclasses.replace(table, scale=np.ones(len(table)), offset=np.zeros(len(table)))
    plain = np.zeros(218), np.ones(218)
    affine, _ = input_map(table, tiny.card.bands, *plain)
    valid = np.ones((1, 1, 32, 32))
    unfolded = run(tiny.network(output), affine.apply(stored.astype(float))[None], valid)
    shuffle = np.random.default_rng(2).permutation(len(table))
    shuffled, _ = input_map(table.take(shuffle), tiny.card.bands, *plain)
    for first, values in ((affine, stored), (shuffled, stored[shuffle])):
        folded = run(tiny.network(output, first), values[None], valid)
        np.testing.assert_allclose(folded, unfolded, atol=1e-5 * np.abs(unfolded).max())


def test_resolve_finds_the_shipped_student():
    assert resolve("tiny") == TINY


# --- the figures --------------------------------------------------------------------------


def test_the_documented_figures_are_those_of_the_card(tiny):
    """Every row of the card's figures stands in docs/student.md, number by number."""
    text = (SHIPPED.parents[1] / "docs" / "student.md").read_text(encoding="utf-8")
    metrics = tiny.card.metrics
    tables = [*metrics["reconstruction"].values(), metrics["linear_probe"]]
    rows = [
        f"| {name} | {' | '.join(f'{number:g}' for number in figures.values())} |"
        for table in tables
        for name, figures in table.items()
    ]
    assert len(rows) > 10
    assert [row for row in rows if row not in text] == []


def test_the_shipped_student_beats_baselines_that_need_no_training(tiny):
    for figures in tiny.card.metrics["reconstruction"].values():
        assert figures["student"]["psnr_db"] > figures["band mean"]["psnr_db"]
        assert figures["student"]["sam_deg"] < figures["band mean"]["sam_deg"]
