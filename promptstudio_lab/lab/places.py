"""What one does with a library, a flow or a template in a notebook, the same for all three."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Concatenate, ParamSpec, TypeVar

from promptstudio_lab.shown import card, facts
from promptstudio_lab.warehouse.access import FORBIDDEN
from promptstudio_lab.warehouse.places import archiving, copying, labels, permits, verbs
from promptstudio_lab.warehouse.places.things import Thing, clean_path, locate, take

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from typing import Self

    import polars as pl

    from promptstudio_lab.lab.facts import Environment
    from promptstudio_lab.warehouse.connect import Session
    from promptstudio_lab.warehouse.places.archiving import Archived
    from promptstudio_lab.warehouse.places.things import Kind

P = ParamSpec("P")
T = TypeVar("T")


class Placed:
    """Something with a place in a lab: each method is one step of `lab.undo()`.

    >>> import promptstudio_lab as ps
    >>> lab = ps.connect("memory")
    >>> support = lab.library("support").create().describe("What customers ask")
    >>> template = lab.template("support/classify", "Label this: {{ ticket }}").tag("nlp")
    >>> template.rename("label").path
    'support/label'
    >>> lab.undo()
    ('undo rename template',)
    >>> lab.find(tag="nlp").items["path"].to_list()
    ['support/classify']
    """

    kind: ClassVar[Kind]
    _environment: Environment
    path: str

    def move(self, library: str, *, rewrite: bool = False) -> Self:
        """Put it into another library, which is made if need be.

        Args:
            library: the library's path; `""` makes a library an outermost one.
            rewrite: whether flows that refer to its templates are rewritten; else they stand in
                the way.

        Raises:
            OperationRefused: if it would lie in itself, its name is taken there, or flows use it.
        """
        return self._become(self._do(verbs.move, library, again=rewrite))

    def rename(self, name: str, *, rewrite: bool = False) -> Self:
        """Give it another name.

        Args:
            name: the name alone, without its library.
            rewrite: whether flows that refer to its templates are rewritten; else they stand in
                the way.

        Raises:
            OperationRefused: if the name is taken, or flows use it.
        """
        return self._become(self._do(verbs.rename, name, again=rewrite))

    def copy(self, path: str, *, versions: str = "current") -> Self:
        """Copy it with everything in it and return the copy.

        Args:
            path: where the copy shall be, its own name last.
            versions: `current`, or `all` versions of each template.

        Raises:
            OperationRefused: if there is something already.
        """
        return self._at(self._do(copying.copy, path, versions=versions))

    def describe(self, text: str | None) -> Self:
        """Say what it is for; None takes the description away."""
        return self._shown(description=text)

    def categorise(self, category: str | None) -> Self:
        """Put it into a category; None takes it out."""
        return self._shown(category=category)

    def classify(self, level: str) -> Self:
        """Say how closely it is kept: `public`, `internal`, `confidential` or `restricted`.

        What a flow, or the dataset that it runs on, is kept as decides which providers may be sent
        it: those that your own settings clear for it, in `[clearances]`; by default a provider
        may be sent what is `confidential`, and only the offline one what is `restricted`.

        Raises:
            OperationRefused: if there is no such class.
        """
        self._do(verbs.classify, level)
        return self

    def color(self, color: str | None) -> Self:
        """Give it a color, such as `#1e88e5` or `teal`."""
        return self._shown(color=color)

    def icon(self, icon: str | None) -> Self:
        """Give it an icon: a name, or one sign."""
        return self._shown(icon=icon)

    def tag(self, *names: str) -> Self:
        """Put tags on it."""
        self._do(verbs.tag, names)
        return self

    def untag(self, *names: str) -> Self:
        """Take tags off it.

        Raises:
            NotFound: if it has not all of them.
        """
        self._do(verbs.untag, names)
        return self

    def order(self, *, before: str | None = None, after: str | None = None) -> Self:
        """Put it right before, or right after, another one of its kind in the same library.

        Raises:
            NotFound: if there is no such neighbour.
        """
        self._do(verbs.arrange, before=before, after=after)
        return self

    def pin(self, *, everybody: bool = False) -> Self:
        """Keep it on top: for you, or for everybody."""
        self._do(verbs.pin, everybody=everybody)
        return self

    def unpin(self, *, everybody: bool = False) -> Self:
        """Let it go back to its place."""
        self._do(verbs.unpin, everybody=everybody)
        return self

    def archive(self, *, anyway: bool = False) -> Self:
        """Put it away with everything in it; `restore` brings it back.

        Args:
            anyway: whether to do it though flows that stay use its templates.

        Raises:
            OperationRefused: naming such flows.
        """
        self._do(archiving.archive, anyway=anyway)
        return self

    def restore(self) -> Self:
        """Bring it back to where it was.

        Raises:
            NotFound: if it is not archived.
            OperationRefused: if its name is taken by now, or its library is archived too.
        """
        restore(self._environment, self._key(), self.kind)
        return self

    def _shown(self, **fields: str | None) -> Self:
        self._do(verbs.describe, **fields)
        return self

    def _do(
        self,
        verb: Callable[Concatenate[Session, Thing, P], T],
        *arguments: P.args,
        **more: P.kwargs,
    ) -> T:
        """Do a verb in a unit of work of its own."""
        here, key = self._environment, self._key()

        def work(session: Session) -> T:
            return verb(session, take(session, here.lab_id, self.kind, key), *arguments, **more)

        return here.warehouse.transact(here.actor, work)

    def _look(self, question: Callable[[Session, Thing], T]) -> T:
        here = self._environment
        with here.warehouse.reading(here.actor) as session:
            return question(session, locate(session, here.lab_id, self.kind, self._key()))

    def _key(self) -> str:
        """Return what finds it again: a library's path, or an id."""
        raise NotImplementedError

    def _become(self, path: str) -> Self:
        """Know its new path."""
        raise NotImplementedError

    def _at(self, path: str) -> Self:
        """Return the thing of the same kind at a path."""
        raise NotImplementedError


class Library(Placed):
    """A place for flows and templates, possibly inside another.

    >>> import promptstudio_lab as ps
    >>> ps.connect("memory").library("support/answers").create()
    <Library 'support/answers'>
    """

    kind = "library"

    def __init__(self, environment: Environment, path: str) -> None:
        """Name a place; `create` makes it if it is not there."""
        self._environment, self.path = environment, clean_path(path)

    def __repr__(self) -> str:
        """Name the path."""
        return f"<Library {self.path!r}>"

    def _repr_html_(self) -> str:
        return card(
            self.path, facts({"holds": "lab.find(…) and lab.libraries() tell"}), tag="library"
        )

    def create(self) -> Library:
        """Make it, with whatever is missing around it; what is there stays."""
        here = self._environment
        here.warehouse.transact(
            here.actor, lambda session: verbs.create(session, here.lab_id, self.path)
        )
        return self

    def permit(
        self,
        user: str | None = None,
        permission: str = "view",
        *,
        role: str | None = None,
        expires_at: datetime | None = None,
    ) -> Library:
        """Give somebody, or everybody of a role, a permission here and in all that lies in it.

        Without any permission, here or further out, everybody works by role. As soon as there is
        one, the nearest library that has any decides; an admin always may.

        Args:
            user: a login.
            permission: `view`, `run`, `edit` or `manage`: each includes those before it.
            role: `viewer`, `analyst` or `admin`, instead of a login.
            expires_at: when it ends; never by default.
        """
        self._do(permits.permit, _whom(user, role), permission, expires_at)
        return self

    def forbid(self, user: str | None = None, *, role: str | None = None) -> Library:
        """Let somebody, or everybody of a role, do nothing here; only an admin still may."""
        self._do(permits.forbid, _whom(user, role))
        return self

    def inherit(self) -> Library:
        """Take all permissions off: what holds around it holds here."""
        self._do(permits.inherit)
        return self

    def permissions(self) -> pl.DataFrame:
        """Return who may do what here, one a row; `library` says which library decides that."""
        import polars as pl

        found = self._look(permits.permissions)
        rows = [
            (
                each.principal_kind,
                each.principal,
                "none" if each.expires_at == FORBIDDEN else each.permission,
                None if each.expires_at == FORBIDDEN else each.expires_at,
                found.path,
            )
            for each in found.given
        ]
        schema: dict[str, Any] = {  # polars' own union of types
            **dict.fromkeys(("principal_kind", "principal", "permission"), pl.String),
            "expires_at": pl.Datetime("us", "UTC"),
            "library": pl.String,
        }
        return pl.DataFrame(rows, schema=schema, orient="row")

    def _key(self) -> str:
        return self.path

    def _become(self, path: str) -> Library:
        self.path = path
        return self

    def _at(self, path: str) -> Library:
        return Library(self._environment, path)


class Labelled(Placed):
    """A flow or a template, whose versions can have names."""

    def label(self, name: str, version: int | None = None) -> Self:
        """Let a label such as `production` name a version; one that stands elsewhere moves.

        Args:
            name: the label; a flow then refers to `library/name@label`.
            version: the version's number; by default this one: a flow is saved as it stands.
        """
        self._do(labels.label, name, self._version() if version is None else version)
        return self

    def unlabel(self, name: str) -> Self:
        """Take a label away: what refers to it then finds nothing."""
        self._do(labels.unlabel, name)
        return self

    def labels(self) -> dict[str, int]:
        """Return the versions by their labels."""
        return self._look(
            lambda session, thing: labels.labels(session, thing.kind, thing.rows[0][1])
        )

    def _version(self) -> int:
        """Return the number of the version at hand."""
        raise NotImplementedError


def restore(environment: Environment, wanted: str, kind: str | None = None) -> str:
    """Bring back what was archived, by its path or id, and return its path."""
    return environment.warehouse.transact(
        environment.actor,
        lambda session: archiving.restore(session, environment.lab_id, wanted, kind),
    ).path


def archived(environment: Environment) -> pl.DataFrame:
    """Return what is archived, one thing a row, the newest first."""
    import polars as pl

    def row(each: Archived) -> tuple[object, ...]:
        key = each.rows[0][1]
        return each.kind, each.path, len(each.inside), each.archived_at, each.archived_by, key

    with environment.warehouse.reading(environment.actor) as session:
        rows = [row(each) for each in archiving.archived(session, environment.lab_id)]
    schema: dict[str, Any] = {  # polars' own union of types
        "kind": pl.String,
        "path": pl.String,
        "rows": pl.Int64,
        "archived_at": pl.Datetime("us", "UTC"),
        "archived_by": pl.String,
        "id": pl.String,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def _whom(user: str | None, role: str | None) -> tuple[str, str]:
    return ("user", user or "") if role is None else ("role", role)
