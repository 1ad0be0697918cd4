"""Compute the golden cases with the reference's own classes; see README.md beside this file.

    python compute.py FOLDER    # needs terratorch 1.1.1

Run it only to make other cases: what a test compares with must not follow our code.
"""

from __future__ import annotations

import functools
import json
import sys
from pathlib import Path
from typing import Any, Optional

import numpy as np
import torch

MASK_RATIO = 0.75
SMALL = {
    "img_size": 16,
    "patch_size": [1, 4, 4],
    "in_chans": 6,
    "embed_dim": 32,
    "depth": 2,
    "num_heads": 4,
    "decoder_embed_dim": 16,
    "decoder_depth": 2,
    "decoder_num_heads": 4,
    "mlp_ratio": 4.0,
    "norm_pix_loss": False,
    "mask_ratio": MASK_RATIO,
    "num_frames": 1,
}
THREE = {**SMALL, "num_frames": 3}
WIDE = {
    **SMALL,
    "img_size": 42,
    "patch_size": [1, 14, 14],
    "in_chans": 3,
    "embed_dim": 80,
    "num_heads": 1,
}
DATED = {"coords_encoding": ["time", "location"], "coords_scale_learn": True}
# name: (constructor's arguments, seed, whose weights, shape of the input, coordinates, note)
CASES: dict[str, tuple[dict[str, Any], int, str, tuple[int, ...], tuple[str, ...], str]] = {
    "t1_plain": (SMALL, 11, "t1_plain", (2, 6, 1, 16, 16), (), "one frame, 5-D input"),
    "t1_plain_4d": (SMALL, 11, "t1_plain", (2, 6, 16, 16), (), "the images have no time axis"),
    "t3_plain": (THREE, 13, "t3_plain", (2, 6, 3, 16, 16), (), "three frames"),
    "t1_coords": (
        *({**SMALL, **DATED}, 17, "t1_coords", (2, 6, 1, 16, 16)),
        *(("temporal", "location"), "TL, one frame, both coordinates"),
    ),
    "t3_coords": (
        *({**THREE, **DATED}, 19, "t3_coords", (2, 6, 3, 16, 16)),
        *(("temporal", "location"), "TL, three frames, both coordinates"),
    ),
    "t1_coords_absent": (
        *({**SMALL, **DATED}, 17, "t1_coords", (2, 6, 1, 16, 16)),
        *((), "TL, both coordinates None"),
    ),
    "t1_time_only": (
        *({**SMALL, **DATED}, 17, "t1_coords", (2, 6, 1, 16, 16)),
        *(("temporal",), "TL, location None"),
    ),
    "interp_hw": (
        *(SMALL, 11, "t1_plain", (1, 6, 1, 24, 20), ()),
        "built for a grid of 4 x 4, fed 6 x 5: tables resized, bicubic, align_corners",
    ),
    "interp_hw_t3": (
        *(THREE, 13, "t3_plain", (1, 6, 3, 8, 12), ()),
        "built for a grid of 4 x 4, fed 2 x 3, three frames",
    ),
    "frames_changed": (
        *(THREE, 13, "t3_plain", (1, 6, 1, 16, 16), ()),
        "built for three frames, fed one: table computed anew",
    ),
    "frames_and_hw_changed": (
        *(THREE, 13, "t3_plain", (1, 6, 2, 20, 20), ()),
        "fed two frames and 5 x 5: table computed anew on the built grid, then resized",
    ),
    "patch14_t1": (
        *(WIDE, 41, "patch14_t1", (1, 3, 1, 42, 42), ()),
        "as the 600M: patch 14, 80 channels in a head",
    ),
    "norm_pix": (
        *({**SMALL, "norm_pix_loss": True}, 11, "t1_plain", (2, 6, 1, 16, 16), ()),
        "norm_pix_loss True (no published checkpoint uses it)",
    ),
}


def build(sizes: dict[str, Any], eps: float = 1e-5) -> Any:
    """Return the reference's network."""
    from terratorch.models.backbones.prithvi_mae import PrithviMAE

    given = {**sizes, "patch_size": tuple(sizes["patch_size"])}
    norm = functools.partial(torch.nn.LayerNorm, eps=eps)
    return PrithviMAE(**given, norm_layer=norm).eval()


def weights(sizes: dict[str, Any], seed: int) -> dict[str, torch.Tensor]:
    """Return a state dict in which no tensor is a constant, so that a skipped one shows."""
    generator = torch.Generator().manual_seed(seed)
    network = build(sizes)
    made = {name: buffer.clone() for name, buffer in network.named_buffers()}
    for name, parameter in network.named_parameters():
        draw = torch.randn(parameter.shape, generator=generator)
        if parameter.dim() > 1 and "token" not in name:
            draw /= parameter[0].numel() ** 0.5
        elif name.endswith("weight"):  # of a norm
            draw = 1 + 0.2 * draw
        elif name.endswith("scale"):
            draw = 0.4 + 0.1 * draw
        else:
            draw *= 0.2
        made[name] = draw
    return {name: made[name] for name in network.state_dict()}


def outputs(network: Any, given: dict[str, Any], dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Return everything that a test compares."""
    network = network.to(dtype)
    encoder = network.encoder
    images = given["x"].to(dtype)
    places = (given.get("temporal_coords"), given.get("location_coords"))
    # The reference draws its noise itself; each of the two calls below asks for it once.
    draw = type(encoder).random_masking
    encoder.random_masking = lambda tokens, ratio: draw(encoder, tokens, ratio, given["noise"])
    with torch.no_grad():
        features = network.forward_features(images, *places)
        latent, mask, restore = encoder(images, *places, MASK_RATIO)
        whole = images if images.dim() == 5 else images[:, :, None]
        pred = network.decoder(latent, restore, *places, input_size=whole.shape)
        loss, pred_image, mask_image = network(images, *places, mask_ratio=MASK_RATIO)
        found = {f"features_{number}": each for number, each in enumerate(features)}
        found.update(latent=latent, mask=mask, ids_restore=restore, pred=pred, loss=loss["loss"])
        found.update(pred_image=pred_image, mask_image=mask_image)
        found["patchified"] = network.patchify(whole)
    return found


def inputs(seed: int, shape: tuple[int, ...], patch: int, places: tuple[str, ...]) -> dict:
    """Return images, noise and coordinates."""
    generator = torch.Generator().manual_seed(seed + 1)
    frames = shape[2] if len(shape) == 5 else 1
    tokens = frames * (shape[-2] // patch) * (shape[-1] // patch)
    given = {
        "x": torch.randn(shape, generator=generator),
        "noise": torch.rand(shape[0], tokens, generator=generator),
    }
    random = np.random.default_rng(seed)
    years = random.integers(2015, 2025, (shape[0], frames))
    dates = np.stack([years, random.integers(0, 365, years.shape)], axis=-1)
    degrees = random.uniform((-60, -180), (80, 180), (shape[0], 2))
    for name, values in (("temporal", dates), ("location", degrees)):
        if name in places:
            given[f"{name}_coords"] = torch.tensor(values, dtype=torch.float32)
    return given


def case(name: str) -> dict[str, np.ndarray]:
    """Return the arrays of a case."""
    sizes, seed, owner, shape, places, note = CASES[name]
    state = weights(CASES[owner][0], seed)
    given = inputs(seed, shape, sizes["patch_size"][1], places)

    def run(dtype: torch.dtype, eps: float = 1e-5) -> dict[str, torch.Tensor]:
        network = build(sizes, eps)
        network.load_state_dict(state, strict=True)
        return outputs(network, given, dtype)

    found = {f"sd/{key}": value for key, value in state.items()} if owner == name else {}
    found.update({f"in/{key}": value for key, value in given.items()})
    found.update({f"out/{key}": value for key, value in run(torch.float32).items()})
    exact = run(torch.float64)
    found.update({f"out64/{key}": exact[key] for key in ("features_1", "latent", "pred", "loss")})
    if name == "t1_plain":
        wrong: Optional[dict[str, torch.Tensor]] = run(torch.float32, eps=1e-6)
        found["out_eps1e-6/features_last"] = wrong["features_1"]
    meta = {
        **{"name": name, "note": note, "config": sizes, "seed": seed, "sd_from": owner},
        "layernorm_eps": 1e-5,
    }
    arrays = {key: value.detach().numpy() for key, value in found.items()}
    return {**arrays, "meta_json": np.array(json.dumps(meta))}


def main() -> None:
    """Write every case into a folder."""
    folder = Path(sys.argv[1])
    torch.set_num_threads(1)
    for name in CASES:
        np.savez_compressed(folder / f"{name}.npz", **case(name))


if __name__ == "__main__":
    main()
