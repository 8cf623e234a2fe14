"""The border between engine and store, where a scenario lets foreign hands and faults in. It is a store itself."""

from store import StoreError


class Interposed:
    """Passes calls on. Before one, it does what waits for it: `change(step)` does a `put` or a `drop`."""

    def __init__(self, store, change):
        self._store = store
        self._change = change
        self._waiting = []

    def wait(self, step):
        self._waiting.append(step)

    def forget(self):
        """What was not met by the end of an operation is dropped."""
        self._waiting.clear()

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
        for step in [step for step in self._waiting if step.get("before") == call]:
            self._waiting.remove(step)
            self._change(step)
        for fault in [step for step in self._waiting if step.get("call") == call][:1]:
            self._waiting.remove(fault)
            if fault.get("made"):
                self._make_unseen(call, arguments)
            case = fault["error"]
            raise StoreError(case, 1 if case == "too-large" else f"{call} failed as the scenario says")
        return getattr(self._store, call)(*arguments)

    def _make_unseen(self, call, arguments):
        try:
            getattr(self._store, call)(*arguments)
        except StoreError:
            pass  # The answer is lost, a refusal too.
