"""A store in a Redis or Valkey server, 7.0 or newer: one HASH an entry, as every other host has it.

Several hosts may work on the same tickets at once, in whatever language: each change is one script that compares
the revision and writes, and a revision is computed from what is there, alike by all.
"""

import hashlib
import random

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

import redis_scripts
from store import (
    ENTRY_BYTES_MAX,
    Entry,
    Outcome,
    StoreError,
    check_fields,
    check_key,
    check_limit,
    check_ttl,
    is_key,
)

CALL_S_MAX = 2.0
STEP_MS_MAX = 63
TEXT_CHARS_MAX = 160

_DENIED = {"NOAUTH", "WRONGPASS", "NOPERM"}
_NOT_NOW = {"OOM", "READONLY", "LOADING", "MASTERDOWN", "MISCONF", "NOREPLICAS", "BUSY", "CLUSTERDOWN"}


class RedisStore:
    """Tickets at `NAMESPACE:ticket:ID`, or at `ticket:ID` where the namespace is empty."""

    def __init__(self, url, namespace=""):
        # Nothing is sent twice by itself: what was made once would then be refused, as if somebody else had been first.
        retry = Retry(NoBackoff(), 0)
        try:
            self._pool = redis.ConnectionPool.from_url(
                url, retry=retry, protocol=2, socket_timeout=CALL_S_MAX, socket_connect_timeout=CALL_S_MAX
            )
        except (ValueError, TypeError):
            # What redis-py says of it may show the password.
            raise StoreError("invalid", "redis URL cannot be read") from None
        self._prefix = f"{namespace}:" if namespace else ""

    def close(self):
        self._pool.disconnect()

    def read(self, key, _freshness):
        check_key(key)
        return self._entry(key, self._run(key, redis_scripts.READ, lost="unavailable"))

    def write(self, key, fields, ttl_ms, when):
        check_key(key)
        check_ttl(ttl_ms)
        check_fields(fields)
        texts = [part for field in fields for part in field]
        answer = self._run(key, redis_scripts.WRITE, *when_arguments(when), *ttl_arguments(ttl_ms), *texts)
        return self._outcome(key, answer)

    def touch(self, key, ttl_ms):
        check_key(key)
        check_ttl(ttl_ms)
        return self._outcome(key, self._run(key, redis_scripts.TOUCH, *ttl_arguments(ttl_ms)))

    def remove(self, key, when):
        check_key(key)
        return self._outcome(key, self._run(key, redis_scripts.REMOVE, *when_arguments(when)))

    def scan(self, cursor, limit):
        check_limit(limit)
        if cursor is not None and not (cursor.isascii() and cursor.isdecimal() and len(cursor) <= 20):
            raise StoreError("invalid", "cursor is none that a page of this store gave")
        pattern = f"{self._prefix}ticket:*"
        command = ("SCAN", cursor or "0", "MATCH", pattern, "COUNT", limit)
        next_cursor, names = self._ask(f"list {pattern}", "unavailable", command)
        keys = [name.decode(errors="replace").removeprefix(self._prefix) for name in names]
        return [key for key in keys if is_key(key)], None if next_cursor == b"0" else next_cursor.decode()

    def _run(self, key, script, *arguments, lost="uncertain"):
        """The answer of a script about a key; `lost` is the case where the server was asked and did not answer."""
        name = self._prefix + key
        digest = hashlib.sha1(script.encode()).hexdigest()
        what = f"ask for {name}" if lost == "unavailable" else f"change {name}"
        try:
            return self._ask(what, lost, ("EVALSHA", digest, 1, name, *arguments))
        except redis.exceptions.NoScriptError:
            return self._ask(what, lost, ("EVAL", script, 1, name, *arguments))

    def _ask(self, what, lost, command):
        try:
            connection = self._pool.get_connection()
        except redis.RedisError as error:
            raise self._error(what, "unavailable", error) from None
        case = "unavailable"
        try:
            # A command of which a part is missing is never run, so until all is sent nothing is made.
            connection.send_command(*command)
            case = lost
            return connection.read_response()
        except redis.exceptions.NoScriptError:
            raise
        except redis.RedisError as error:
            raise self._error(what, case, error) from None
        finally:
            self._pool.release(connection)

    def _error(self, what, lost, error):
        """What an error of redis-py means; `lost` is the case where it is none of the server's own."""
        # A script's name and line help nobody outside.
        text = str(error).split(" script: ")[0]
        code = error.status_code or (text.split(" ")[0] if isinstance(error, redis.ResponseError) else "")
        if code in _DENIED or "The user executing the script can't" in text:
            case = "denied"
        elif code in _NOT_NOW:
            case = "unavailable"
        else:
            case = "corrupt" if code == "WRONGTYPE" else lost
        place = self._pool.connection_kwargs
        where = place.get("path") or f"{place.get('host', 'localhost')}:{place.get('port', 6379)}"
        return StoreError(case, f"cannot {what}: redis at {where}: {text[:TEXT_CHARS_MAX]}")

    def _outcome(self, key, answer):
        tag = answer[0]
        if tag == b"written":
            return Outcome(True, answer[2].decode(), int(answer[1]))
        if tag == b"removed":
            return Outcome(True)
        return Outcome(False, current=self._entry(key, answer))

    def _entry(self, key, answer):
        """The entry of an answer; none where nothing is there, an error where it is no entry of texts."""
        tag, *rest = answer
        if tag == b"none":
            return None
        if tag == b"large":
            raise StoreError("too-large", ENTRY_BYTES_MAX)
        if tag == b"type":
            raise StoreError("corrupt", f"{self._prefix}{key} is a {rest[0].decode(errors='replace')}, not a hash")
        deadline, revision, parts = rest
        try:
            texts = [part.decode() for part in parts]
        except UnicodeDecodeError:
            raise StoreError("corrupt", f"a field of {self._prefix}{key} is not UTF-8 text") from None
        return Entry(dict(zip(texts[::2], texts[1::2])), revision.decode(), int(deadline))


def when_arguments(when):
    return when.kind, when.revision or ""


def ttl_arguments(ttl_ms):
    """TTL, jitter and step: at random, so that two hosts do not name the same deadline."""
    return ttl_ms, random.randint(0, ttl_ms // 2_000), random.randint(0, STEP_MS_MAX)
