"""Greets the user: a workflow that acts on one ticket."""

import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.handler import Afterwards, Failure, Reply
from wit_world.imports import ticket


class Failed(Exception):
    """What becomes of a failed run: `code` is for programs, `text` for people."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


def greet(told: dict) -> dict:
    if ticket.message_count() == 0:
        raise Failed("nothing-said", "the user has said nothing yet")
    ticket.learn(json.dumps({"user": told["user"]}))
    ticket.decide(json.dumps({"action": "greet"}))
    return {"text": f"Hello, {told['user']}."}


class Handler(exports.Handler):
    def run(self, input: str) -> Reply:
        try:
            return Reply(output=json.dumps(greet(json.loads(input))), afterwards=Afterwards.KEEP_ALIVE)
        except Exception as error:
            # What is raised as it is would end the run as a trap, without its text.
            code = getattr(error, "code", "failed")
            raise Err(Failure(code=code, text=str(error), try_again=False))
