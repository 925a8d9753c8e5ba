"""How the simulated provider reads a prompt: what is instruction, what is the item, what fits.

Nothing but the text of the messages is read. A label is known by its own name, by the words that
the instructions give for it, and by a few word fields that anybody who reads English knows.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from promptstudio_lab.providers.chat import Message

_MARKER = re.compile(r"^([A-Za-z]\w*(?: \w+)?):", re.MULTILINE)
_CLOSING_TAG = re.compile(r"</([A-Za-z][\w-]*)>\s*\Z")
_FENCE = re.compile(r"^(?:```|~~~).*$", re.MULTILINE)
_CUE = re.compile(r"\n[ \t]*\w+(?: \w+)?:\s*\Z")
_DASH = re.compile(r"\s[-\u2013\u2014=]\s")
_BULLETS = "-\u2013\u2014*#> "
_WORD = re.compile(r"\w+")
_SUFFIXES = ("ations", "ation", "ments", "ment", "ings", "ing", "ies", "ed", "es", "s")
_SHORTEST_STEM = 3
_FENCES_OF_A_BLOCK = 2
_EXAMPLE_WEIGHT = 0.5
_HINT_WEIGHT = 0.2
_WORDS_OF_A_FIELD = 3  # a stray word in an example does not call a whole field to mind
_STOP_WORDS = """
a about after again all also am an and any are aren as at be because been before being but by can
cannot could did didn do does doesn doing don each either etc even ever every few for from get gets
getting give go goes going got had has hasn have haven having he her here hers him his how i if in
into is isn it its itself just ll made make many may me mine more most much must my myself never no
nor not now of off on once one only or our ours out over own please re s said same say says see she
should since so some somebody someone still such t than that the their them then there these they
thing things this those though three through to too two until up us ve very want was wasn we were
what when where which while who why will with without would yes yet you your yours
example label answer exactly need like come came back way nothing anything something everything else
show new use
"""
# Fields of words that belong together for anybody who reads English and a little of its neighbours,
# the same for every prompt: a word that the prompt gives calls to mind its field, but weakly.
# Enough that a bare list of labels is not answered by pure chance, less than a definition gives.
_FIELDS = """
bill invoice receipt statement pay payment money price cost amount fee charge debit refund reimburse
repay credit discount coupon voucher tax bank card euro dollar currency
rechnung zahlung facture paiement factura pago fatura fattura factuur

technical error bug fault fail broken crash freeze hang stuck slow load sync connect install
fehler erreur fallo erro errore fout

technical app application program programme software site website page browser screen button click
file update upgrade version upload download export import device phone laptop computer tablet
network internet wifi server disk video plugin api

account login log sign user username profile password register admin role permission access invite
owner identity anmelden passwort compte cuenta senha conta wachtwoord

ship deliver delivery dispatch parcel package order box item arrive courier carrier driver warehouse
track paket colis pedido paquete encomenda pacco pakket

cancel terminate quit end stop pause renew renewal subscribe unsubscribe subscription membership
contract plan kündigung vertrag résilier abonnement cancelar suscripción assinatura

praise thank compliment best lovely love wonderful

idea suggestion feature wish improve

job hiring career vacancy interview journalist press article partnership sponsor

positive good great excellent happy love wonderful best perfect

negative bad terrible hate awful worst disappointed poor

urgent immediately asap emergency deadline critical

complaint angry unacceptable disappointed worst

question wonder explain know ask

spam winner prize
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """A prompt taken apart.

    Attributes:
        instructions: what the author of the prompt says.
        item: the text that the instructions are about; a stranger may have written it.
    """

    instructions: str
    item: str


def read_prompt(messages: Sequence[Message]) -> Reading:
    r"""Separate the instructions from the item's text.

    All messages but the last are instructions. In the last one the item is, by the first rule
    that applies: the contents of a `<tag>` or fenced block that ends the prompt; the text after
    the last `Word:` that begins a paragraph and that the text before it speaks of (`the ticket`,
    then `Ticket:`); the text after the last such `Word:` that begins a line; the whole message
    if others precede it; the text after the first `Word:` that begins a line; the last paragraph.
    A marker is one or two words. A lone `Label:` at the very end is a cue to answer and belongs
    to the instructions.

    >>> from promptstudio_lab.providers.chat import Message
    >>> read_prompt([Message("user", "Sort the ticket.\n\nTicket: no light\nLog: x")]).item
    'no light\nLog: x'
    """
    before = "\n".join(message.content for message in messages[:-1])
    last = messages[-1].content if messages else ""
    cue = _CUE.search(last)
    text = last[: cue.start()] if cue else last
    span = _block(text) or _after_marker(before, text)
    # Without an item before it, `Ticket:` at the very end is no cue but the mark of an empty item.
    if span is None and not before:
        span = _after_marker(before, last)
    start, end = span or _rest(before, text)
    around = (before, last[:start], last[end:])
    return Reading("\n".join(part for part in around if part), last[start:end].strip())


def score_labels(labels: Sequence[str], reading: Reading) -> dict[str, float]:
    r"""Return how well each label's words fit the item, in words; a larger number fits better.

    A word counts once, and less the more labels share it: a word of every label counts nothing.

    >>> score_labels(["fruit", "tools"], Reading("- fruit: pears, figs\n- tools: saws", "A pear!"))
    {'fruit': 1.0, 'tools': 0.0}
    """
    given = _label_words(tuple(labels), reading.instructions)
    owners = Counter(word for weights in given.values() for word in weights)
    item = set(words_of(reading.item))
    most = math.log(max(len(given), 2))
    rarity = {
        word: math.log(len(given) / owners[word]) / most if len(given) > 1 else 1.0
        for word in item & owners.keys()
    }
    return {
        label: math.fsum(weights[word] * rarity[word] for word in sorted(item & weights.keys()))
        for label, weights in given.items()
    }


def words_of(text: str) -> list[str]:
    r"""Return the stems of the words that carry meaning, in order, invisible characters dropped.

    >>> words_of("The pay\u200bments were charged")
    ['pay', 'charg']
    """
    return [_stem(word) for word in _tokens(text) if _carries_meaning(word)]


def salient_words(text: str, limit: int) -> list[str]:
    """Return up to `limit` words as the text writes them: the most frequent, then the longest.

    >>> salient_words("A parcel, a stolen parcel, is late.", 2)
    ['parcel', 'stolen']
    """
    counts = Counter(filter(_carries_meaning, _tokens(text)))
    return sorted(counts, key=lambda word: (-counts[word], -len(word), word))[:limit]


def _tokens(text: str) -> list[str]:
    visible = "".join(letter for letter in text if unicodedata.category(letter) != "Cf")
    return _WORD.findall(unicodedata.normalize("NFKC", visible).casefold().replace("_", " "))


def _carries_meaning(word: str) -> bool:
    return word not in _STOPPED and not (len(word) == 1 and word.isascii() and word.isalpha())


def _stem(word: str) -> str:
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= _SHORTEST_STEM:
            word = word[: -len(suffix)]
            break
    if len(word) > _SHORTEST_STEM + (word[-1] == "y") and word[-1] in "ey":
        word = word[:-1]
    if len(word) > _SHORTEST_STEM and word[-1] == word[-2]:
        word = word[:-1]
    return word


def _block(text: str) -> tuple[int, int] | None:
    closing = _CLOSING_TAG.search(text)
    if closing:
        opening = re.compile(rf"^<{closing[1]}(?: [^<>]*)?>", re.MULTILINE)
        found = list(opening.finditer(text))
        if found:
            return found[-1].end(), closing.start()
    fences = list(_FENCE.finditer(text.rstrip()))
    if len(fences) >= _FENCES_OF_A_BLOCK and fences[-1].end() == len(text.rstrip()):
        return fences[-2].end(), fences[-1].start()
    return None


def _after_marker(before: str, text: str) -> tuple[int, int] | None:
    first: re.Match[str] | None = None
    by_rank: dict[bool, re.Match[str]] = {}
    said = set(words_of(before))
    read_to = 0
    for marker in _MARKER.finditer(text):
        first = first or marker
        said.update(words_of(text[read_to : marker.start()]))
        read_to = marker.start()
        if _stem(marker[1].casefold().rsplit(maxsplit=1)[-1]) in said:
            opens_paragraph = text.endswith(("\n\n", "\n\r\n"), 0, marker.start())
            by_rank[opens_paragraph] = marker
    chosen = by_rank.get(True) or by_rank.get(False) or (None if before else first)
    return (chosen.end(), len(text)) if chosen else None


def _rest(before: str, text: str) -> tuple[int, int]:
    paragraph = text.rstrip().rfind("\n\n")
    return (0 if before else max(paragraph, 0)), len(text)


# The items of a batch share their instructions.
@lru_cache(maxsize=64)
def _label_words(labels: tuple[str, ...], instructions: str) -> dict[str, dict[str, float]]:
    given = {label: dict.fromkeys(words_of(label), 1.0) for label in labels}
    names = {word for label in labels for word in words_of(label)}
    for label, line, weight in _owned_lines(labels, instructions):
        for word in words_of(line):
            # A line that lists the labels would otherwise hand each one's name to all the others.
            if word not in names:
                given[label][word] = max(weight, given[label].get(word, 0.0))
    for label, weights in given.items():
        sure = set(words_of(label))
        fields = [
            field
            for field in _FIELD_STEMS
            if not field.isdisjoint(sure) or len(field & weights.keys()) >= _WORDS_OF_A_FIELD
        ]
        for word in frozenset().union(*fields):
            weights[word] = weights.get(word, 0.0) + _HINT_WEIGHT
    return given


def _owned_lines(labels: Sequence[str], instructions: str) -> Iterator[tuple[str, str, float]]:
    """Give each line with the label that it speaks for, once per label.

    `label: …` opens a definition that indented lines continue, and a label alone on its line one
    that lasts to the next blank line; `Word: label` answers the lines above it up to a blank
    line; any other line speaks for each label that it names.
    """
    opened: str | None = None
    alone = False
    above: list[str] = []
    for line in instructions.splitlines():
        tokens = _tokens(line)
        head = _head(labels, line)
        if not tokens:
            opened, above = None, []
        elif head is not None:
            opened, alone = head, tokens == _tokens(head)
            yield head, line, 1.0
        elif (answer := _answer(labels, line)) is not None:
            yield from ((answer, earlier, _EXAMPLE_WEIGHT) for earlier in above)
        elif opened is not None and (alone or line[0].isspace()):
            yield opened, line, 1.0 if alone else _EXAMPLE_WEIGHT
        else:
            opened = None
            yield from ((label, line, 1.0) for label in labels if _names(tokens, _tokens(label)))
        above.append(line)


def _head(labels: Sequence[str], line: str) -> str | None:
    start, colon, _ = line.partition(":")
    tokens = _tokens(start if colon else _DASH.split(line.lstrip(_BULLETS))[0])
    if tokens and tokens[0].isdigit():
        tokens = tokens[1:]
    return next((label for label in labels if tokens and tokens == _tokens(label)), None)


def _answer(labels: Sequence[str], line: str) -> str | None:
    _, colon, rest = line.partition(":")
    tokens = _tokens(rest) if colon else []
    return next((label for label in labels if tokens and tokens == _tokens(label)), None)


def _names(tokens: Sequence[str], wanted: Sequence[str]) -> bool:
    size = len(wanted)
    return size > 0 and any(
        tokens[at : at + size] == wanted for at in range(len(tokens) - size + 1)
    )


_STOPPED = frozenset(_STOP_WORDS.split())
_FIELD_STEMS = tuple(frozenset(words_of(field)) for field in _FIELDS.split("\n\n"))
