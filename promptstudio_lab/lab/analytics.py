"""What an analyst asks of a lab: `lab.analytics.cost(by="flow")`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptstudio_lab.analytics.alerts import Alert, Alerts, alerts
from promptstudio_lab.analytics.anomalies import Anomalies, anomalies
from promptstudio_lab.analytics.bottlenecks import Bottlenecks, bottlenecks
from promptstudio_lab.analytics.cost import Cost, cost
from promptstudio_lab.analytics.forecasts import Forecasts, forecasts
from promptstudio_lab.analytics.latency import Latency, latency
from promptstudio_lab.analytics.performance import Performance, performance
from promptstudio_lab.analytics.series import series
from promptstudio_lab.analytics.source import Source
from promptstudio_lab.analytics.trends import Trend, trend
from promptstudio_lab.analytics.usage import Usage, usage
from promptstudio_lab.shown import offered, offered_html

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from promptstudio_lab.lab.facts import Environment
    from promptstudio_lab.stats.looks import Method
    from promptstudio_lab.warehouse.frames.period import When


class Analytics:
    """Questions about what the organisation's runs did and cost; archived months are counted too.

    All take `since`, the first moment of a run (its calls and nodes count with it), and `until`,
    the moment after the last: an aware datetime, a date (midnight UTC) or ISO text. Each answer
    shows a sentence, a picture and a table, and has `.to_polars()`, `.to_pandas()`, `.plot()` and
    `.sql`.
    """

    def __init__(self, environment: Environment) -> None:
        """Bind to a lab."""
        self._environment = environment

    def __repr__(self) -> str:
        """Name the questions."""
        return f"<Analytics {', '.join(name for name, _ in offered(self))}>"

    _repr_html_ = offered_html

    def facts(self, since: When | None = None, until: When | None = None) -> pl.LazyFrame:
        """Return what every other answer is made of: one row a call, or a node without a call.

        `first` is true once a node. `cost` is in nano-dollars, null where no price is known.

        >>> from promptstudio_lab.lab import connect
        >>> facts = connect("memory").analytics.facts(since="2026-01-01")
        >>> facts.select("template_version", "flow_version", "model", "cost").collect().shape
        (0, 4)
        """
        return self._source(since, until).facts()

    def cost(
        self,
        by: str | Sequence[str] = "flow",
        since: When | None = None,
        until: When | None = None,
    ) -> Cost:
        """Return what provider calls cost, and how much of that is known.

        Simulated calls and answers from the cache are counted apart. A call of unknown price is
        unknown and never $0: `coverage` says which share of the calls has a price. What a cached
        answer saved is told by the model that gave it first, and left out where that was simulated.

        Args:
            by: `template`, `version` (of a template), `flow`, `node`, `model`, `provider`, `user`
                (who asked for the run) or `day` (UTC), or several of them.
            since: the first moment of a run.
            until: the moment after the last.

        Raises:
            AnalysisError: for a word that cost cannot be told by.

        >>> from promptstudio_lab.lab import connect
        >>> connect("memory").analytics.cost(by=["flow", "day"]).sentence
        'No real call was made.'
        """
        return cost(self._source(since, until), by)

    def performance(
        self,
        template: str | None = None,
        since: When | None = None,
        until: When | None = None,
        *,
        alpha: float = 0.05,
        method: Method = "anytime",
    ) -> Performance:
        """Return how template versions do alone and inside each flow, side by side.

        Alone is a flow version in which one node asks a model and nothing else does. Only like is
        compared with like: the same version of the template and the same model; what has no
        counterpart says so and is never pooled with anything. Runs are the units.

        Args:
            template: its name or path; all templates by default.
            since: the first moment of a run.
            until: the moment after the last.
            alpha: the chance of missing the truth that each interval accepts.
            method: `anytime`, which allows looking at any time, or `fixed`.

        Raises:
            NotFound: if there is no template of that name.

        >>> from promptstudio_lab.lab import connect
        >>> connect("memory").analytics.performance().sentence
        'No call was made.'
        """
        source = self._source(since, until)
        return performance(source, template, alpha=alpha, method=method)

    def usage(
        self,
        template: str | None = None,
        since: When | None = None,
        until: When | None = None,
    ) -> Usage:
        """Return where templates are used, with what, by whom; what lags behind, what is unused.

        Args:
            template: its name or path; all templates by default.
            since: from when calls are counted.
            until: until when.

        >>> from promptstudio_lab.lab import connect
        >>> lab = connect("memory")
        >>> _ = lab.template("support/classify", "Label this: {{ ticket }}")
        >>> lab.analytics.usage().sentence
        'No flow has used a template; 1 version never used.'
        """
        return usage(self._source(since, until), template)

    def bottlenecks(
        self,
        flow: str | None = None,
        since: When | None = None,
        until: When | None = None,
        *,
        most: int = 2_000,
    ) -> Bottlenecks:
        """Return which nodes runs wait for: each node's share of the critical path.

        Args:
            flow: its name or path; all flows by default.
            since: the first moment of a run.
            until: the moment after the last.
            most: how many runs to look at, the newest ones.

        Raises:
            NotFound: if there is no flow of that name.

        >>> from promptstudio_lab.lab import connect
        >>> connect("memory").analytics.bottlenecks().sentence
        'No run is over.'
        """
        return bottlenecks(self._source(since, until), flow, most)

    def latency(
        self,
        by: str | Sequence[str] = "node",
        since: When | None = None,
        until: When | None = None,
        *,
        quantiles: Sequence[float] = (0.5, 0.95, 0.99),
    ) -> Latency:
        """Return quantiles of the latency of calls; `.window(...)` gives those of any of its days.

        Args:
            by: as `cost` takes it.
            since: the first moment of a run.
            until: the moment after the last.
            quantiles: which, such as 0.95.

        Raises:
            AnalysisError: for a word that latency cannot be told by, or a quantile that is no
                share.

        >>> from promptstudio_lab.lab import connect
        >>> connect("memory").analytics.latency("model").to_polars().columns[:4]
        ['provider', 'model', 'calls', 'p50_ms']
        """
        return latency(self._source(since, until), by, quantiles)

    def trend(
        self,
        metric: str = "cost_usd",
        by: str | Sequence[str] | None = None,
        since: When | None = None,
        until: When | None = None,
        *,
        every: str = "1d",
    ) -> Trend:
        """Return where a measure is going, and when its level changed.

        Args:
            metric: `cost_usd`, `calls`, `runs`, `tokens`, `cost_per_call_usd`, `latency_ms`,
                `latency_p50_ms`, `latency_p95_ms`, `success` or `score`.
            by: as `cost` takes it, but no days; None for all calls together.
            since: the first moment of a run.
            until: the moment after the last.
            every: how long a period is: `1h`, `1d` or `1w`.

        Raises:
            AnalysisError: for a measure, a word or a period that there is not.

        >>> from promptstudio_lab.lab import connect
        >>> connect("memory").analytics.trend("latency_p95_ms", by="flow").sentence
        'No call was made.'
        """
        return trend(series(self._source(since, until), metric, by, every))

    def anomalies(
        self,
        metric: str = "cost_usd",
        by: str | Sequence[str] | None = None,
        since: When | None = None,
        until: When | None = None,
        *,
        every: str = "1d",
        alpha: float = 0.001,
    ) -> Anomalies:
        """Return which periods were unusual, by those before; no data is a state of its own.

        Args:
            metric: as `trend` takes it.
            by: as `trend` takes it.
            since: the first moment of a run.
            until: the moment after the last.
            every: how long a period is.
            alpha: how often a usual period may be called unusual.

        Raises:
            AnalysisError: for a measure, a word or a period that there is not.

        >>> from promptstudio_lab.lab import connect
        >>> connect("memory").analytics.anomalies("score").sentence
        'No data: no call was made.'
        """
        return anomalies(series(self._source(since, until), metric, by, every), alpha)

    def forecast(  # noqa: PLR0913 — what, of whom, when, and how far ahead
        self,
        metric: str = "cost_usd",
        by: str | Sequence[str] | None = None,
        since: When | None = None,
        until: When | None = None,
        *,
        periods: int = 14,
        every: str = "1d",
        alpha: float = 0.05,
    ) -> Forecasts:
        """Return what a measure will be, with intervals that were tried on its own past.

        Args:
            metric: as `trend` takes it: money, volume, latency, or `score` for quality's drift.
            by: as `trend` takes it.
            since: the first moment of a run.
            until: the moment after the last.
            periods: how many periods ahead.
            every: how long a period is.
            alpha: 1 minus the coverage that is promised.

        Raises:
            AnalysisError: if no group has enough of a past, or for a measure, a word or a period
                that there is not.

        >>> from promptstudio_lab.lab import connect
        >>> from promptstudio_lab.lab.invented.desk import desk
        >>> lab = connect("memory")
        >>> _ = desk(lab, busy=0.2)
        >>> lab.analytics.forecast("runs", until="2026-08-24", periods=7).frame.height
        7
        """
        measured = series(self._source(since, until), metric, by, every)
        return forecasts(measured, periods, alpha)

    def alerts(
        self,
        rules: Sequence[Alert],
        since: When | None = None,
        until: When | None = None,
    ) -> Alerts:
        """Return what rules say of the latest period that is over, now that they are asked.

        Args:
            rules: the rules.
            since: how far back to look for what is usual.
            until: the moment that is taken for now.

        Raises:
            AnalysisError: if there is no rule, two have one name, or a measure is unknown.

        >>> import promptstudio_lab as ps
        >>> rule = ps.Alert("quiet", "calls", below=1, silent=True)
        >>> ps.connect("memory").analytics.alerts([rule]).firing["rule"].to_list()
        ['quiet']
        """
        return alerts(self._source(since, until), rules)

    def _source(self, since: When | None, until: When | None) -> Source:
        return Source(self._environment.warehouse, self._environment.actor, since, until)
