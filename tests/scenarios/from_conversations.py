"""Makes a scenario from chat transcripts, by the rules of `ticket replay`; run by hand.

    python from_conversations.py ABOUT CONVERSATIONS.jsonl > SCENARIO.jsonl

Each conversation runs on a ticket of its own. JSON in the transcripts goes into the scenario unchanged, because a
ticket keeps numbers and escapes.
"""

import json
import math
import re
import sys
from json.decoder import scanstring

DEPTH_MAX = 62
FAILED = "Error"
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")

_SPACE = " \t\r\n"
_decoder = json.JSONDecoder()


def members(text):
    """The members of an object, each value as its text."""
    found, at = {}, _skip(text, 1)
    while text[at] != "}":
        key, at = scanstring(text, at + 1)
        begin = _skip(text, _skip(text, at) + 1)
        _, at = _decoder.raw_decode(text, begin)
        found[key] = text[begin:at]
        at = _skip(text, at)
        at = _skip(text, at + 1) if text[at] == "," else at
    return found


def items(text):
    """The items of an array, each as its text."""
    found, at = [], _skip(text, 1)
    while text[at] != "]":
        _, end = _decoder.raw_decode(text, at)
        found.append(text[at:end])
        at = _skip(text, end)
        at = _skip(text, at + 1) if text[at] == "," else at
    return found


def _skip(text, at):
    while text[at] in _SPACE:
        at += 1
    return at


def compact(value):
    """JSON with as few escapes as possible."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def strict(text):
    """The text of JSON that a ticket accepts, without the space around it; None for any other text."""
    try:
        value = json.loads(
            text, object_pairs_hook=_unrepeated, parse_constant=_refuse, parse_float=_number, parse_int=_number
        )
        compact(value).encode()
        return text.strip(_SPACE) if _depth(value) <= DEPTH_MAX else None
    except (ValueError, RecursionError):
        return None


def _unrepeated(pairs):
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a key occurs twice")
    return dict(pairs)


def _refuse(word):
    raise ValueError(f"{word} is not JSON")


def _number(digits):
    if math.isinf(float(digits)):
        raise ValueError("a number is out of the range of a double")
    return 0


def _depth(value):
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


class Conversation:
    """The steps that an agent would take on the ticket of one conversation."""

    def __init__(self, id, snapshots):
        self.steps = [{"op": "create", "id": id}]
        self.snapshots = snapshots
        self._id = id
        self._open = []

    def take(self, text):
        message = members(text)
        role = json.loads(message["role"])
        if role == "user":
            self._say(message["content"])
        elif role == "assistant":
            calls = message.get("tool_calls", "null")
            self._decide([] if calls == "null" else items(calls))
        elif role == "tool":
            self._learn(message)
        elif role not in ("system", "developer"):
            raise ValueError(f"unknown role {role!r}: use system, developer, user, assistant or tool")

    def end(self):
        self.steps.append({"op": "get", "id": self._id})

    def _apply(self, kind, texts):
        self.steps.append({"op": "apply", "id": self._id, "changes": [{kind: text} for text in texts]})

    def _say(self, content):
        parts = content.startswith("[")
        self._apply("say", [f'{{"role":"user","content":{content}}}' if parts else compact(json.loads(content))])

    def _decide(self, calls):
        if not calls:
            return
        # An agent cannot know which snapshot it will need, so it takes all.
        self.snapshots += 1
        self.steps.append({"op": "snapshot", "id": self._id})
        decisions = []
        for call in map(members, calls):
            function = members(call["function"])
            name, arguments = json.loads(function["name"]), function["arguments"]
            # The APIs write arguments as a string that holds JSON; some servers write the JSON itself.
            inside = strict(json.loads(arguments)) if arguments.startswith('"') else None
            decisions.append(f'{{"tool":{compact(name)},"arguments":{inside or arguments}}}')
            self._open.append((_optional(call, "id"), name, self.snapshots))
        self._apply("decide", decisions)

    def _learn(self, message):
        content = json.loads(message["content"])
        result = content if isinstance(content, str) else "".join(part["text"] for part in content)
        tool = _optional(message, "name")
        call = self._answered(_optional(message, "tool_call_id"), tool)
        if call and result.startswith(FAILED):
            self.steps.append({"op": "rollback", "id": self._id, "snapshot": call[2]})
            return
        name = compact(tool if tool is not None else call[1])
        value = strict(result) or compact(result)
        self._apply("learn", [f"{{{name}:null}}", f"{{{name}:{value}}}"])

    def _answered(self, id, tool):
        """The newest open call that a result answers: by its id, or by its name if there is no id."""
        for call in reversed(self._open):
            if call[0] == id if id is not None else call[1] == tool:
                self._open.remove(call)
                return call
        return None


def _optional(message, name):
    return json.loads(message.get(name, "null"))


def main():
    about, path = sys.argv[1:]
    lines = [{"about": about}]
    snapshots = 0
    with open(path, encoding="utf-8", newline="\n") as conversations:
        for line in filter(str.strip, conversations):
            parts = members(line.strip())
            id = json.loads(parts["id"])
            if not ID.fullmatch(id):
                raise ValueError(f"id {id!r} is not a valid ticket id")
            conversation = Conversation(id, snapshots)
            for message in items(parts["messages"]):
                conversation.take(message)
            conversation.end()
            snapshots = conversation.snapshots
            lines += conversation.steps
    for line in lines:
        sys.stdout.buffer.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")


if __name__ == "__main__":
    main()
