"""What a lab does with runs: lists and opens them, goes on with them, answers what they ask."""

from __future__ import annotations

from time import sleep
from typing import TYPE_CHECKING

from promptstudio_lab.errors import Conflict
from promptstudio_lab.lab.running.recorded import answered, go_on
from promptstudio_lab.lab.running.results import Run
from promptstudio_lab.lab.running.told import ended_here, recorded

if TYPE_CHECKING:
    import polars as pl

    from promptstudio_lab.lab.facts import Environment
    from promptstudio_lab.values import Json

_LOOK_S = 0.1  # how often the end of a run that another process has in hand is looked for


class Opened:
    """A lab's runs.

    Attributes:
        environment: the lab.
    """

    environment: Environment

    def runs(self, limit: int = 100) -> pl.DataFrame:
        """Return the newest runs, one a row; runs whose process died show as `interrupted`."""
        return self.environment.runs(limit)

    def run(self, run_id: str) -> Run:
        """Open a run, whoever ran it: its answers, its nodes, `replay`, `resume`, `metric`.

        Args:
            run_id: its `flow_execution_id`, as `runs()` and batches list it.

        Raises:
            NotFound: if there is no such run.

        >>> import promptstudio_lab as ps
        >>> lab = ps.connect("memory")
        >>> f = lab.flow("shout")
        >>> _ = f.output(loud=f.transform("up", do="upper", value=f.input("word", "text")))
        >>> rows = f.batch([{"word": "one"}, {"word": "two"}])
        >>> lab.run(rows["flow_execution_id"][1]).outputs
        {'loud': 'TWO'}
        """
        return Run(recorded(self.environment, run_id), self.environment)

    def resume(self, run_id: str, budget: int | None = None) -> Run:
        """Go on with a run that waits, failed or was cut short: what is over is kept.

        Args:
            run_id: its `flow_execution_id`, as `runs()` lists it.
            budget: what may be spent at most, as `ps.usd(1)`.

        Raises:
            NotFound: if there is no such run.
            Conflict: if it goes on already, or has succeeded.
        """
        return Run(ended_here(go_on(self.environment, run_id, budget)), self.environment)

    def questions(self) -> pl.DataFrame:
        """Return what people are asked by runs that wait for them, oldest first."""
        return self.environment.questions()

    def answer(self, question_id: str, value: Json) -> Run:
        """Answer a question, and go on with the run that waits for it.

        Where a worker is faster and goes on with the run, its end is waited for.

        Args:
            question_id: as `questions()` lists it.
            value: the answer.

        Raises:
            NotFound: if there is no such question.
            ValueRefused: if the answer does not fit the question's form.
            Conflict: if it is answered already.
        """
        run_id = answered(self.environment, question_id, value)
        try:
            return self.resume(run_id)
        except Conflict:
            while (run := self.run(run_id)).status == "running":
                sleep(_LOOK_S)
            return run
