"""Agents in Python that keep tickets in a store: read all, change, write all. `lifecycle.py STORE URL` reads loads from
standard input, a line each, and answers what they took. The first line of its answers says whether the store is installed.
"""

import asyncio
import copy
import importlib.metadata
import json
import sys
import threading
import time
import uuid

import sessions
from work import change, cpu_seconds, new_ticket

TTL_S = 1800
PER_TICKET = 5


def stored(ticket):
    return {name: json.dumps(value) if name in ("facts", "history", "last_decision") else value for name, value in ticket.items()}


class Lifecycle:
    """What both plain stores do; they differ in `save` and `load`."""

    def prepare(self, key, history):
        self.save(key, new_ticket(history))

    def interact(self, key, number):
        ticket = self.load(key)
        change(ticket, number)
        self.save(key, ticket)

    def messages(self, key):
        return len(self.load(key)["history"])


class Redis(Lifecycle):
    packages = ("redis", "hiredis")

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

    def server_cpu_s(self):
        return cpu_seconds(self.client.info("cpu"))


class Memory(Lifecycle):
    packages = ()

    def __init__(self, _url):
        self.tickets = {}

    def save(self, key, ticket):
        self.tickets[key] = copy.deepcopy(ticket)

    def load(self, key):
        return copy.deepcopy(self.tickets[key])

    def server_cpu_s(self):
        return 0.0


def in_threads(store, callers, interact):
    """Every caller in a thread of its own; one caller in this one. With redis-py that is faster than its asyncio."""
    threads = [threading.Thread(target=interact, args=(store.interact, caller)) for caller in range(callers)]
    cpu_s, begun = store.server_cpu_s(), time.perf_counter()
    if callers == 1:
        interact(store.interact, 0)
    else:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return time.perf_counter() - begun, store.server_cpu_s() - cpu_s


async def in_tasks(store, callers, interact):
    cpu_s, begun = await store.server_cpu_s(), time.perf_counter()
    await asyncio.gather(*(interact(store.interact, caller) for caller in range(callers)))
    return time.perf_counter() - begun, await store.server_cpu_s() - cpu_s


async def run(store, load):
    """Callers have tickets of their own, or all of them have one."""
    callers, interactions, history = load["callers"], load["interactions"], load["history"]
    per_ticket = max(PER_TICKET, history // 10)
    count = -(-interactions // per_ticket)
    one = f"ticket:{uuid.uuid4()}"
    tickets = [[one if load["shared"] else f"ticket:{uuid.uuid4()}" for _ in range(count)] for _ in range(callers)]
    has_tasks = asyncio.iscoroutinefunction(store.interact)
    for key in {key for keys in tickets for key in keys}:
        prepared = store.prepare(key, history)
        if has_tasks:
            await prepared

    def interact(step, caller):
        keys = tickets[caller]
        for number in range(interactions):
            step(keys[number // per_ticket], number)

    async def interact_as_task(step, caller):
        keys = tickets[caller]
        for number in range(interactions):
            await step(keys[number // per_ticket], number)

    seconds, cpu_s = await in_tasks(store, callers, interact_as_task) if has_tasks else in_threads(store, callers, interact)
    answer = {"seconds": seconds, "server_cpu_s": cpu_s}
    if load["shared"]:
        messages = store.messages(one)
        answer["kept"] = (await messages if has_tasks else messages) - history
    if isinstance(store, Memory):
        store.tickets.clear()
    return answer


STORES = {
    "redis-py": Redis,
    "dict": Memory,
    "openai-agents": sessions.OpenAiAgents,
    "google-adk": sessions.GoogleAdk,
}


def main():
    kind = STORES[sys.argv[1]]
    # One loop for all loads: clients of asyncio stay with the loop in which they connected.
    loop = asyncio.new_event_loop()
    try:
        store = kind(sys.argv[2])
        versions = [f"{package} {importlib.metadata.version(package)}" for package in kind.packages]
    except ImportError as error:
        print(json.dumps({"missing": str(error)}), flush=True)
        return
    print(json.dumps({"versions": ", ".join(versions)}), flush=True)
    for line in sys.stdin:
        print(json.dumps(loop.run_until_complete(run(store, json.loads(line)))), flush=True)


main()
