"""Names and shapes of tensors: a file holds exactly those of its network, or is refused."""

from __future__ import annotations

from collections.abc import Mapping

from hyperkd.errors import HyperKDError
from hyperkd.sentences import some

Shape = tuple[int, ...]


def require_shapes(
    found: Mapping[str, Shape], expected: Mapping[str, Shape], problem: str, hint: str
) -> None:
    """Demand that ``found`` is ``expected``, name by name.

    Args:
        found: shape of each tensor of a file.
        expected: shape of each tensor of the network.
        problem: how the message begins: which file is not what.

    Raises:
        HyperKDError: ``bad_model`` with the names of tensors that are missing,
            unexpected or misshapen, all of them in its context.
    """
    missing = [name for name in expected if name not in found]
    unexpected = [name for name in found if name not in expected]
    misshapen = [
        f"{name} {tuple(found[name])} instead of {tuple(shape)}"
        for name, shape in expected.items()
        if name in found and tuple(found[name]) != tuple(shape)
    ]
    problems = [
        f"{title}: {some(names)}"
        for title, names in (
            ("missing tensors", missing),
            ("unexpected tensors", unexpected),
            ("wrong shapes", misshapen),
        )
        if names
    ]
    if problems:
        raise HyperKDError(
            "bad_model",
            f"{problem}; {'; '.join(problems)}.",
            hint,
            missing=missing,
            unexpected=unexpected,
            misshapen=misshapen,
        )
