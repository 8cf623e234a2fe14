"""Stores under test: an empty store, its clock, and external writes."""

import secrets

import redis

from dict_store import DictStore
from redis_store import RedisStore
from store import ABSENT, PRESENT
from transcript import START_MS


class TestDict:
    """A dict with the clock of the scenario."""

    def __init__(self):
        self._now_ms = START_MS
        self.store = DictStore(self.now_ms)

    def now_ms(self):
        return self._now_ms

    def from_start_ms(self, time_ms):
        return time_ms - START_MS

    def pass_time(self, ms, _names):
        self._now_ms += ms

    def put(self, id, fields, ttl_ms):
        self.drop(id)
        self.store.write(f"ticket:{id}", list(fields.items()), ttl_ms, ABSENT)

    def drop(self, id):
        self.store.remove(f"ticket:{id}", PRESENT)

    def close(self):
        pass


class TestRedis:
    """A namespace of a server. Its clock cannot be moved: passing time makes deadlines earlier instead."""

    def __init__(self, url):
        self._namespace = f"scenario-{secrets.token_hex(8)}"
        self._client = redis.Redis.from_url(url)
        self._start_ms = self.now_ms()
        self._passed_ms = 0
        self.store = RedisStore(url, self._namespace)

    def now_ms(self):
        seconds, micros = self._client.time()
        return seconds * 1_000 + micros // 1_000

    def from_start_ms(self, time_ms):
        return time_ms - self._start_ms + self._passed_ms

    def pass_time(self, ms, names):
        for key in self._keys():
            deadline_ms = self._client.pexpiretime(key)
            if deadline_ms > 0:
                self._client.pexpireat(key, deadline_ms - ms)
        self._passed_ms += ms
        names.move(ms)

    def put(self, id, fields, ttl_ms):
        key = self._key(id)
        with self._client.pipeline() as pipeline:
            pipeline.delete(key).hset(key, mapping=fields).pexpire(key, ttl_ms).execute()

    def drop(self, id):
        self._client.delete(self._key(id))

    def close(self):
        for key in self._keys():
            self._client.delete(key)
        self._client.close()
        self.store.close()

    def _key(self, id):
        return f"{self._namespace}:ticket:{id}"

    def _keys(self):
        return list(self._client.scan_iter(match=f"{self._namespace}:*"))


def test_store(store):
    """The store of a name: `dict`, or the URL of a Redis."""
    return TestDict() if store == "dict" else TestRedis(store)
