"""The command line: `promptstudio`, one file a verb."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

from promptstudio_lab.errors import PromptStudioError

VERBS = {
    "demo": "run the sample experiment and print its decision",
    "doctor": "say which warehouse is used, and why, and every risk it stands in",
    "init": "make a warehouse that a team shares",
    "organization": "add an organisation to a shared warehouse, or list them",
    "analyst": "let somebody work in an organisation, or no longer",
    "worker": "run what was queued, and go on with what was answered",
    "archive": "move a past month into Parquet files, or bring it back",
    "upgrade": "bring a shared warehouse to the schema of this version",
}


def main(arguments: list[str] | None = None) -> int:
    """Run one verb and return the exit code."""
    parser = argparse.ArgumentParser(prog="promptstudio", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name, help_text in VERBS.items():
        import_module(f"promptstudio_lab.cli.{name}").arguments(
            verbs.add_parser(name, help=help_text, description=help_text)
        )
    chosen = parser.parse_args(arguments)
    try:
        return int(import_module(f"promptstudio_lab.cli.{chosen.verb}").run(chosen))
    except PromptStudioError as error:
        sys.stderr.write(f"promptstudio: {error}\n")
        return 1
