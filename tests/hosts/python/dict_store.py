"""A store on a dict: the smallest one with the complete contract of `key-value.wit`."""

from bisect import bisect_right

from store import Entry, Outcome, check_fields, check_key, check_limit, check_ttl


class DictStore:
    """Entries in memory, for one Engine, whose lock protects them. `clock()` is the time in ms since the Unix epoch."""

    def __init__(self, clock):
        self._clock = clock
        self._entries = {}
        self._changes = 0

    def read(self, key, _freshness):
        check_key(key)
        return self._current(key)

    def write(self, key, fields, ttl_ms, when):
        check_key(key)
        check_ttl(ttl_ms)
        check_fields(fields)
        current = self._current(key)
        if not when.holds(current):
            return Outcome(False, current=current)
        return self._set(key, dict(fields), ttl_ms)

    def touch(self, key, ttl_ms):
        check_key(key)
        check_ttl(ttl_ms)
        current = self._current(key)
        return Outcome(False) if current is None else self._set(key, current.fields, ttl_ms)

    def remove(self, key, when):
        check_key(key)
        current = self._current(key)
        if not when.holds(current):
            return Outcome(False, current=current)
        self._entries.pop(key, None)
        return Outcome(True)

    def scan(self, cursor, limit):
        check_limit(limit)
        if cursor is not None:
            check_key(cursor)
        keys = sorted(key for key in list(self._entries) if self._current(key))
        begin = 0 if cursor is None else bisect_right(keys, cursor)
        page = keys[begin : begin + limit]
        return page, page[-1] if begin + limit < len(keys) else None

    def _current(self, key):
        entry = self._entries.get(key)
        if entry is not None and self._clock() > entry.expires_at_ms:
            del self._entries[key]
            return None
        return entry

    def _set(self, key, fields, ttl_ms):
        # Revisions are opaque. A counter is the simplest one that no earlier state had.
        self._changes += 1
        entry = Entry(fields, str(self._changes), self._clock() + ttl_ms)
        self._entries[key] = entry
        return Outcome(True, entry.revision, entry.expires_at_ms)
