"""A store around a store, in which a scenario lets other clients write and calls fail."""

from store import StoreError


class Interposed:
    """Passes calls on, after the steps that are due before them. `change(step)` executes a `put` or a `drop`."""

    def __init__(self, store, change):
        self._store = store
        self._change = change
        self._due = []

    def add(self, step):
        self._due.append(step)

    def clear(self):
        """Drops the steps that no call of the operation reached."""
        self._due.clear()

    def read(self, key, freshness):
        return self._pass("read", key, freshness)

    def write(self, key, fields, ttl_ms, when):
        return self._pass("write", key, fields, ttl_ms, when)

    def touch(self, key, ttl_ms):
        return self._pass("touch", key, ttl_ms)

    def remove(self, key, when):
        return self._pass("remove", key, when)

    def scan(self, cursor, limit):
        return self._pass("scan", cursor, limit)

    def _pass(self, call, *arguments):
        for step in [step for step in self._due if step.get("before") == call]:
            self._due.remove(step)
            self._change(step)
        for fault in [step for step in self._due if step.get("call") == call][:1]:
            self._due.remove(fault)
            if fault.get("made"):
                self._make_and_lose_answer(call, arguments)
            case = fault["error"]
            raise StoreError(case, 1 if case == "too-large" else f"the scenario lets {call} fail")
        return getattr(self._store, call)(*arguments)

    def _make_and_lose_answer(self, call, arguments):
        try:
            getattr(self._store, call)(*arguments)
        except StoreError:
            pass  # A refusal is lost too.
