"""Runs scenarios and writes their transcripts; tests/scenarios/README.md describes both formats.

    python scenario.py [--break RULE] ENGINE.wasm STORE OUT_FOLDER SCENARIO.jsonl...

STORE is `dict` or the URL of a Redis, 7.0 or newer. With --break the store breaks a rule (broken.py), to test that
transcripts show it.
"""

import argparse
import json
import uuid
from pathlib import Path

import transcript
from interposed import Interposed
from broken import RULES
from engine import Engine
from environment import Settings
from names import Names
from steps import changes
from transcript import START_MS
from test_stores import test_store
from tickets import State, TicketsError


class ScriptedEnvironment:
    """A clock that only the scenario moves, and ids that are recorded."""

    def __init__(self, names, settings):
        self._names = names
        self._settings = settings
        self.time_ms = START_MS

    def now_ms(self):
        return self.time_ms

    def fresh_id(self):
        return self._names.add_fresh_id(str(uuid.uuid4()))

    def current_settings(self):
        return self._settings

    def try_again(self, _attempt):
        return True


class Run:
    """One scenario on one store."""

    def __init__(self, component, backend, about, rule):
        self._backend = backend
        self._names = Names()
        self._environment = ScriptedEnvironment(self._names, Settings(**about.get("settings", {})))
        store = RULES[rule](backend.store, backend.now_ms) if rule else backend.store
        self._interposed = Interposed(store, self._change)
        self._engine = Engine(component, self._interposed, self._environment)

    def step(self, number, step):
        """Executes a step; returns the line of its answer, or None."""
        op = step["op"]
        if op == "pass":
            self._backend.pass_time(step["ms"], self._names)
        if op in ("pass", "date"):
            self._environment.time_ms += step["ms"]
        elif op == "fail" or "before" in step:
            self._interposed.add(step)
        elif op in ("put", "drop"):
            self._change(step)
        else:
            answer = self._answer(getattr(self, f"_{op}"), step)
            self._interposed.clear()
            return transcript.line({"step": number, "op": op, **answer})
        return None

    def _change(self, step):
        id = self._names.id(step["id"])
        if step["op"] == "put":
            self._backend.put(id, step["fields"], step["ttl_ms"])
        else:
            self._backend.drop(id)

    def _answer(self, operation, step):
        try:
            return operation(step)
        except TicketsError as error:
            if error.case != "conflict":
                return {"error": error.case}
            return {"error": "conflict", "ticket": error.ticket and self._shown(error.ticket)}

    def _shown(self, ticket):
        return transcript.ticket(ticket, self._names, self._backend.from_start_ms)

    def _summary(self, summary):
        return transcript.summary(summary, self._names, self._backend.from_start_ms)

    def _ticket(self, ticket):
        return {"ticket": self._shown(ticket)}

    def _id(self, step):
        return self._names.id(step["id"])

    def _at(self, step):
        return self._names.at(self._id(step), step.get("at"))

    def _create(self, step):
        id = self._id(step) if "id" in step else None
        ticket = self._engine.create(id, changes(step), ttl_ms=step.get("ttl_ms"))
        return {"ticket": self._shown(ticket), **transcript.effect(ticket.effect)}

    def _ensure(self, step):
        ticket = self._engine.ensure(self._id(step), changes(step), ttl_ms=step.get("ttl_ms"))
        effect = transcript.effect(ticket.effect)
        return {"ticket": self._shown(ticket), "created": ticket.effect.created, **effect}

    def _get(self, step):
        return self._ticket(self._engine.get(self._id(step)))

    def _exists(self, step):
        return {"exists": self._engine.exists(self._id(step))}

    def _get_summary(self, step):
        return {"summary": self._summary(self._engine.get_summary(self._id(step)))}

    def _get_messages(self, step):
        id = self._id(step)
        found = self._engine.get_messages(id, step["entries_max"], step.get("bytes_max"))
        messages = [transcript.short(message) for message in found.messages]
        revision = self._names.revision(id, found.revision)
        return {"messages": messages, "history_entries": found.history_entries, "revision": revision}

    def _get_fact(self, step):
        id = self._id(step)
        found = self._engine.get_fact(id, step["pointer"])
        value = None if found.value is None else transcript.short(found.value)
        return {"value": value, "revision": self._names.revision(id, found.revision)}

    def _apply(self, step):
        ticket = self._engine.apply(self._id(step), changes(step), self._at(step), ttl_ms=step.get("ttl_ms"))
        return {"ticket": self._shown(ticket), **transcript.effect(ticket.effect)}

    def _touch(self, step):
        return self._ticket(self._engine.touch(self._id(step), ttl_ms=step.get("ttl_ms")))

    def _snapshot(self, step):
        text = self._engine.snapshot(self._id(step))
        return {"snapshot": self._names.add_snapshot(text), "text": transcript.short(text)}

    def _rollback(self, step):
        snapshot = self._names.snapshot(step["snapshot"])
        id, at, ttl_ms = self._id(step), self._at(step), step.get("ttl_ms")
        return self._ticket(self._engine.rollback(id, snapshot, at, ttl_ms=ttl_ms))

    def _restore(self, step):
        snapshot = self._names.snapshot(step["snapshot"])
        return self._ticket(self._engine.restore(snapshot, ttl_ms=step.get("ttl_ms")))

    def _close(self, step):
        self._engine.close(self._id(step), self._at(step))
        return {"done": True}

    def _list(self, step):
        prefix = step.get("prefix", "")
        ids, cursor = self._engine.list_ids(prefix)
        while cursor is not None:
            more, cursor = self._engine.list_ids(prefix, cursor)
            ids += more
        return {"ids": self._shown_ids(ids)}

    def _list_summaries(self, step):
        prefix = step.get("prefix", "")
        found, unreadable, cursor = self._engine.list_summaries(prefix)
        while cursor is not None:
            more, more_unreadable, cursor = self._engine.list_summaries(prefix, cursor)
            found, unreadable = found + more, unreadable + more_unreadable
        by_id = {self._names.shown_id(summary.id): summary for summary in found}
        summaries = [self._summary(by_id[id]) for id in sorted(by_id)]
        return {"summaries": summaries, "unreadable": self._shown_ids(unreadable)}

    def _shown_ids(self, ids):
        return sorted({self._names.shown_id(id) for id in ids})

    def _merge(self, step):
        return transcript.merged(*self._engine.merge(*(State(**step[side]) for side in ("base", "ours", "theirs"))))


def run(component, store, path, rule=None):
    """The transcript of one scenario on an empty store."""
    about, *steps = (json.loads(line) for line in path.read_text("utf-8").split("\n") if line)
    backend = test_store(store)
    try:
        scenario = Run(component, backend, about, rule)
        answers = []
        for number, step in enumerate(steps, 2):
            try:
                answers.append(scenario.step(number, step))
            except Exception as error:
                error.add_note(f"at line {number} of {path}")
                raise
        return "".join(filter(None, answers))
    finally:
        backend.close()


def main():
    parser = argparse.ArgumentParser(description="Runs scenarios and writes their transcripts.")
    parser.add_argument("--break", dest="rule", choices=sorted(RULES))
    parser.add_argument("engine", type=Path)
    parser.add_argument("store", help="`dict`, or the URL of a Redis")
    parser.add_argument("out_folder", type=Path)
    parser.add_argument("scenarios", type=Path, nargs="+")
    arguments = parser.parse_args()
    arguments.out_folder.mkdir(parents=True, exist_ok=True)
    for path in arguments.scenarios:
        text = run(arguments.engine, arguments.store, path, arguments.rule)
        (arguments.out_folder / path.name).write_bytes(text.encode())


if __name__ == "__main__":
    main()
