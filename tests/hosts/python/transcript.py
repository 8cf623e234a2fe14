"""The format of answers in a transcript."""

import hashlib
import json
from dataclasses import asdict

SHORT_BYTES_MAX = 200
START_MS = 1_750_000_000_000
MINUTE_MS = 60_000


def line(members):
    return json.dumps(members, ensure_ascii=False, separators=(",", ":")) + "\n"


def short(text):
    data = text.encode()
    return text if len(data) <= SHORT_BYTES_MAX else "sha256:" + hashlib.sha256(data).hexdigest()


def ticket(ticket, names, deadline_ms):
    """TICKET; `deadline_ms` returns the time from the start of the scenario to a deadline."""
    return {
        "id": names.shown_id(ticket.id),
        "facts": short(ticket.facts),
        "history": short(ticket.history),
        "last_decision": short(ticket.last_decision),
        "created_at": _time(ticket.created_at),
        "updated_at": _time(ticket.updated_at),
        "version": ticket.version,
        "revision": names.revision(ticket.id, ticket.revision),
        "expires": (deadline_ms(ticket.expires_at_ms) + MINUTE_MS // 2) // MINUTE_MS,
    }


def merged(state, aside):
    shown = {name: short(value) if isinstance(value, str) else value for name, value in asdict(state).items()}
    return {"merged": shown, "aside": aside}


def _time(seconds):
    return None if seconds == 0 else seconds - START_MS // 1_000
