"""240 labelled support tickets, and two prompts of different quality to compare on them."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from promptstudio_lab import values

if TYPE_CHECKING:
    from promptstudio_lab.values import Json

LABELS: tuple[str, ...] = (
    "billing",
    "technical",
    "account",
    "shipping",
    "cancellation",
    "other",
)

_INSTRUCTION = (
    "Classify the support ticket. Answer with exactly one label: "
    "billing, technical, account, shipping, cancellation or other."
)
_MARKER = "Ticket: {{ ticket }}"
_GUIDE = """\
- billing: money: charges, invoices, bills, receipts, payments by card or bank, refunds, prices, \
costs, discounts, credit, fees, tax, money that was taken twice or never agreed.
  Example: "My bank statement shows a debit of 30 that is on no invoice, kindly credit the money."
- technical: something is broken: errors, bugs, crashes, freezes, slow or empty pages, failed \
sync, connection, upload, export, files, notifications, search, documents, app, device, website.
  Example: "After the update the screen stays black, no button works, the browser loads nothing."
- account: access and identity: login, log in, sign in, password, reset link, verification, \
two-factor codes, locked, e-mail address, profile, name, security, personal data, users, \
admin, invitations.
  Example: "My colleague can't sign in on her new phone, who is allowed to change the owner?"
- shipping: goods on their way: order, parcel, package, delivery, tracking, courier, driver, \
damaged, missing or wrong items, customs, warehouse, returns, stock.
  Example: "The box was left with a neighbour, it never arrived at our door, a lamp is in pieces."
- cancellation: wants to end, stop, terminate, pause, withdraw from or not renew something: \
subscription, membership, trial, contract, renewal, downgrade.
  Example: "Close it down at the end of the quarter, we have no more use for it; what notice?"
- other: anything else: praise, thanks, compliments, ideas, suggestions, jobs, press, \
partnership, sponsors, school projects, opening hours, greetings, offers, no request.
  Example: "What a lovely team you are! May our little magazine feature your logo and history?"\
"""

CONTROL_PROMPT = f"{_INSTRUCTION}\n\n{_MARKER}"
TREATMENT_PROMPT = f"{_INSTRUCTION}\n\n{_GUIDE}\n\n{_MARKER}"


def tickets() -> list[dict[str, Json]]:
    """Return the tickets, in file order; the README beside them says what each field means.

    Returns:
        One mapping a ticket: `id`, `ticket`, `label`, `language`, `difficulty`, `traits`. Treat
        `ticket` as untrusted text: some tickets are hostile on purpose.

    >>> rows = tickets()
    >>> len(rows), sorted(rows[0])
    (240, ['difficulty', 'id', 'label', 'language', 'ticket', 'traits'])
    """
    text = resources.files(__name__).joinpath("tickets.jsonl").read_text(encoding="utf-8")
    # Not splitlines(): one ticket holds a U+2028, which is no end of line here.
    return [values.loads(line) for line in text.split("\n") if line]
