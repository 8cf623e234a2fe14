"""The plain lifecycle of a ticket as Python agents write it: read all, change, write all, set the TTL."""

import copy
import json
import sys
import time
import uuid

TTL_S = 1800
PER_TICKET = 5


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


def stored(ticket):
    return {name: json.dumps(value) if name in ("facts", "history", "last_decision") else value for name, value in ticket.items()}


class Redis:
    def __init__(self, url):
        import hiredis  # noqa: F401  what redis-py parses with where it is there
        import redis

        self.client = redis.Redis.from_url(url, decode_responses=True)

    def save(self, key, ticket):
        pipeline = self.client.pipeline(transaction=False)
        pipeline.hset(key, mapping=stored(ticket))
        pipeline.expire(key, TTL_S)
        pipeline.execute()

    def load(self, key):
        fields = self.client.hgetall(key)
        ticket = {name: json.loads(fields[name]) for name in ("facts", "history", "last_decision")}
        ticket.update({name: int(fields[name]) for name in ("created_at", "updated_at", "version")})
        return ticket


class Memory:
    def __init__(self):
        self.tickets = {}

    def save(self, key, ticket):
        self.tickets[key] = copy.deepcopy(ticket)

    def load(self, key):
        return copy.deepcopy(self.tickets[key])


def run(store, interactions, history):
    per_ticket = max(PER_TICKET, history // 10)
    keys = [f"ticket:{uuid.uuid4()}" for _ in range(-(-interactions // per_ticket))]
    for key in keys:
        store.save(key, new_ticket(history))
    begun = time.perf_counter()
    for number in range(interactions):
        key = keys[number // per_ticket]
        ticket = store.load(key)
        change(ticket, number)
        store.save(key, ticket)
    seconds = time.perf_counter() - begun
    if isinstance(store, Memory):
        store.tickets.clear()
    return seconds


def main():
    store = Memory() if sys.argv[1] == "memory:" else Redis(sys.argv[1])
    for line in sys.stdin:
        step = json.loads(line)
        print(json.dumps({"seconds": run(store, step["interactions"], step["history"])}), flush=True)


main()
