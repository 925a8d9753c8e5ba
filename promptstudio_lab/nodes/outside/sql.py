"""SQL: reads a database that the user has named."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from promptstudio_lab.nodes.kind import Context, Kind, Known, kinds
from promptstudio_lab.nodes.ports import Port, Ports

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptstudio_lab.values import Json

_MOST = 1000
# As SQLAlchemy's `text` reads parameters: a colon behind a backslash is none.
_PARAMETER = re.compile(r"(?<![:\w\\]):(\w+)(?!:)")


class Sql(Kind):
    r"""Gives the rows of one SELECT; values are bound to its :parameters and never written into it.

    A colon that begins no parameter is written `\:`.

    >>> import promptstudio_lab as ps
    >>> f = ps.connect("memory").draft()
    >>> query = "SELECT name FROM customer WHERE id = :who"
    >>> found = f.sql("find", connection="crm", query=query, who=f.input("who", "int"))
    >>> _ = f.output(rows=found.rows)
    >>> f.check()
    F404 error find: there is no connection 'crm'.
    """

    name = "sql"
    title = "SQL"
    summary = "Reads rows of a database that you have named."
    category = "Outside"
    icon = "sql"
    headline = "query"
    side_effects = "idempotent"
    schema: ClassVar[Mapping[str, Json]] = {
        "type": "object",
        "properties": {
            "connection": {
                "title": "Connection",
                "description": "The name of a connection of your own settings.",
                "type": "string",
                "format": "connection",
                "minLength": 1,
                "default": "default",
            },
            "query": {
                "title": "Query",
                "description": "One SELECT; each :parameter is an input.",
                "type": "string",
                "format": "sql",
                "minLength": 1,
                "default": "SELECT 1 AS n",
            },
            "most": {
                "title": "Most rows",
                "description": "How many rows are read; `cut` tells when there are more.",
                "type": "integer",
                "minimum": 1,
                "maximum": 100_000,
                "default": _MOST,
            },
        },
        "required": ["connection", "query"],
        "additionalProperties": False,
    }

    def ports(self, config: Mapping[str, Json], known: Known) -> Ports:
        """Return one input a parameter; the rows, how many, and whether there are more."""
        names = dict.fromkeys(_PARAMETER.findall(str(config.get("query", ""))))
        outputs = (Port("rows", "table"), Port("count", "int"), Port("cut", "bool"))
        return Ports(tuple(map(Port, names)), outputs)

    async def run(
        self, config: Mapping[str, Json], inputs: Mapping[str, Json], context: Context
    ) -> dict[str, Json]:
        """Read once.

        Raises:
            NodeFailed: if there is no such connection, or the statement would write.
        """
        most = int(config.get("most", _MOST))
        connection, query = str(config["connection"]), str(config["query"])
        # One more than is given tells whether that is all.
        rows = await context.query(connection, query, inputs, most + 1)
        kept = rows[:most]
        return {"rows": kept, "count": len(kept), "cut": len(rows) > most}


kinds.register("sql")(Sql())
