"""Run the engine from its folder, uninstalled: ``python -I engine run job.json``."""

from hyperkd.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
