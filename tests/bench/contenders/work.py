"""The work of an interaction in Python: what is said and decided, as in contenders.rs."""

import json
import time


def message(number):
    return f"message {number} ".ljust(58, ".")


def decision(number):
    reason = "x" * (200 - len(json.dumps({"action": "reply", "number": number, "reason": ""}, separators=(",", ":"))))
    return {"action": "reply", "number": number, "reason": reason}


def new_ticket(history):
    now = int(time.time())
    return {
        "facts": {},
        "history": [message(number) for number in range(history)],
        "last_decision": decision(0),
        "created_at": now,
        "updated_at": now,
        "version": 1,
    }


def change(ticket, number):
    ticket["history"].append(message(number))
    ticket["last_decision"] = decision(number)
    ticket["updated_at"] = int(time.time())


def cpu_seconds(info):
    """Processor seconds of the server, from its `INFO cpu`."""
    return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])
