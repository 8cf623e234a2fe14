"""Stores that break one rule each, to show that transcripts tell them from sound ones."""

from dataclasses import replace

from store import PRESENT, TTL_MS_MIN, Outcome

REVISION = "always the same"


class _Through:
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


class TtlNotRefreshed(_Through):
    """A write or touch of what is there leaves its deadline where it was."""

    def write(self, key, fields, ttl_ms, when):
        there = self._store.read(key, "latest")
        left_ms = ttl_ms if there is None else there.expires_at_ms - self._now_ms()
        return self._store.write(key, fields, max(left_ms, TTL_MS_MIN), when)

    def touch(self, key, ttl_ms):
        there = self._store.read(key, "latest")
        return Outcome(False) if there is None else Outcome(True, there.revision, there.expires_at_ms)


class MergeInsteadOfReplace(_Through):
    """A write leaves fields that were there and are not given."""

    def write(self, key, fields, ttl_ms, when):
        there = self._store.read(key, "latest")
        before = {} if there is None else there.fields
        return self._store.write(key, list({**before, **dict(fields)}.items()), ttl_ms, when)


class RevisionNotRaised(_Through):
    """Every state has the same revision, so that no change is ever noticed."""

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
