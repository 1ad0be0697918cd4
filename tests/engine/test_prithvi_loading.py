"""Files of Prithvi: what loads is exactly what was saved, and everything else is refused."""

from __future__ import annotations

import hashlib
import math
import os
import pickle
import re
import shutil
import zipfile
from argparse import Namespace
from collections import OrderedDict

import pytest

torch = pytest.importorskip("torch")

from hyperkd.errors import HyperKDError  # noqa: E402
from hyperkd.models.nets.prithvi import Prithvi, position_table  # noqa: E402
from hyperkd.models.nets.weights import read_tensors  # noqa: E402
from hyperkd.models.prithvi_versions import BANDS, VERSIONS, PrithviConfig, PrithviVersion  # noqa: E402
from hyperkd.training.teacher.prithvi_features import load_teacher, read_teacher  # noqa: E402

NANO, NANO_TL = "prithvi-eo-2.0-nano", "prithvi-eo-2.0-nano-tl"


@pytest.fixture(autouse=True)
def nano(monkeypatch):
    """Two more versions, small enough to be written in every test."""
    sizes = {"dim": 32, "depth": 2, "heads": 2, "patch": 8, "tile": 32, "frames": 2}
    sizes.update(decoder_dim=32, decoder_depth=1, decoder_heads=2)
    for name, coordinates in ((NANO, False), (NANO_TL, True)):
        config = PrithviConfig(**sizes, coordinates=coordinates)
        monkeypatch.setitem(VERSIONS, name, PrithviVersion(name, config))


def random_network(name: str, seed: int = 0) -> Prithvi:
    """A network in which every tensor is random, so that a skipped one shows."""
    torch.manual_seed(seed)
    with torch.device("meta"):  # the usual initial weights of 600 million cost seconds
        network = Prithvi(VERSIONS[name].config).eval()
    network.to_empty(device="cpu")
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.uniform_(-0.1, 0.1)
    return network


def published(network: Prithvi) -> OrderedDict:
    """The tensors as a published file holds them: in one flat dict, with position tables."""
    config = network.config
    side = config.tile // config.patch
    tensors = OrderedDict(network.state_dict())
    for name, dim in (("encoder.pos_embed", config.dim),
                      ("decoder.decoder_pos_embed", config.decoder_dim)):  # fmt: skip
        table = position_table(dim, config.frames, side, side).reshape(1, -1, dim)
        tensors[name] = torch.cat((torch.zeros(1, 1, dim), table), 1)
    return tensors


def flat(tensors: OrderedDict) -> OrderedDict:
    """The names of the first file of version 1."""
    return OrderedDict((name.split(".", 1)[1], value) for name, value in tensors.items())


def features(network: Prithvi, frames: int = 1):
    generator = torch.Generator().manual_seed(5)
    side = network.config.patch * 2
    images = torch.randn(1, 6, frames, side, side, generator=generator)
    with torch.no_grad():
        return network.encoder.forward_features(images)


def assert_same(loaded: Prithvi, original: Prithvi) -> None:
    found, expected = loaded.state_dict(), original.state_dict()
    assert list(found) == list(expected)
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name
    for one, other in zip(features(loaded), features(original)):
        assert torch.equal(one, other)


def refusal(code: str, message: str, path, **options) -> HyperKDError:
    with pytest.raises(HyperKDError, match=re.escape(message)) as caught:
        load_teacher(path, **options)
    assert caught.value.code == code
    return caught.value


@pytest.mark.parametrize("name", [NANO, NANO_TL])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda tensors: tensors,
        flat,
        lambda tensors: {"state_dict": tensors, "epoch": 3},
        lambda tensors: {"model_state": tensors, "optimizer": {"step": torch.tensor(3.0)}},
        lambda tensors: {"model": flat(tensors)},
        lambda tensors: {"model": {"state_dict": tensors}},
        lambda tensors: OrderedDict((f"module.{key}", value) for key, value in tensors.items()),
        lambda tensors: {
            "state_dict": OrderedDict(
                (f"_timm_module.{key}", value) for key, value in tensors.items()
            )
        },
    ],
    ids=["published", "flat", "state_dict", "model_state", "model+flat", "nested", "ddp", "timm"],
)
def test_every_layout_gives_the_same_network(tmp_path, name, wrap):
    network = random_network(name)
    path = tmp_path / "teacher.pt"
    torch.save(wrap(published(network)), path)
    loaded = load_teacher(path)
    assert loaded.version is VERSIONS[name]
    assert loaded.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert not loaded.network.training
    assert_same(loaded.network, network)


def round_trip(tmp_path, name: str, layout) -> None:
    network = random_network(name)
    path = tmp_path / "teacher.pt"
    torch.save(layout(published(network)), path)
    loaded = load_teacher(path)
    path.unlink()  # the network must not hang on the file
    assert loaded.version is VERSIONS[name]
    assert_same(loaded.network, network)


def test_tiny_in_the_published_layout_round_trips(tmp_path):
    round_trip(tmp_path, "prithvi-eo-2.0-tiny-tl", OrderedDict)


LARGER = {
    "1.0-100m": ("prithvi-eo-1.0-100m", OrderedDict),
    "1.0-100m-flat": ("prithvi-eo-1.0-100m", flat),
    "2.0-100m-tl": ("prithvi-eo-2.0-100m-tl", OrderedDict),
    "2.0-300m": ("prithvi-eo-2.0-300m", OrderedDict),
    "2.0-600m-tl": ("prithvi-eo-2.0-600m-tl", OrderedDict),
}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "layout"), LARGER.values(), ids=LARGER)
def test_larger_versions_round_trip(tmp_path, name, layout):
    shapes = VERSIONS[name].config.tensor_shapes()
    size = 4 * sum(math.prod(shape) for shape in shapes.values())
    # The network that is saved, the one that is loaded, and the file in the page cache.
    if memory_bytes() < 4 * size or shutil.disk_usage(tmp_path).free < 2 * size:
        pytest.skip(f"{name} of {size / 1e9:.1f} GB needs more memory or disk than there is")
    round_trip(tmp_path, name, layout)


def memory_bytes() -> int:
    """Return the size of the main memory, or 8 GB where the system does not tell."""
    if not hasattr(os, "sysconf"):
        return 8 * 10**9
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_an_encoder_alone_has_no_decoder_rather_than_a_random_one(tmp_path):
    network = random_network(NANO)
    tensors = published(network)
    for name in list(tensors):
        if name.startswith("decoder."):
            del tensors[name]
    torch.save(tensors, tmp_path / "encoder.pt")
    loaded = load_teacher(tmp_path / "encoder.pt")
    assert loaded.network.decoder is None
    assert read_teacher(tmp_path / "encoder.pt").has_decoder is False
    for one, other in zip(features(loaded.network), features(network)):
        assert torch.equal(one, other)


def test_the_choice_of_positions_reaches_the_network(tmp_path):
    network = random_network(NANO)
    torch.save(published(network), tmp_path / "teacher.pt")
    stretched = Prithvi(network.config, "stretch").eval()
    stretched.load_state_dict(network.state_dict())
    loaded = load_teacher(tmp_path / "teacher.pt", positions="stretch")
    assert loaded.network.positions == "stretch"
    found, expected = features(loaded.network)[-1], features(stretched)[-1]
    assert torch.equal(found, expected)
    assert not torch.allclose(found, features(network)[-1], atol=1e-3)


def test_stored_position_tables_are_never_used(tmp_path):
    network = random_network(NANO)
    tensors = published(network)
    tensors["encoder.pos_embed"] = torch.full((1, 7, 32), 1e6)
    torch.save(tensors, tmp_path / "teacher.pt")
    assert_same(load_teacher(tmp_path / "teacher.pt").network, network)


def test_another_version_than_the_one_asked_for_is_refused(tmp_path):
    torch.save(published(random_network(NANO)), tmp_path / "teacher.pt")
    path = tmp_path / "teacher.pt"
    assert load_teacher(path, version=NANO).version.name == NANO
    error = refusal("bad_model", f"teacher.pt is {NANO}, not {NANO_TL}", path, version=NANO_TL)
    assert NANO in error.hint


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("encoder.blocks.1.mlp.fc2.bias"), "missing tensors: encoder.blocks.1.mlp"),
        (lambda t: t.pop("decoder.mask_token"), "missing tensors: decoder.mask_token"),
        (lambda t: t.update({"encoder.head.weight": torch.ones(2)}), "unexpected tensors: encoder"),
        (
            lambda t: t.update({"encoder.norm.bias": torch.ones(33)}),
            "wrong shapes: encoder.norm.bias (33,) instead of (32,)",
        ),
        (
            lambda t: t.update(
                {"encoder.patch_embed.proj.weight": torch.ones(32, 4, 1, 8, 8)}
            ),
            "encoder.patch_embed.proj.weight (32, 4, 1, 8, 8) instead of (32, 6, 1, 8, 8)",
        ),
        (lambda t: t.update({"encoder.norm.bias": torch.ones(32).half()}), "float16 instead of"),
        (
            lambda t: t["encoder.norm.bias"].__setitem__(3, float("nan")),
            "encoder.norm.bias holds values that are not numbers",
        ),
        (lambda t: [t.pop(key) for key in list(t)], "holds no Prithvi: no tensor at all"),
    ],
)  # fmt: skip
def test_other_tensors_are_refused_and_nothing_stays_random(tmp_path, change, message):
    tensors = published(random_network(NANO))
    tensors = OrderedDict((name, value.clone()) for name, value in tensors.items())
    change(tensors)
    torch.save(tensors, tmp_path / "teacher.pt")
    refusal("bad_model", message, tmp_path / "teacher.pt")


class Exploit:
    """Writes a file when it is unpickled."""

    def __init__(self, target) -> None:
        self.target = str(target)

    def __reduce__(self):
        return os.mkdir, (self.target,)


def save_with_torch(content, path) -> None:
    torch.save(content, path)


def save_with_old_torch(content, path) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=False)


def save_bare(content, path) -> None:
    path.write_bytes(pickle.dumps(content, protocol=2))


@pytest.mark.parametrize(
    ("save", "message"),
    [
        (save_with_torch, "holds Python objects, which could run any program: posix.mkdir"),
        (save_with_old_torch, "is a bare pickle, which could run any program"),
        (save_bare, "is a bare pickle, which could run any program"),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="the module of mkdir has another name there")
def test_an_exploit_does_not_run(tmp_path, save, message):
    trap = tmp_path / "ran"
    content = {"state_dict": published(random_network(NANO)), "extra": Exploit(trap)}
    save(content, tmp_path / "teacher.pt")
    refusal("untrusted_model", message, tmp_path / "teacher.pt")
    assert not trap.exists()
    torch.load(tmp_path / "teacher.pt", weights_only=False) if save is not save_bare else (
        pickle.loads((tmp_path / "teacher.pt").read_bytes())
    )
    assert trap.exists(), "the trap itself must work"


def test_a_pickled_module_or_settings_object_is_named(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "module.pt")
    refusal("untrusted_model", "torch.nn.modules.linear.Linear", tmp_path / "module.pt")
    content = {"model": published(random_network(NANO)), "args": Namespace(lr=1)}
    torch.save(content, tmp_path / "training.pt")
    error = refusal("untrusted_model", "argparse.Namespace", tmp_path / "training.pt")
    assert error.context == {"objects": ["argparse.Namespace"]}


def test_a_torchscript_program_is_refused(tmp_path):
    with pytest.warns(DeprecationWarning):
        torch.jit.script(torch.nn.Linear(2, 2)).save(str(tmp_path / "program.pt"))
    refusal("untrusted_model", "is a TorchScript program", tmp_path / "program.pt")


@pytest.fixture
def good_file(tmp_path):
    path = tmp_path / "teacher.pt"
    torch.save(published(random_network(NANO)), path)
    return path


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_file_is_refused(good_file, share):
    content = good_file.read_bytes()
    good_file.write_bytes(content[: int(share * len(content))])
    refusal("bad_model", "teacher.pt is not a PyTorch file, or it is cut short", good_file)


def test_a_flipped_bit_in_the_weights_is_refused(good_file):
    """Torch itself reads such a file without a word."""
    content = bytearray(good_file.read_bytes())
    with zipfile.ZipFile(good_file) as archive:
        member = max(archive.infolist(), key=lambda each: each.file_size)
    content[member.header_offset + member.file_size // 2] ^= 1
    good_file.write_bytes(content)
    assert isinstance(torch.load(good_file, weights_only=True), dict)
    refusal("bad_model", f"teacher.pt is damaged in its part {member.filename}", good_file)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (30, 0xF4, "codec can't decode byte"),  # in the name of a part, which is UTF-8
        (6, 0x01, "is encrypted, password required"),  # a flag
    ],
)
def test_a_damaged_directory_is_refused(tmp_path, place, value, message):
    path = tmp_path / "teacher.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("größe/data.pkl", b"content")
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")
    for at in (place, entry + place + (16 if place == 30 else 2)):  # both headers of the part
        content[at] |= value
    path.write_bytes(bytes(content))
    refusal("bad_model", message, path)


def rewrite(path, change, compression=zipfile.ZIP_STORED) -> None:
    """Write the archive anew with ``change(name, content)`` for each part; None drops it."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in parts.items():
            changed = change(name, content)
            if changed is not None:
                archive.writestr(name, changed)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda name, content: None if "/data/" in name else content, "teacher.pt is damaged: "),
        (lambda name, content: b"nonsense" if "data.pkl" in name else content, "is damaged: "),
        (lambda name, content: content[:40] if "data.pkl" in name else content, "is damaged: "),
        (lambda name, content: None if "data.pkl" in name else content, "is damaged: "),
    ],
)
def test_an_archive_with_wrong_parts_is_refused(good_file, change, message):
    rewrite(good_file, change)
    refusal("bad_model", message, good_file)


def test_a_compressed_archive_is_refused(good_file):
    rewrite(good_file, lambda name, content: content, zipfile.ZIP_DEFLATED)
    refusal("untrusted_model", "is a compressed archive (teacher/data.pkl)", good_file)


@pytest.mark.parametrize(
    ("bands", "problem"),
    [
        (BANDS[:4], "SWIR_1, SWIR_2 is missing"),
        (["B02", "B03", "B04", "B8A", "B11", "B12"], "B02, B03, B04, B8A, B11, B12 is not a band"),
        (BANDS[::-1], "the order is SWIR_2"),
    ],
)
def test_a_teacher_for_other_bands_is_refused(good_file, bands, problem):
    assert load_teacher(good_file, bands=list(BANDS)).version.name == NANO
    refusal("band_mismatch", problem, good_file, bands=bands)


def test_other_files_are_refused(tmp_path):
    refusal("bad_model", "nothing.pt: No such file", tmp_path / "nothing.pt")
    (tmp_path / "text.pt").write_text("version https://git-lfs.github.com/spec/v1")
    refusal("bad_model", "text.pt is not a PyTorch file", tmp_path / "text.pt")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("a.txt", "hello")
    refusal("bad_model", "other.zip is damaged", tmp_path / "other.zip")
    refusal("bad_model", "Is a directory", tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([torch.ones(2)], "holds a list instead of named tensors"),
        (torch.ones(2), "holds a Tensor instead of named tensors"),
        ({"encoder.norm.bias": torch.ones(2), "epoch": 3}, "than tensors: epoch (int)"),
        ({3: torch.ones(2)}, "than tensors: 3 (Tensor)"),
        ({"state_dict": 3}, "than tensors: state_dict (int)"),
    ],
)
def test_content_that_is_no_state_dict_is_refused(tmp_path, content, message):
    torch.save(content, tmp_path / "x.pt")
    refusal("bad_model", message, tmp_path / "x.pt")


def test_a_file_that_wraps_itself_ends(tmp_path):
    content: dict = {}
    content["model"] = content
    torch.save(content, tmp_path / "x.pt")
    with pytest.raises(HyperKDError, match=re.escape("than tensors: model (dict)")) as caught:
        read_tensors(tmp_path / "x.pt")
    assert caught.value.code == "bad_model"
