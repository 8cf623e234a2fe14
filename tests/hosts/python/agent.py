"""An agent that shares its tickets with other hosts: it reads steps as JSON lines and answers each.

    python agent.py ENGINE.wasm REDIS_URL NAMESPACE

A step is an object as in tests/scenarios/README.md (create, ensure, get, apply, touch, snapshot, rollback, restore,
close, list), but `at` and `snapshot` are texts. An empty NAMESPACE means names without a namespace.
"""

import json
import sys
from dataclasses import asdict

from engine import Engine, TicketsError
from environment import SystemEnvironment
from redis_store import RedisStore
from steps import changes


def answer(engine, step):
    """The answer to a step: an object with one member, or with three for an error."""
    op, id, at, ttl_ms = step["op"], step.get("id"), step.get("at"), step.get("ttl_ms")
    try:
        if op == "snapshot":
            return {"snapshot": engine.snapshot(id)}
        if op == "close":
            engine.close(id, at)
            return {"done": True}
        if op == "list":
            return {"ids": ids(engine, step.get("prefix", ""))}
        ticket = {
            "create": lambda: engine.create(id, changes(step), ttl_ms=ttl_ms),
            "ensure": lambda: engine.ensure(id, changes(step), ttl_ms=ttl_ms),
            "get": lambda: engine.get(id),
            "apply": lambda: engine.apply(id, changes(step), at, ttl_ms=ttl_ms),
            "touch": lambda: engine.touch(id, ttl_ms=ttl_ms),
            "rollback": lambda: engine.rollback(id, step["snapshot"], at, ttl_ms=ttl_ms),
            "restore": lambda: engine.restore(step["snapshot"], ttl_ms=ttl_ms),
        }[op]()
        return {"ticket": asdict(ticket)}
    except TicketsError as error:
        return {"error": error.case, "text": error.text, "ticket": error.ticket and asdict(error.ticket)}


def ids(engine, prefix):
    found, cursor = engine.list_ids(prefix)
    while cursor is not None:
        more, cursor = engine.list_ids(prefix, cursor)
        found += more
    return sorted(set(found))


def main():
    component, url, namespace = sys.argv[1:]
    engine = Engine(component, RedisStore(url, namespace), SystemEnvironment())
    for line in sys.stdin:
        print(json.dumps(answer(engine, json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
