"""`tickets.wit` in Python: what an Engine takes and answers.

A change is a pair of its case and its payload:

    ("say", '"hello"')  ("learn", '{"name":"Ada"}')  ("decide", '{"tool":"track"}')  # JSON texts
    ("put", Put("/order/city", '"Rome"'))  ("retract", 2)  ("trim", Bounds(entries_max=50))
"""

from dataclasses import dataclass, field
from typing import Iterable, Optional, Union


@dataclass(frozen=True)
class Effect:
    """What a write did that the ticket does not show."""

    created: bool = False
    retracted: list[str] = field(default_factory=list)
    trimmed: int = 0


@dataclass(frozen=True)
class Ticket:
    """As in `tickets.wit`, with the `effect` of `create`, `ensure` or `apply`, which does not count for equality."""

    id: str
    facts: str
    history: str
    last_decision: str
    created_at: int
    updated_at: int
    version: int
    revision: str
    expires_at_ms: int
    effect: Effect = field(default_factory=Effect, compare=False)


@dataclass(frozen=True)
class Summary:
    """A ticket without its texts."""

    id: str
    facts_bytes: int
    history_bytes: int
    last_decision_bytes: int
    history_entries: int
    created_at: int
    updated_at: int
    version: int
    revision: str
    expires_at_ms: int


@dataclass(frozen=True)
class Messages:
    """The newest messages, oldest first, and how many the whole history has."""

    messages: list[str]
    history_entries: int
    revision: str


@dataclass(frozen=True)
class Fact:
    """One value among the facts; None where the pointer names nothing."""

    value: Optional[str]
    revision: str


@dataclass(frozen=True)
class Put:
    """The payload of the change "put"."""

    pointer: str
    value: str
    only_if_absent: bool = False


@dataclass(frozen=True)
class Bounds:
    """The payload of the change "trim"; one of the two at least."""

    entries_max: Optional[int] = None
    bytes_max: Optional[int] = None


@dataclass(frozen=True)
class State:
    """As in `tickets.wit`."""

    facts: str
    history: str
    last_decision: str
    created_at: int
    updated_at: int


Changes = Iterable[tuple[str, Union[str, int, Put, Bounds]]]


class TicketsError(Exception):
    """A case of `tickets.error`; `ticket` is the current ticket of a `conflict`, if there is one."""

    def __init__(self, case, text, ticket=None):
        super().__init__(f"{case}: {text}")
        self.case = case
        self.text = text
        self.ticket = ticket
