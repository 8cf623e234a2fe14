"""A store in a Redis or Valkey server, 7.0 or newer: one HASH for each entry, as in every other host.

Hosts in several languages may work on the same tickets at once: each change is one script that compares the revision
and writes, and every host computes a revision from the entry in the same way.

A call that was not sent is `unavailable`, a change that was sent and not answered is `uncertain`.
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

# The longest wait for a connection, and for an answer.
CALL_S_MAX = 0.25
STEP_MS_MAX = 63
TEXT_CHARS_MAX = 160

_DENIED = {"NOAUTH", "WRONGPASS", "NOPERM"}
_NOT_NOW = {"OOM", "READONLY", "LOADING", "MASTERDOWN", "MISCONF", "NOREPLICAS", "BUSY", "CLUSTERDOWN"}


class RedisStore:
    """Tickets at `NAMESPACE:ticket:ID`, or at `ticket:ID` where the namespace is empty."""

    def __init__(self, url, namespace=""):
        # No retries: a command that was executed and is sent again would be refused, as if another client had been first.
        retry = Retry(NoBackoff(), 0)
        try:
            self._pool = redis.ConnectionPool.from_url(
                url, retry=retry, protocol=2, socket_timeout=CALL_S_MAX, socket_connect_timeout=CALL_S_MAX
            )
        except (ValueError, TypeError):
            # The text of redis-py may contain the password.
            raise StoreError("invalid", "invalid redis URL") from None
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
            raise StoreError("invalid", "invalid cursor: pass back the cursor of the previous page")
        pattern = f"{self._prefix}ticket:*"
        command = ("SCAN", cursor or "0", "MATCH", pattern, "COUNT", limit)
        next_cursor, names = self._ask(f"list {pattern}", "unavailable", command)
        keys = [name.decode(errors="replace").removeprefix(self._prefix) for name in names]
        return [key for key in keys if is_key(key)], None if next_cursor == b"0" else next_cursor.decode()

    def _run(self, key, script, *arguments, lost="uncertain"):
        """Runs a script on a key; `lost` is the error if the command was sent and no answer came."""
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
            # The server never runs an incomplete command.
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
        """The StoreError for an error of redis-py; `lost` is its case if the server did not answer."""
        # Without the name and line of the script.
        text = str(error).split(" script: ")[0]
        code = error.status_code or (text.split(" ")[0] if isinstance(error, redis.ResponseError) else "")
        if code in _DENIED or "The user executing the script can't" in text:
            case = "denied"
        elif code in _NOT_NOW:
            case = "unavailable"
        else:
            case = "corrupt" if code == "WRONGTYPE" else lost
        target = self._pool.connection_kwargs
        address = target.get("path") or f"{target.get('host', 'localhost')}:{target.get('port', 6379)}"
        return StoreError(case, f"cannot {what}: redis at {address}: {text[:TEXT_CHARS_MAX]}")

    def _outcome(self, key, answer):
        tag = answer[0]
        if tag == b"written":
            return Outcome(True, answer[2].decode(), int(answer[1]))
        if tag == b"removed":
            return Outcome(True)
        return Outcome(False, current=self._entry(key, answer))

    def _entry(self, key, answer):
        """The entry of an answer; None if there is none. Raises an error if it is not text fields."""
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
    """TTL, jitter and step, random so that two hosts do not choose the same deadline."""
    return ttl_ms, random.randint(0, ttl_ms // 2_000), random.randint(0, STEP_MS_MAX)
