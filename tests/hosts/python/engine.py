"""The ticket engine in a Python program: loads the component and gives it a store and an environment.

    engine = Engine("engine.wasm", RedisStore("redis://127.0.0.1/"), SystemEnvironment())
    ticket = engine.create(changes=[("say", '"hello"')])
    engine.apply(ticket.id, [("learn", '{"name":"Ada"}')], at=ticket.revision)

tickets.py has the types of arguments and answers, store.py those of stores. A refused operation raises a TicketsError.

Threads may share an Engine; its lock lets one operation run at a time. Processes may fork with it. An Engine lives as
long as its process. docs/own-hosts.md says what this host lacks.
"""

import functools
import os
import threading
import time
from dataclasses import fields, is_dataclass
from typing import Optional

import wasmtime
from wasmtime.component import Component, Linker, Record, Variant

from store import Condition, StoreError
from tickets import Changes, Effect, Fact, Messages, State, Summary, Ticket, TicketsError

# Each interface has a version of its own.
TICKETS = "agent:tickets/tickets@0.2.0"
KEY_VALUE = "agent:tickets/key-value@0.1.0"
ENVIRONMENT = "agent:tickets/environment@0.1.0"
FUNCTIONS = (
    "create ensure apply touch get exists get-summary get-messages get-fact snapshot rollback restore close "
    "list-ids list-summaries merge"
).split()
MEMORY_BYTES_MAX = 64 * 1024 * 1024
# After this time a lost race is a `conflict`.
OPERATION_S_MAX = 10.0


class Engine:
    """All operations of `tickets.wit`. Without `ttl_ms`, a write gives the time to live of the settings."""

    def __init__(self, component_path, store, environment):
        self._component = _load(str(component_path))
        self._store = store
        self._environment = environment
        self._start()
        os.register_at_fork(after_in_child=self._start)

    def _start(self):
        # Also in a forked process: a thread that held the lock or used the instance does not exist there.
        self._lock = threading.Lock()
        self._instance = None

    def create(self, id: Optional[str] = None, changes: Changes = (), *, ttl_ms: Optional[int] = None) -> Ticket:
        return _applied(self._call("create", id, _changes(changes), _unsigned(ttl_ms, 64)))

    def ensure(self, id: str, changes: Changes = (), *, ttl_ms: Optional[int] = None) -> Ticket:
        return _applied(self._call("ensure", id, _changes(changes), _unsigned(ttl_ms, 64)))

    def apply(self, id: str, changes: Changes, at: Optional[str] = None, *, ttl_ms: Optional[int] = None) -> Ticket:
        return _applied(self._call("apply", id, _changes(changes), at, _unsigned(ttl_ms, 64)))

    def touch(self, id: str, *, ttl_ms: Optional[int] = None) -> Ticket:
        return _lifted(Ticket, self._call("touch", id, _unsigned(ttl_ms, 64)))

    def get(self, id: str) -> Ticket:
        return _lifted(Ticket, self._call("get", id))

    def exists(self, id: str) -> bool:
        return self._call("exists", id)

    def get_summary(self, id: str) -> Summary:
        return _lifted(Summary, self._call("get-summary", id))

    def get_messages(self, id: str, entries_max: int, bytes_max: Optional[int] = None) -> Messages:
        return _lifted(Messages, self._call("get-messages", id, _unsigned(entries_max, 32), _unsigned(bytes_max, 32)))

    def get_fact(self, id: str, pointer: str = "") -> Fact:
        """One value by its JSON pointer; by the empty one all facts."""
        return _lifted(Fact, self._call("get-fact", id, pointer))

    def snapshot(self, id: str) -> str:
        return self._call("snapshot", id)

    def rollback(self, id: str, snapshot: str, at: Optional[str] = None, *, ttl_ms: Optional[int] = None) -> Ticket:
        return _lifted(Ticket, self._call("rollback", id, snapshot, at, _unsigned(ttl_ms, 64)))

    def restore(self, snapshot: str, *, ttl_ms: Optional[int] = None) -> Ticket:
        return _lifted(Ticket, self._call("restore", snapshot, _unsigned(ttl_ms, 64)))

    def close(self, id: str, at: Optional[str] = None) -> None:
        self._call("close", id, at)

    def list_ids(self, prefix: str = "", cursor: Optional[str] = None) -> tuple[list[str], Optional[str]]:
        """One page: ids, and the cursor of the next page."""
        page = self._call("list-ids", prefix, cursor)
        return page.ids, page.cursor

    def list_summaries(
        self, prefix: str = "", cursor: Optional[str] = None
    ) -> tuple[list[Summary], list[str], Optional[str]]:
        """One page: summaries, ids of entries that cannot be read, and the cursor of the next page."""
        page = self._call("list-summaries", prefix, cursor)
        return [_lifted(Summary, summary) for summary in page.summaries], page.unreadable, page.cursor

    def merge(self, base: State, ours: State, theirs: State) -> tuple[State, Optional[str]]:
        """The merged state, and the side whose state does not fit into it, if there is one."""
        merged = self._call("merge", *map(_lowered, (base, ours, theirs)))
        return _lifted(State, merged.state), merged.aside

    def _call(self, name, *arguments):
        # Two threads in one wasmtime.Store trap, or crash the process.
        with self._lock:
            self._until = time.monotonic() + OPERATION_S_MAX
            self._raised = None
            if self._instance is None:
                self._instance = self._new_instance()
            store, functions = self._instance
            try:
                answer = functions[name](store, *arguments)
            except BaseException as error:
                # It may have trapped, and a trapped instance must not be used again.
                self._instance = None
                raise (self._raised or error) from None
        if isinstance(answer, Variant):
            raise _error(answer)
        return answer

    def _new_instance(self):
        engine, component = self._component
        linker = Linker(engine)
        with linker.root() as root:
            with root.add_instance(KEY_VALUE) as interface:
                for name in ("read", "write", "touch", "remove", "scan"):
                    interface.add_func(name, self._import(getattr(self, f"_{name}")))
            with root.add_instance(ENVIRONMENT) as interface:
                interface.add_func("now-ms", self._import(self._environment.now_ms))
                interface.add_func("fresh-id", self._import(self._environment.fresh_id))
                interface.add_func("current-settings", self._import(self._settings))
                interface.add_func("try-again", self._import(self._try_again))
        store = wasmtime.Store(engine)
        store.set_limits(memory_size=MEMORY_BYTES_MAX)
        instance = linker.instantiate(store, component)
        tickets = instance.get_export_index(store, TICKETS)

        def function(name):
            return instance.get_func(store, instance.get_export_index(store, name, tickets))

        return store, {name: function(name) for name in FUNCTIONS}

    def _import(self, function):
        """The function as an import of the engine: a StoreError is an answer, any other exception a trap."""

        def answer(_store, *arguments):
            try:
                return function(*arguments)
            except StoreError as error:
                return Variant(error.case, error.payload)
            except BaseException as error:
                # wasmtime-py catches only an Exception here: a KeyboardInterrupt would crash the process.
                self._raised = error
                raise RuntimeError("an import of the engine raised an exception") from None

        return answer

    def _settings(self):
        return _lowered(self._environment.current_settings())

    def _try_again(self, attempt):
        return time.monotonic() < self._until and self._environment.try_again(attempt)

    def _read(self, key, freshness):
        return _record(entry=_entry(self._store.read(key, freshness)))

    def _write(self, key, pairs, ttl_ms, when):
        return _outcome(self._store.write(key, pairs, ttl_ms, Condition(when.tag, when.payload)))

    def _touch(self, key, ttl_ms):
        return _outcome(self._store.touch(key, ttl_ms))

    def _remove(self, key, when):
        return _outcome(self._store.remove(key, Condition(when.tag, when.payload)))

    def _scan(self, cursor, limit):
        keys, cursor = self._store.scan(cursor, limit)
        return _record(keys=keys, cursor=cursor)


@functools.cache
def _load(path):
    config = wasmtime.Config()
    # The threads of a parallel compilation do not exist in a forked process, which would wait for them forever.
    config.parallel_compilation = False
    engine = wasmtime.Engine(config)
    return engine, Component.from_file(engine, path)


def _record(**members):
    """A record for wasmtime: an object whose attributes have the names in WIT, with hyphens."""
    record = Record()
    for name, value in members.items():
        setattr(record, name.replace("_", "-"), value)
    return record


def _lowered(value):
    return _record(**{field.name: getattr(value, field.name) for field in fields(value)})


def _lifted(kind, record, **more):
    names = [field.name for field in fields(kind)]
    return kind(**{name: getattr(record, name.replace("_", "-")) for name in names if name != "effect"}, **more)


def _applied(record):
    return _lifted(Ticket, record.ticket, effect=_lifted(Effect, record.effect))


def _changes(changes):
    return [Variant(kind, _payload(payload)) for kind, payload in changes]


def _payload(payload):
    if is_dataclass(payload):
        return _record(**{field.name: _payload(getattr(payload, field.name)) for field in fields(payload)})
    return _unsigned(payload, 32) if isinstance(payload, int) else payload


def _unsigned(number, bits):
    """The number, or None. wasmtime-py cuts it to its bits without an error: -1 would be 4294967295 messages."""
    if number is not None and not 0 <= number < 1 << bits:
        raise TicketsError("invalid", f"{number} is not a number from 0 to {(1 << bits) - 1}")
    return number


def _entry(entry):
    if entry is None:
        return None
    pairs = list(entry.fields.items())
    return _record(fields=pairs, revision=entry.revision, expires_at_ms=entry.expires_at_ms)


def _outcome(outcome):
    return _record(
        applied=outcome.applied,
        revision=outcome.revision,
        expires_at_ms=outcome.expires_at_ms,
        current=_entry(outcome.current),
    )


def _error(error):
    if error.tag != "conflict":
        return TicketsError(error.tag, error.payload)
    if error.payload is None:
        return TicketsError("conflict", "ticket was removed or damaged by another client")
    ticket = _lifted(Ticket, error.payload)
    return TicketsError("conflict", f"ticket `{ticket.id}` was changed by another client", ticket)
