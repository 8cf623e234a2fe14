"""The changes in a step of a scenario, as arguments of an Engine."""

from tickets import Bounds, Put

_PAYLOADS = {"put": Put, "trim": Bounds}


def changes(step):
    """The pairs of case and payload; a payload that is an object in JSON gets its type."""
    pairs = [pair for change in step.get("changes", []) for pair in change.items()]
    return [(case, _PAYLOADS[case](**payload) if case in _PAYLOADS else payload) for case, payload in pairs]
