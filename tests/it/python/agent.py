"""The old agent: the ticket lifecycle in Python, with redis-py and json, driven by JSON lines.

Each line of stdin is one step; each line of stdout is its answer. A step reads the whole hash, changes the
dict, writes it back and refreshes the TTL, as agents did before there was an engine.
"""

import json
import sys
import time

import redis

TTL_S = 1800
client = redis.Redis.from_url(sys.argv[1], decode_responses=True)
snapshots = {}


def load(key):
    raw = client.hgetall(key)
    if not raw:
        return None
    ticket = dict(raw)
    for field in ("facts", "history", "last_decision"):
        ticket[field] = json.loads(raw[field])
    return ticket


def save(key, ticket):
    raw = dict(ticket)
    for field in ("facts", "history", "last_decision"):
        raw[field] = json.dumps(ticket[field])
    client.hset(key, mapping=raw)
    client.expire(key, TTL_S)


def step(command):
    key = "ticket:" + command["id"]
    action = command["do"]
    if action == "create":
        now = str(int(time.time()))
        save(key, {"facts": {}, "history": [], "last_decision": {}, "created_at": now, "updated_at": now, "version": "1"})
    elif action == "create-old":
        save(key, {"facts": command["facts"], "history": command["history"], "last_decision": {}})
    elif action == "nan":
        ticket = load(key)
        ticket["facts"]["score"] = float("nan")
        save(key, ticket)
        return {"raw": client.hgetall(key)}
    elif action == "change":
        ticket = load(key)
        ticket["history"].extend(command.get("say", []))
        ticket["facts"].update(command.get("learn", {}))
        ticket["last_decision"] = command.get("decide", ticket["last_decision"])
        ticket["updated_at"] = str(int(time.time()))
        save(key, ticket)
    elif action == "snapshot":
        snapshots[key] = load(key)
    elif action == "rollback":
        save(key, snapshots[key])
    elif action == "close":
        client.delete(key)
    return {"ticket": load(key), "raw": client.hgetall(key), "ttl": client.ttl(key)}


for line in sys.stdin:
    print(json.dumps(step(json.loads(line))), flush=True)
