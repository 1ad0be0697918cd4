"""The frozen teacher: what it makes of reflectance before the network sees it."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hyperkd.errors import HyperKDError  # noqa: E402
from hyperkd.models.nets.prithvi import Prithvi  # noqa: E402
from hyperkd.models.prithvi_versions import VERSIONS, PrithviConfig, PrithviVersion  # noqa: E402
from hyperkd.training.teacher.prithvi_features import LoadedTeacher, Teacher  # noqa: E402

SIZES = {"dim": 32, "depth": 4, "heads": 2, "patch": 8, "tile": 32}
SIZES.update(decoder_dim=32, decoder_depth=1, decoder_heads=2)


def loaded(coordinates: bool = False, **changes) -> LoadedTeacher:
    torch.manual_seed(1)
    config = PrithviConfig(**SIZES, coordinates=coordinates)
    version = PrithviVersion("prithvi-nano", config, **changes)
    network = Prithvi(config)
    with torch.no_grad():
        network.encoder.cls_token.normal_()
    return LoadedTeacher(network.eval(), version, "ab" * 32, "published", "")


def look_with(loaded, depth=0.75, frames="single", report=None) -> Teacher:
    return Teacher(loaded, depth, frames, "cpu", report)


def scene(batch: int = 2, rows: int = 16, cols: int = 24, seed: int = 3):
    generator = np.random.default_rng(seed)
    reflectance = generator.uniform(0.02, 0.5, (batch, 6, rows, cols)).astype(np.float32)
    return reflectance, np.ones((batch, rows, cols), bool)


class Report:
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.logged: list[tuple[str, str]] = []

    def log(self, level: str, message: str) -> None:
        self.logged.append((level, message))


def test_reflectance_is_scaled_clipped_and_normalised_with_the_versions_own_numbers():
    first = VERSIONS["prithvi-eo-1.0-100m"]
    teacher = look_with(loaded(mean=first.mean, std=first.std))
    reflectance, valid = scene(1, 8, 8)
    reflectance[0, :, 0, 0] = 0.25
    reflectance[0, :, 0, 1] = -0.3  # an overcorrected shadow
    reflectance[0, :, 0, 2] = 1.7  # a cloud
    prepared = teacher.prepare(reflectance, valid).numpy()
    mean, std = np.asarray(first.mean), np.asarray(first.std)
    np.testing.assert_allclose(prepared[0, :, 0, 0], (2500 - mean) / std, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(prepared[0, :, 0, 1], -mean / std, rtol=1e-6)
    np.testing.assert_allclose(prepared[0, :, 0, 2], (10000 - mean) / std, rtol=1e-6)


def test_a_pixel_without_a_spectrum_is_the_mean_and_its_content_never_matters():
    teacher = look_with(loaded())
    reflectance, valid = scene()
    valid[:, 3:6, 4:9] = False
    expected = teacher.features(reflectance, valid)
    assert (teacher.prepare(reflectance, valid)[:, :, 3:6, 4:9] == 0).all()
    for content in (np.nan, -9999.0, 1e30):
        changed = reflectance.copy()
        changed[:, :, 3:6, 4:9] = content
        assert torch.equal(teacher.features(changed, valid), expected), content


@pytest.mark.parametrize(("depth", "blocks"), [(1.0, 4), (0.75, 3), (0.5, 2), (0.01, 1), (0.6, 3)])
def test_features_are_the_tokens_of_the_block_at_that_depth(depth, blocks):
    source = loaded()
    teacher = look_with(source, depth)
    reflectance, valid = scene()
    with torch.no_grad():
        images = teacher.prepare(reflectance, valid)[:, :, None]
        expected = source.network.encoder.forward_features(images)[blocks - 1][:, 1:]
    found = teacher.features(reflectance, valid)
    assert torch.equal(found, expected)
    assert found.shape == (2, 6, 32)
    assert (teacher.blocks, teacher.dim, teacher.patch_px) == (blocks, 32, 8)


def test_the_depth_of_published_versions():
    """Three quarters are block 9 of 12 and 18 of 24, counted from 1."""
    source = loaded()
    for depth, expected in ((12, 9), (24, 18), (32, 24)):
        config = PrithviConfig(**{**SIZES, "depth": depth})
        version = PrithviVersion("x", config)
        assert (
            look_with(LoadedTeacher(source.network, version, "", "published", ""), 0.75).blocks
            == expected
        )


def test_repeated_frames_are_averaged():
    source = loaded()
    teacher = look_with(source, 1.0, frames="repeat3_mean")
    reflectance, valid = scene()
    with torch.no_grad():
        images = teacher.prepare(reflectance, valid)[:, :, None].repeat(1, 1, 3, 1, 1)
        tokens = source.network.encoder.forward_features(images)[-1][:, 1:]
    expected = (tokens[:, :6] + tokens[:, 6:12] + tokens[:, 12:]) / 3
    torch.testing.assert_close(teacher.features(reflectance, valid), expected)
    single = look_with(source, 1.0).features(reflectance, valid)
    assert not torch.allclose(single, expected, atol=1e-4)


@pytest.mark.parametrize("frames", ["single", "repeat3_mean"])
def test_chosen_tokens_come_in_their_order_and_see_nothing_else(frames):
    teacher = look_with(loaded(), 1.0, frames=frames)
    reflectance, valid = scene()
    every = torch.tensor([[5, 0, 3, 1, 4, 2]] * 2)
    whole = teacher.features(reflectance, valid)
    torch.testing.assert_close(teacher.features(reflectance, valid, every), whole[:, every[0]])
    keep = torch.tensor([[4, 1], [0, 5]])
    found = teacher.features(reflectance, valid, keep)
    assert found.shape == (2, 2, 32)
    changed = reflectance.copy()
    changed[0, :, :8, :8] = 0.9  # token 0 is hidden in the first tile
    assert torch.equal(teacher.features(changed, valid, keep)[0], found[0])


def test_date_and_place_reach_every_frame():
    source = loaded(coordinates=True)
    teacher = look_with(source, 1.0, frames="repeat3_mean")
    reflectance, valid = scene()
    when, where = torch.tensor([[2021.0, 100.0]] * 2), torch.tensor([[52.4, 13.1]] * 2)
    found = teacher.features(reflectance, valid, when=when, where=where)
    with torch.no_grad():
        images = teacher.prepare(reflectance, valid)[:, :, None].repeat(1, 1, 3, 1, 1)
        tokens = source.network.encoder.forward_features(
            images, when[:, None].repeat(1, 3, 1), where
        )[-1]
    torch.testing.assert_close(found, tokens[:, 1:].unflatten(1, (3, 6)).mean(1))
    absent = teacher.features(reflectance, valid)
    assert not torch.allclose(found, absent, atol=1e-4)


def test_nothing_of_the_teacher_is_trained():
    source = loaded()
    teacher = look_with(source)
    features = teacher.features(*scene())
    assert not features.requires_grad
    # A loss must be able to keep the features for its backward pass.
    prediction = torch.zeros_like(features, requires_grad=True)
    (prediction * features).sum().backward()
    assert torch.equal(prediction.grad, features)
    assert all(not each.requires_grad for each in source.network.encoder.parameters())


@pytest.mark.parametrize(
    ("factor", "message"),
    [
        (10000.0, "which is too large: is it stored as reflectance x 10000 without a scale?"),
        (1e-4, "which is too small: was it scaled twice?"),
        (0.0, "a reflectance of 0, which is too small"),
    ],
)
def test_a_wrong_unit_is_told_once(factor, message):
    report = Report()
    teacher = look_with(loaded(), report=report)
    reflectance, valid = scene()
    for _ in range(2):
        teacher.features(reflectance * np.float32(factor), valid)
    assert len(report.logged) == 1
    level, text = report.logged[0]
    assert level == "warning"
    assert message in text
    assert teacher.note == text


def test_the_unit_is_judged_from_valid_pixels_alone():
    report = Report()
    teacher = look_with(loaded(), report=report)
    reflectance, valid = scene()
    valid[:, 2:] = False
    reflectance[:, :, 2:] = -9999
    teacher.features(reflectance, valid)
    teacher.features(np.full_like(reflectance, np.nan), np.zeros_like(valid))
    assert report.logged == []
    assert teacher.note == ""


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: look_with(loaded()).features(*scene(1, 16, 20)),
            "cannot take 20 x 16 pixels: its patches",
        ),
        (
            lambda: look_with(loaded()).features(*scene(), where=torch.zeros(2, 2)),
            "prithvi-nano takes no date and no place",
        ),
    ],
)
def test_requests_that_cannot_be_met_are_refused(call, message):
    with pytest.raises(HyperKDError, match=message) as caught:
        call()
    assert caught.value.code == "bad_job"
    assert caught.value.hint


def test_bands_other_than_six_are_refused():
    reflectance, valid = scene()
    with pytest.raises(HyperKDError, match="4 bands instead of BLUE, GREEN") as caught:
        look_with(loaded()).features(reflectance[:, :4], valid)
    assert caught.value.code == "band_mismatch"
