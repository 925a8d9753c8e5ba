"""`promptstudio demo`: the product's main job on the sample data, in one go."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from promptstudio_lab.cli.notebooks import execute_to_html
from promptstudio_lab.datasets.sample import CONTROL_PROMPT, LABELS, TREATMENT_PROMPT, tickets
from promptstudio_lab.lab import connect
from promptstudio_lab.money import usd
from promptstudio_lab.scorers.exact import Exact

if TYPE_CHECKING:
    import argparse

    from promptstudio_lab.lab import Experiment, Lab


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("--warehouse", help="where to keep it: a path, a URL, or `memory`")
    parser.add_argument("--model", default="simulated:small", help="provider:model")
    parser.add_argument("--no-notebook", action="store_true", help="skip the quickstart notebook")


def run(chosen: argparse.Namespace) -> int:
    """Build the flow, run both variants, say the decision, and execute the quickstart."""
    lab = connect(chosen.warehouse)
    lab.environment.trigger = "cli"
    _say(f"warehouse  {lab.warehouse.url}  ({lab.choice.why})")
    experiment = build(lab, chosen.model)
    _say(f"flow       {experiment.flow!r}")
    results = experiment.run(budget=usd(5))
    _say(
        f"runs       {results.height:,}: {len(experiment.dataset):,} items under each of 2 variants"
    )
    _say("")
    _say(repr(experiment.report()))
    _say("")
    if not chosen.no_notebook:
        page = execute_to_html("00_quickstart.ipynb", lab.choice.url)
        _say(f"notebook   {page.as_uri()}")
    _say("look       make lab   (JupyterLab on this warehouse)")
    return 0


def build(lab: Lab, model: str) -> Experiment:
    """Return the sample experiment: bare labels against labels with definitions."""
    dataset = lab.dataset("tickets", tickets())
    bare = lab.template("support/classify", CONTROL_PROMPT, "labels only")
    defined = lab.template("support/classify", TREATMENT_PROMPT, "definitions and examples")
    flow = lab.flow("support/triage")
    ticket = flow.input("ticket", "text")
    kind = flow.llm(
        "classify",
        model=model,
        prompt=f"support/classify@{min(bare.version, defined.version)}",
        ticket=ticket,
        returns={"label": list(LABELS)},
    )
    flow.output(label=kind.label)
    treatment = flow.vary("classify.prompt", defined.reference)
    return lab.experiment(
        f"definitions on {model}",
        flow=flow,
        variants={"control": None, "treatment": treatment},
        data=dataset,
        scorer=Exact("label"),
    )


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
