"""Tests of the engine run as in its own process, unless they are run for a library's."""

from __future__ import annotations

import os

from hyperkd.engine_process import mark_engine_process

if "HYPERKD_TEST_AS_LIBRARY" not in os.environ:
    mark_engine_process()
