"""Batches of spectra as a sensor might have seen them, with known fractions and missing bands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hyperkd.spectral.missing_bands import bridged
from hyperkd.spectral.sensors import sensor_bands
from hyperkd.synth.endmembers import CLOUD, COVER_NAMES, DRY, HERB, SNOW, SOIL, TREES, WATER
from hyperkd.synth.sensor import REFERENCE_REFLECTANCE, make_sensor
from hyperkd.training.physics.simulated_spectra import PART_NAMES, PART_OF_TRAIT, Spectra
from hyperkd.types import BoolArray, FloatArray

# What the endmembers of a batch are drawn from: plants, and water, snow and clouds, come from
# scenes or seldom; what scenes lack most is measured soil, built surfaces and dry plants.
_SELDOM: Final = {HERB: 0.3, TREES: 0.3, WATER: 0.3, SNOW: 0.3, CLOUD: 0.3}
# Pixels of scenes are drawn by cover, trees as often as all herbs with the meadows.
_AREA: Final = {TREES: 2.0, DRY: 0.7, WATER: 0.7}
# Where water vapour leaves no light: products leave these bands out.
VAPOUR_NM: Final = ((1340.0, 1480.0), (1780.0, 1990.0))
_STRAY_SOURCE_NM: Final = 1250.0
_SENSORS: Final = 100
# What is true of a spectrum and is mixed as spectra are: the fractions of covers, the shares of
# parts with traits, and the traits times the share of their part.
_SHARES: Final = slice(len(COVER_NAMES), len(COVER_NAMES) + len(PART_NAMES))
_AMOUNTS: Final = slice(_SHARES.stop, None)
_LEAST_SHARE: Final = 1e-3


@dataclass(frozen=True)
class Variation:
    """How spectra differ from those of the simulation, all of it at random.

    Attributes:
        scenes: fraction of the spectra that begin as a pixel of a simulated scene; the
            others begin as an endmember.
        endmember: fraction of the spectra that an endmember is mixed into, by any weight.
        pair: fraction that another spectrum is mixed into, by at most half.
        meadow: fraction that are green plants among dry ones and soil, as lawns in summer.
        crown: brightest crowns of trees are so much brighter than simulated ones.
        illumination: standard deviation of the logarithm of the factor on reflectance.
        calibration: standard deviations of a factor that is linear in wavelength, and of one
            that is quadratic.
        offset, noise: standard deviations of reflectance that is added to all bands, and to each.
        vapour, end, window: chance that a spectrum lacks each of the ranges of water vapour, the
            first or the last bands, and a range of at most 300 nm anywhere.
        product: chance that it lacks both ranges of water vapour and both ends, as many products.
    """

    scenes: float
    endmember: float
    pair: float
    meadow: float
    crown: float
    illumination: float
    calibration: float
    offset: float
    noise: float
    vapour: float
    end: float
    window: float
    product: float


# Judged by maps of 13 real tiles of Potsdam, so figures on those are no test.
USUAL: Final = Variation(
    scenes=0.8,
    endmember=0.5,
    pair=0.5,
    meadow=0.3,
    crown=0.8,
    illumination=0.15,
    calibration=0.03,
    offset=0.004,
    noise=0.004,
    vapour=0.3,
    end=0.2,
    window=0.4,
    product=0.5,
)


class SpectralBatches:
    """Draws batches; the same seed draws the same ones.

    Args:
        scenes, pure: spectra of simulated scenes, and endmembers.
        sensor_seeds: one simulated state of the sensor each.
        seldom: how often a cover is drawn among the endmembers, where not once as often.
    """

    def __init__(
        self,
        scenes: Spectra,
        pure: Spectra,
        variation: Variation,
        seed: int,
        sensor_seeds: Sequence[int] = range(7000, 7000 + _SENSORS),
        seldom: Mapping[int, float] = _SELDOM,
    ) -> None:
        self._variation, self._seldom = variation, seldom
        self._draws = np.random.default_rng(seed)
        self._noise = torch.Generator().manual_seed(seed)
        table = sensor_bands("enmap")
        good = table.good
        self.centre_nm: FloatArray = table.wavelengths.centre_nm[good]
        sensors = [make_sensor(table, each) for each in sensor_seeds]
        self._gain, self._stray, self._haze, self._deviation = (
            torch.tensor(np.stack([getattr(each, name)[good] for each in sensors])).float()
            for name in ("gain", "stray", "haze", "noise")
        )
        self._source = int(np.abs(self.centre_nm - _STRAY_SOURCE_NM).argmin())
        self._scenes = _Pool(scenes)
        self._pure = _Pool(pure)
        plants = np.flatnonzero(scenes.fractions[:, HERB] > 0.6)
        self._green = plants if plants.size else np.arange(len(scenes.fractions))

    def draw(self, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return reflectance ``(n, C)``, which bands there are, and fractions ``(n, K)``.

        A band that is missing lies on the line between its neighbours, as in inference.
        """
        reflectance, present, truth = self._draw(count)
        return reflectance, present, truth[:, : len(COVER_NAMES)]

    def draw_traits(self, count: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return reflectance, which bands there are, shares of parts ``(n, 3)``, traits ``(n, T)``.

        A trait is the mean over the parts that have it, by their shares; NaN where none has.
        """
        reflectance, present, truth = self._draw(count)
        shares, amounts = truth[:, _SHARES], truth[:, _AMOUNTS]
        of_trait = shares[:, PART_OF_TRAIT]
        traits = torch.where(of_trait > _LEAST_SHARE, amounts / of_trait, torch.nan)
        return reflectance, present, shares, traits

    def _draw(self, count: int) -> tuple[Tensor, Tensor, Tensor]:
        spectra, truth = self._surfaces(count)
        present = self.missing(count)
        return self.bridged(self._measured(spectra), present), present, truth

    def bridged(self, spectra: Tensor, present: Tensor) -> Tensor:
        """Return spectra whose missing bands lie between those that there are."""
        return torch.from_numpy(bridged(spectra.numpy(), present.numpy() > 0, self.centre_nm))

    def _surfaces(self, count: int) -> tuple[Tensor, Tensor]:
        """Return spectra of mixed surfaces without sensor, and their truth."""
        how = self._variation
        spectra, truth = self._scenes.take(self._places(count))
        pure = self._chosen(count, 1 - how.scenes)
        drawn = self._pure.take(self._endmembers(count))
        spectra, truth = _mixed(spectra, truth, *drawn, pure.float())
        spectra = spectra * (1 + how.crown * truth[:, TREES, None] * self._uniform(count))
        meadow = torch.nonzero(self._chosen(count, how.meadow)[:, 0])[:, 0]
        spectra[meadow], truth[meadow] = self._meadows(len(meadow))
        share = self._uniform(count) * self._chosen(count, how.endmember)
        drawn = self._pure.take(self._endmembers(count))
        spectra, truth = _mixed(spectra, truth, *drawn, share)
        other = torch.from_numpy(self._draws.permutation(count))
        share = 0.5 * self._uniform(count) * self._chosen(count, how.pair)
        return _mixed(spectra, truth, spectra[other], truth[other], share)

    def _places(self, count: int) -> NDArray[np.intp]:
        weight = np.array([_AREA.get(cover, 1.0) for cover in self._scenes.covers])
        cover = self._draws.choice(self._scenes.covers, p=weight / weight.sum(), size=count)
        return self._scenes.of_cover(cover, self._draws)

    def _endmembers(self, count: int) -> NDArray[np.intp]:
        weight = np.array([self._seldom.get(cover, 1.0) for cover in self._pure.covers])
        cover = self._draws.choice(self._pure.covers, p=weight / weight.sum(), size=count)
        return self._pure.of_cover(cover, self._draws)

    def _meadows(self, count: int) -> tuple[Tensor, Tensor]:
        """Return green plants among dry ones and soil; half of the soil bears dead grass."""
        green = self._draws.choice(self._green, size=count)
        cover = np.where(self._draws.random(count) < 0.7, DRY, SOIL)
        ground = self._pure.take(self._pure.of_cover(cover, self._draws))
        share = 0.85 * self._uniform(count)
        spectra, truth = _mixed(*self._scenes.take(green), *ground, share)
        dead = 0.5 * truth[:, SOIL]
        truth[:, SOIL] -= dead
        truth[:, DRY] += dead
        return spectra, truth

    def _measured(self, spectra: Tensor) -> Tensor:
        """Return what a sensor and the correction of the atmosphere make of reflectance."""
        how, count = self._variation, len(spectra)
        which = torch.from_numpy(self._draws.integers(len(self._gain), size=count))
        source = spectra[:, self._source, None]
        spectra = spectra * self._gain[which] + self._stray[which] * source + self._haze[which]
        away = torch.from_numpy((self.centre_nm - 1400) / 1000).float()
        bent = how.calibration * (
            self._normal(count, 1) * away + self._normal(count, 1) * (away**2 - 0.33)
        )
        spectra = spectra * torch.exp(how.illumination * self._normal(count, 1)) * (1 + bent)
        spectra = spectra + how.offset * self._normal(count, 1)
        light = spectra.clamp(min=0) / REFERENCE_REFLECTANCE
        deviation = self._deviation[which] * torch.sqrt((1 + 2 * light) / 3)
        spectra = spectra + deviation * self._normal(*spectra.shape)
        return spectra + how.noise * self._normal(*spectra.shape)

    def missing(self, count: int) -> Tensor:
        """Return ``(n, C)``, 1 where a spectrum has a band and 0 where it lacks it."""
        how, draws = self._variation, self._draws
        present = np.ones((count, self.centre_nm.size), bool)

        product = draws.random(count) < how.product

        def leave_out(chance: float, also: BoolArray, first: FloatArray, last: FloatArray) -> None:
            lacking = also | (draws.random(count) < chance)
            inside = (self.centre_nm > first[:, None]) & (self.centre_nm < last[:, None])
            present[lacking[:, None] & inside] = False

        for first, last in VAPOUR_NM:
            leave_out(
                how.vapour,
                product,
                first - draws.uniform(-20, 40, count),
                last + draws.uniform(-20, 60, count),
            )
        leave_out(how.end, product, np.zeros(count), draws.uniform(420, 470, count))
        leave_out(how.end, product, draws.uniform(2350, 2440, count), np.full(count, np.inf))
        middle, half = draws.uniform(420, 2440, count), draws.uniform(0, 150, count)
        leave_out(how.window, ~present.any(axis=1), middle - half, middle + half)
        return torch.from_numpy(present.astype(np.float32))

    def _chosen(self, count: int, chance: float) -> Tensor:
        return torch.from_numpy(self._draws.random((count, 1)) < chance)

    def _uniform(self, count: int) -> Tensor:
        return torch.rand(count, 1, generator=self._noise)

    def _normal(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self._noise)


class _Pool:
    """Spectra from which single ones are drawn, by cover where that is wanted."""

    def __init__(self, spectra: Spectra) -> None:
        self._reflectance = torch.from_numpy(spectra.reflectance)
        amounts = np.nan_to_num(spectra.traits) * spectra.shares[:, PART_OF_TRAIT]
        self._truth = torch.from_numpy(
            np.concatenate([spectra.fractions, spectra.shares, amounts], axis=1)
        )
        dominant = spectra.dominant
        self._of = [np.flatnonzero(dominant == cover) for cover in range(len(COVER_NAMES))]
        self.covers = np.array([cover for cover, found in enumerate(self._of) if found.size])

    def __len__(self) -> int:
        return len(self._reflectance)

    def of_cover(self, cover: NDArray[np.intp], draws: np.random.Generator) -> NDArray[np.intp]:
        """Return one spectrum of each wanted cover."""
        chance, places = draws.random(len(cover)), np.zeros(len(cover), np.intp)
        for each in np.unique(cover):
            wanted, found = cover == each, self._of[each]
            places[wanted] = found[(chance[wanted] * len(found)).astype(np.intp)]
        return places

    def take(self, places: NDArray[np.intp]) -> tuple[Tensor, Tensor]:
        """Return copies of the spectra at some places, and their truth."""
        index = torch.from_numpy(places)
        return self._reflectance[index], self._truth[index]


def _mixed(
    spectra: Tensor, truth: Tensor, others: Tensor, their: Tensor, share: Tensor
) -> tuple[Tensor, Tensor]:
    """Return spectra and their truth into which others were mixed by ``(n, 1)`` shares."""
    return spectra + share * (others - spectra), truth + share * (their - truth)
