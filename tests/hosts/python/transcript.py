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


def minutes(deadline_ms):
    """MINUTES of a time from the start of the scenario to a deadline."""
    return (deadline_ms + MINUTE_MS // 2) // MINUTE_MS


def effect(effect):
    """What a write did, without what is empty."""
    shown = {"retracted": [short(message) for message in effect.retracted], "trimmed": effect.trimmed}
    return {name: value for name, value in shown.items() if value}


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
        "expires": minutes(deadline_ms(ticket.expires_at_ms)),
    }


def summary(summary, names, deadline_ms):
    """SUMMARY; `deadline_ms` as above."""
    return {
        "id": names.shown_id(summary.id),
        "facts_bytes": summary.facts_bytes,
        "history_bytes": summary.history_bytes,
        "last_decision_bytes": summary.last_decision_bytes,
        "history_entries": summary.history_entries,
        "created_at": _time(summary.created_at),
        "updated_at": _time(summary.updated_at),
        "version": summary.version,
        "revision": names.revision(summary.id, summary.revision),
        "expires": minutes(deadline_ms(summary.expires_at_ms)),
    }


def merged(state, aside):
    shown = {name: short(value) if isinstance(value, str) else value for name, value in asdict(state).items()}
    return {"merged": shown, "aside": aside}


def _time(seconds):
    return None if seconds == 0 else seconds - START_MS // 1_000
