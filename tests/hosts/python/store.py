"""`key-value.wit` in Python, and the limits of every store.

A store is an object with five methods; each is atomic for one entry:

    read(key, freshness) -> Entry or None
    write(key, fields, ttl_ms, when) -> Outcome
    touch(key, ttl_ms) -> Outcome
    remove(key, when) -> Outcome
    scan(cursor, limit) -> (keys, cursor)

`fields` is a list of pairs of name and text. A call without an answer raises a StoreError.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple, Optional

TTL_MS_MIN = 1_000
TTL_MS_MAX = 366 * 24 * 60 * 60 * 1_000
ENTRY_BYTES_MAX = 16 * 1024 * 1024
PAGE_KEYS_MAX = 10_000

_KEY = re.compile(r"ticket:[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class StoreError(Exception):
    """A case of `key-value.error` with its payload: a text, or the limit of `too-large`."""

    def __init__(self, case, payload):
        super().__init__(f"{case}: {payload}")
        self.case = case
        self.payload = payload


@dataclass(frozen=True)
class Entry:
    """One state of an entry."""

    fields: dict
    revision: str
    expires_at_ms: int


class Condition(NamedTuple):
    """The condition of a change: `absent`, `present`, or `at` a revision."""

    kind: str
    revision: Optional[str] = None

    def holds(self, current):
        if self.kind == "at":
            return current is not None and current.revision == self.revision
        return (current is None) == (self.kind == "absent")


ABSENT = Condition("absent")
PRESENT = Condition("present")


@dataclass(frozen=True)
class Outcome:
    """The answer to a change: the new state, or the current entry."""

    applied: bool
    revision: Optional[str] = None
    expires_at_ms: int = 0
    current: Optional[Entry] = None


def is_key(text):
    return _KEY.fullmatch(text) is not None


def check_key(key):
    if not is_key(key):
        raise StoreError("invalid", f"key {key[:48]!r} is not `ticket:` and a ticket id")


def check_ttl(ttl_ms):
    if not TTL_MS_MIN <= ttl_ms <= TTL_MS_MAX:
        raise StoreError("invalid", f"ttl of {ttl_ms} ms is not between {TTL_MS_MIN} ms and {TTL_MS_MAX} ms")


def check_fields(fields):
    if sum(len(part.encode()) for field in fields for part in field) > ENTRY_BYTES_MAX:
        raise StoreError("too-large", ENTRY_BYTES_MAX)
    if not fields or len(dict(fields)) != len(fields):
        raise StoreError("invalid", "entry has no field, or a name twice")


def check_limit(limit):
    if not 1 <= limit <= PAGE_KEYS_MAX:
        raise StoreError("invalid", f"limit of {limit} keys is not between 1 and {PAGE_KEYS_MAX}")
