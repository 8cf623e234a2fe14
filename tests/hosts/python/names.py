"""The ids, revisions and snapshots that a scenario refers to by number."""


class Names:
    """Revisions and snapshots in the order of answers, fresh ids in the order in which they were generated."""

    def __init__(self):
        self._ordinals = {}
        self._shown = {}
        self._snapshots = []
        self._fresh = []

    def revision(self, id, revision):
        """The ordinal of the revision of a ticket in an answer."""
        self._shown.setdefault(id, []).append(revision)
        return self._ordinals.setdefault((id, revision), len(self._ordinals) + 1)

    def at(self, id, at):
        """The revision that AT refers to; None without AT."""
        if not isinstance(at, int):
            return at
        if at > 0:
            named = [revision for (_, revision), ordinal in self._ordinals.items() if ordinal == at]
        else:
            shown = self._shown.get(id, [])
            named = shown[at:][:1] if 0 < -at <= len(shown) else []
        return named[0] if named else f"revision {at}"

    def move(self, ms):
        """Every deadline in the store became earlier by `ms`; a revision begins with the deadline."""
        self._ordinals = {(id, _moved(text, ms)): ordinal for (id, text), ordinal in self._ordinals.items()}
        self._shown = {id: [_moved(text, ms) for text in texts] for id, texts in self._shown.items()}

    def add_snapshot(self, text):
        self._snapshots.append(text)
        return len(self._snapshots)

    def snapshot(self, named):
        """The text that SNAPSHOT refers to."""
        if isinstance(named, dict):
            return self.snapshot(named["number"]).replace(named["from"], named["to"], 1)
        if isinstance(named, str):
            return named
        index = named - 1 if named > 0 else len(self._snapshots) + named
        known = 0 <= index < len(self._snapshots)
        return self._snapshots[index] if known else f"snapshot {named}"

    def add_fresh_id(self, id):
        self._fresh.append(id)
        return id

    def id(self, text):
        """The id that a text of the scenario refers to."""
        return next((id for number, id in enumerate(self._fresh, 1) if text == f"(fresh {number})"), text)

    def shown_id(self, id):
        return f"(fresh {self._fresh.index(id) + 1})" if id in self._fresh else id


def _moved(revision, ms):
    deadline, dot, rest = revision.partition(".")
    return f"{int(deadline) - ms}{dot}{rest}" if deadline.isdecimal() else revision
