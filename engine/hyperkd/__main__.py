"""``python -m hyperkd``."""

import sys

# With -m Python looks for modules in the current folder first, and whoever made that folder
# may have put a numpy.py there. Without it the rest of the engine is found by its package.
_isolated = sys.flags.isolated or getattr(sys.flags, "safe_path", False)
if __name__ == "__main__" and not _isolated:
    del sys.path[0]

from hyperkd.cli import main  # noqa: E402

if __name__ == "__main__":
    raise SystemExit(main())
