"""Stores that break one rule each, to test that transcripts show it."""

from dataclasses import replace

from store import PRESENT, TTL_MS_MIN, Outcome

REVISION = "always the same"


class _Wrapper:
    """A store that passes every call on."""

    def __init__(self, store, now_ms):
        self._store = store
        self._now_ms = now_ms

    def read(self, key, freshness):
        return self._store.read(key, freshness)

    def write(self, key, fields, ttl_ms, when):
        return self._store.write(key, fields, ttl_ms, when)

    def touch(self, key, ttl_ms):
        return self._store.touch(key, ttl_ms)

    def remove(self, key, when):
        return self._store.remove(key, when)

    def scan(self, cursor, limit):
        return self._store.scan(cursor, limit)


class TtlNotRefreshed(_Wrapper):
    """A write or touch of an entry does not move its deadline."""

    def write(self, key, fields, ttl_ms, when):
        current = self._store.read(key, "latest")
        left_ms = ttl_ms if current is None else current.expires_at_ms - self._now_ms()
        return self._store.write(key, fields, max(left_ms, TTL_MS_MIN), when)

    def touch(self, key, ttl_ms):
        current = self._store.read(key, "latest")
        return Outcome(False) if current is None else Outcome(True, current.revision, current.expires_at_ms)


class MergeInsteadOfReplace(_Wrapper):
    """A write keeps the fields that it does not name."""

    def write(self, key, fields, ttl_ms, when):
        current = self._store.read(key, "latest")
        before = {} if current is None else current.fields
        return self._store.write(key, list({**before, **dict(fields)}.items()), ttl_ms, when)


class RevisionNotRaised(_Wrapper):
    """Every state has the same revision."""

    def read(self, key, freshness):
        return _same(self._store.read(key, freshness))

    def write(self, key, fields, ttl_ms, when):
        return _same_outcome(self._store.write(key, fields, ttl_ms, _condition(when)))

    def touch(self, key, ttl_ms):
        return _same_outcome(self._store.touch(key, ttl_ms))

    def remove(self, key, when):
        return _same_outcome(self._store.remove(key, _condition(when)))


def _condition(when):
    return PRESENT if when.revision == REVISION else when


def _same(state):
    return state if state is None or state.revision is None else replace(state, revision=REVISION)


def _same_outcome(outcome):
    return replace(_same(outcome), current=_same(outcome.current))


RULES = {
    "ttl-not-refreshed": TtlNotRefreshed,
    "merge-instead-of-replace": MergeInsteadOfReplace,
    "revision-not-raised": RevisionNotRaised,
}
