"""The teacher's encoder in onnxruntime: one file for any batch and any tile."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

from hyperkd.models.nets.prithvi import Prithvi  # noqa: E402
from hyperkd.models.prithvi_versions import POSITIONS, PrithviConfig  # noqa: E402

INPUTS = ("images", "when", "where")


class Features(torch.nn.Module):
    """The last features of an encoder, as a function of tensors alone."""

    def __init__(self, encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, images, when, where):
        return self.encoder.forward_features(images, when, where)[-1]


def inputs(batch: int, rows: int, cols: int) -> tuple:
    generator = torch.Generator().manual_seed(batch * rows + cols)
    images = torch.randn(batch, 6, 1, rows, cols, generator=generator)
    chance = torch.rand(batch, 4, generator=generator)
    when = torch.stack((2013 + (chance[:, 0] * 12).floor(), (chance[:, 1] * 365).floor()), 1)
    return images, when[:, None], chance[:, 2:] * 180 - 90


@pytest.fixture(scope="module", params=POSITIONS)
def exported(request):
    torch.manual_seed(2)
    config = PrithviConfig(dim=32, depth=2, heads=2, patch=8, tile=32, coordinates=True)
    network = Prithvi(config, request.param, with_decoder=False).eval()
    batch, rows, cols = (torch.export.Dim(name) for name in ("batch", "rows", "cols"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            Features(network.encoder),
            inputs(2, 48, 40),
            dynamo=True,
            opset_version=20,
            input_names=list(INPUTS),
            output_names=["features"],
            dynamic_shapes={
                "images": {0: batch, 3: 8 * rows, 4: 8 * cols},
                "when": {0: batch},
                "where": {0: batch},
            },
            external_data=False,
            verbose=False,
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    content = program.model_proto.SerializeToString()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return network.encoder, session


@pytest.mark.parametrize("batch", [1, 7])
@pytest.mark.parametrize(("rows", "cols"), [(32, 32), (64, 64), (48, 24)])
def test_onnxruntime_gives_the_features_of_torch(exported, batch, rows, cols):
    encoder, session = exported
    tensors = inputs(batch, rows, cols)
    with torch.no_grad():
        expected = encoder.forward_features(*tensors)[-1].numpy()
    (found,) = session.run(None, {k: v.numpy() for k, v in zip(INPUTS, tensors)})
    assert found.shape == expected.shape
    # The year's encoding is a float32 sine of an argument near 2000, off by 1e-4 before its
    # scale of 0.1; everything else is rounding.
    assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()
