"""The page of bad and odd inputs is what the tests try."""

from __future__ import annotations

import re

import pytest

from hyperkd.errors import EXIT_STATUS
from hyperkd.problems import PROBLEMS
from tools import odd_inputs


def test_the_page_is_current() -> None:
    assert odd_inputs.main(["--check"]) == 0


def test_an_outdated_page_is_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(odd_inputs, "TABLES", odd_inputs.TABLES[1:])
    assert odd_inputs.main(["--check"]) == 1
    assert "odd-inputs.md is out of date" in capsys.readouterr().err


def test_inputs_are_many_and_distinct_and_their_outcomes_exist() -> None:
    rows = [(heading, *row) for heading, rows in odd_inputs.sections() for row in rows]
    assert len({row[:2] for row in rows}) == len(rows) >= 260
    for *_, outcome in rows:
        for code in re.findall(r"`(\w+)`", outcome):
            assert code in (EXIT_STATUS if outcome.startswith("refused") else PROBLEMS)
