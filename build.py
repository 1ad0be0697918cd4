"""HyperKD's one task runner: ``python3 build.py demo`` and ``python3 build.py test``.

Standard library only. Any Python from 3.9 on may start it; the work is done by
the Python that QGIS uses, and by ``.venv``, which is made from that. Outside
this checkout nothing is written, except by apt where QGIS is missing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

if sys.version_info < (3, 9):  # noqa: UP036 - an older one should end in a sentence
    sys.exit("build.py needs Python 3.9 or newer, this is " + sys.version.split()[0] + ".")

from tools import benchmarks, checks, demo, plugin, roots
from tools.environment import ensure
from tools.machine import BUILD, ROOT, SetupError, ensure_qgis, ensure_screen, qgis_environment, run

TEST_PROFILE = BUILD / "qgis" / "test"
# What pytest is told when it is told nothing: two processes, each of which takes whole files, so
# that what the tests of a file share is made once. One that crashes ends the run and names its
# test: xdist (3.8) gives the files that it had finished to its successor, and waits for ever.
WHOLE_SUITE = ("-n", "2", "--dist", "loadfile", "--max-worker-restart", "0")
WITHOUT_TORCH = "--without-torch"
# The exit status where there is nothing to run the tests in, as of other test runners.
SKIPPED = 77


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    # What follows `test` belongs to pytest, flags included.
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["test"]:
        bare = words[1:2] == [WITHOUT_TORCH]
        command = command_test
        given = argparse.Namespace(without_torch=bare, pytest=words[1 + bare :])
    else:
        given = _parser().parse_args(words)
        command = given.command
    try:
        return int(command(given))
    except SetupError as error:
        print(f"build.py: {error}", file=sys.stderr)
        return SKIPPED if isinstance(error, roots.RootUnavailable) else 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="build.py", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    made = commands.add_parser("demo", help="set everything up and map a scene without a label")
    made.add_argument("--raster", type=Path, help="a hyperspectral raster; default: simulate one")
    made.add_argument("--out", type=Path, default=BUILD / "demo", help="folder for the results")
    text = "also fine-tune on a few labels of the simulated scene; PyTorch is installed for it"
    made.add_argument("--labels", action="store_true", help=text)
    made.set_defaults(command=command_demo)

    text = f"set everything up and run the tests [{WITHOUT_TORCH}] [pytest args]"
    made = commands.add_parser("test", help=text)
    made.set_defaults(command=command_test)

    made = commands.add_parser(
        "root",
        help="run the tests in a Debian with a newer QGIS, made with debootstrap",
        description="Without pytest arguments: the plugin's tests, or all with --torch.",
        epilog="; ".join(f"{name} is {what}" for name, what in roots.SUITES.items())
        + f". {roots.ROOTS_VARIABLE} names the folder where roots are kept (build/roots).",
    )
    made.add_argument("--torch", action="store_true", help="with torch, maybe gigabytes of CUDA")
    made.add_argument("suite", choices=list(roots.SUITES), help="which Debian")
    made.add_argument("pytest", nargs=argparse.REMAINDER, help="arguments of pytest")
    made.set_defaults(command=command_root)

    made = commands.add_parser("check", help="style, types, schema, package and security scans")
    made.set_defaults(command=command_check)

    made = commands.add_parser("package", help="write dist/hyperkd_qgis-<version>.zip")
    made.set_defaults(command=command_package)

    made = commands.add_parser("bench", help="run the benchmarks, or one of them")
    made.add_argument("name", nargs="?", metavar="NAME", help="of benchmarks/bench_NAME.py")
    made.add_argument("--quick", action="store_true", help="smaller input, rougher figures")
    made.set_defaults(command=command_bench)

    made = commands.add_parser("link", help="link the plugin into a QGIS profile")
    made.add_argument("--profile", type=Path, help="folder of the profile; default: the user's")
    made.set_defaults(command=command_link)
    return parser


def command_demo(given: argparse.Namespace) -> int:
    """Set everything up and run the main job."""
    interpreter = ensure_qgis()
    if given.labels and given.raster is not None:
        raise SetupError("--labels takes the truth of the simulated scene; leave out --raster.")
    python = ensure("demo with labels" if given.labels else "demo", interpreter)
    raster = None if given.raster is None else given.raster.absolute()
    return demo.run_demo(interpreter, python, raster, given.out.absolute(), labels=given.labels)


def command_test(given: argparse.Namespace) -> int:
    """Set everything up and run the tests."""
    interpreter = ensure_qgis()
    ensure_screen()
    python = ensure("test without torch" if given.without_torch else "test", interpreter)
    plugin.link(TEST_PROFILE / "profiles/default/python/plugins")
    environment = qgis_environment(interpreter, TEST_PROFILE)
    return run([python, "-m", "pytest", *(given.pytest or WHOLE_SUITE)], environment=environment)


def command_root(given: argparse.Namespace) -> int:
    """Run tests in a Debian root."""
    without = [] if given.torch else [WITHOUT_TORCH]
    if without:
        print("Without torch: tests that train are skipped; --torch runs them too.", flush=True)
    default = [] if given.torch else ["tests/qgis"]
    return roots.run_tests(given.suite, [*without, *(given.pytest or default)])


def command_check(given: argparse.Namespace) -> int:
    """Run the linters, the type checker and the scans of the plugin repository."""
    interpreter = ensure_qgis()
    failed = checks.run_checks(interpreter, ensure("check", interpreter))
    print(f"check: {'failed: ' + ', '.join(failed) if failed else 'all passed'}")
    return 1 if failed else 0


def command_package(given: argparse.Namespace) -> int:
    """Write the plugin's zip."""
    path = plugin.package()
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1e6:.2f} MB")
    return 0


def command_bench(given: argparse.Namespace) -> int:
    """Run benchmarks."""
    wanted = benchmarks.choose(given.name)  # a wrong name installs nothing
    return benchmarks.run_benchmarks(ensure("bench", ensure_qgis()), wanted, given.quick)


def command_link(given: argparse.Namespace) -> int:
    """Link the plugin into a profile of QGIS."""
    ensure("link", ensure_qgis())
    profile = plugin.default_profile() if given.profile is None else given.profile.absolute()
    folder = plugin.link(profile / "python/plugins")
    print(f"{folder} now links here.\nIn QGIS: Plugins, Manage and Install Plugins, tick HyperKD.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
