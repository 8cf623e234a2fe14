"""Tests of the host itself: operations, threads, forked processes, traps, races, and a Redis that does not answer.

    python test_engine.py ENGINE.wasm REDIS_URL [TEST...]

The Redis must be a server of these tests alone, on this machine, because they pause it.
"""

import contextlib
import faulthandler
import io
import json
import multiprocessing
import os
import re
import signal
import sys
import threading
import unittest
import uuid
from pathlib import Path
from unittest import mock

import redis

import engine as host
from dict_store import DictStore
from engine import Engine, TicketsError
from environment import SystemEnvironment
from redis_store import CALL_S_MAX, RedisStore
from store import ABSENT, PRESENT
from tickets import Bounds, Effect, Messages, Put

COMPONENT, URL = sys.argv[1:3]
PAGE = Path(__file__).resolve().parents[3] / "docs/own-hosts.md"
# Only a defect takes longer.
WAIT_S_MAX = 30.0


def on_redis():
    return Engine(COMPONENT, RedisStore(URL), SystemEnvironment())


def on_dict(kind=DictStore):
    environment = SystemEnvironment()
    store = kind(environment.now_ms)
    return Engine(COMPONENT, store, environment), store


def say(engine, id, writer, messages):
    for number in range(messages):
        engine.apply(id, [("say", json.dumps(f"{writer}-{number}"))])


def in_threads(functions):
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def exit_codes(function, arguments):
    """Runs the function in a forked process for each tuple of arguments; None is a process that does not end."""
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=function, args=one) for one in arguments]
    for process in processes:
        process.start()
    for process in processes:
        process.join(WAIT_S_MAX)
    codes = [process.exitcode for process in processes]
    for process in processes:
        process.kill()
    return codes


class Checks(unittest.TestCase):
    def assert_kept(self, engine, id, writers, messages):
        expected = [f"{writer}-{number}" for writer in range(writers) for number in range(messages)]
        self.assertCountEqual(json.loads(engine.get(id).history), expected)

    @contextlib.contextmanager
    def assert_error(self, case):
        with self.assertRaises(TicketsError) as raised:
            yield
        self.assertEqual(raised.exception.case, case, raised.exception)


class OperationsTest(Checks):
    """Scenarios test what the engine answers; this is about arguments and answers in Python."""

    def setUp(self):
        self.engine, self.store = on_dict()

    def test_writes_answer_the_ticket_and_their_effect(self):
        made = self.engine.ensure("a", [("say", '"one"'), ("say", '"two"'), ("say", '"three"')])
        self.assertEqual(made.effect, Effect(created=True))
        changes = [("retract", 1), ("trim", Bounds(entries_max=1)), ("put", Put("/city", '"Rome"'))]
        ticket = self.engine.ensure("a", changes)
        self.assertEqual(ticket.effect, Effect(False, ['"three"'], 1))
        self.assertEqual((ticket.history, ticket.facts), ('["two"]', '{"city":"Rome"}'))
        self.assertEqual(self.engine.get("a"), ticket, "a read has no effect, and is equal nevertheless")
        ticket = self.engine.apply("a", [("put", Put("/city", '"Oslo"', only_if_absent=True))], at=ticket.revision)
        self.assertEqual((ticket.facts, ticket.effect), ('{"city":"Rome"}', Effect()))
        self.assertEqual(self.engine.create("b").effect, Effect(created=True))
        with self.assert_error("invalid"):
            self.engine.apply("a", [("trim", Bounds())])

    def test_reads_of_a_part(self):
        self.assertIs(self.engine.exists("a"), False)
        ticket = self.engine.create("a", [("say", '"one"'), ("say", '"two"'), ("learn", '{"n":[1,2.0]}')])
        self.assertIs(self.engine.exists("a"), True)
        summary = self.engine.get_summary("a")
        self.assertEqual((summary.facts_bytes, summary.history_bytes, summary.history_entries), (13, 13, 2))
        self.assertEqual((summary.revision, summary.expires_at_ms), (ticket.revision, ticket.expires_at_ms))
        self.assertEqual(self.engine.get_messages("a", 1), Messages(['"two"'], 2, ticket.revision))
        self.assertEqual(self.engine.get_messages("a", 9, bytes_max=4).messages, [])
        self.assertEqual(self.engine.get_fact("a", "/n/1").value, "2.0")
        self.assertEqual(self.engine.get_fact("a").value, ticket.facts)
        self.assertIsNone(self.engine.get_fact("a", "/none").value)
        with self.assert_error("not-found"):
            self.engine.get_summary("b")

    def test_listings_by_prefix(self):
        for id in "order-1", "order-2", "user-1":
            self.engine.create(id)
        self.store.write("ticket:order-3", [("facts", "{")], 60_000, ABSENT)
        self.assertEqual(self.engine.list_ids("order-"), (["order-1", "order-2", "order-3"], None))
        summaries, unreadable, cursor = self.engine.list_summaries("order-")
        self.assertEqual([summary.id for summary in summaries], ["order-1", "order-2"])
        self.assertEqual((unreadable, cursor), (["order-3"], None))
        self.assertEqual(len(self.engine.list_ids()[0]), 4)

    def test_time_to_live_of_one_write(self):
        def left_s(ticket):
            return round(ticket.expires_at_ms / 1_000 - SystemEnvironment().now_ms() / 1_000)

        ticket = self.engine.create("a", ttl_ms=90_000)
        self.assertEqual(left_s(ticket), 90)
        snapshot = self.engine.snapshot("a")
        self.assertEqual(left_s(self.engine.touch("a", ttl_ms=600_000)), 600)
        self.assertEqual(left_s(self.engine.apply("a", [("decide", "1")], ttl_ms=120_000)), 120)
        self.assertEqual(left_s(self.engine.rollback("a", snapshot, ttl_ms=300_000)), 300)
        self.assertEqual(left_s(self.engine.ensure("a")), 1_800)
        self.engine.close("a")
        self.assertEqual(left_s(self.engine.restore(snapshot, ttl_ms=31_622_400_000)), 31_622_400)

    def test_numbers_are_refused_and_not_cut(self):
        ticket = self.engine.create("a", [("say", '"kept"')])
        for number in -1, 1 << 32:
            for change in ("retract", number), ("trim", Bounds(entries_max=number)), ("trim", Bounds(bytes_max=number)):
                with self.assert_error("invalid"):
                    self.engine.apply("a", [change])
            with self.assert_error("invalid"):
                self.engine.get_messages("a", number)
        for ttl_ms in -1, 999, (1 << 64) + 60_000:
            with self.assert_error("invalid"):
                self.engine.touch("a", ttl_ms=ttl_ms)
        self.assertEqual(self.engine.get("a"), ticket)


class ThreadsTest(Checks):
    def test_threads_share_an_engine(self):
        engine = on_redis()
        id = engine.create().id
        in_threads([lambda writer=writer: say(engine, id, writer, 50) for writer in range(8)])
        self.assert_kept(engine, id, 8, 50)

    def test_each_thread_may_have_an_engine_of_its_own(self):
        engines = [on_redis() for _ in range(4)]
        id = engines[0].create().id
        in_threads([lambda writer=writer: say(engines[writer], id, writer, 25) for writer in range(4)])
        self.assert_kept(engines[0], id, 4, 25)


class SlowForOneThread(DictStore):
    """A `read` in another than the main thread waits."""

    def __init__(self, clock):
        super().__init__(clock)
        self.is_reading = threading.Event()
        self.may_go_on = threading.Event()

    def read(self, key, freshness):
        if threading.current_thread() is not threading.main_thread():
            self.is_reading.set()
            self.may_go_on.wait(2 * WAIT_S_MAX)
        return super().read(key, freshness)


class ForksTest(Checks):
    def test_forked_processes_keep_all_changes(self):
        # The engine was used, so that there is an instance and a connection before the fork.
        engine = on_redis()
        id = engine.create().id
        self.assertEqual(exit_codes(say, [(engine, id, writer, 50) for writer in range(2)]), [0, 0])
        self.assert_kept(engine, id, 2, 50)

    def test_fork_while_a_thread_is_in_an_operation(self):
        engine, store = on_dict(SlowForOneThread)
        id = engine.create().id
        thread = threading.Thread(target=engine.get, args=(id,))
        thread.start()
        self.assertTrue(store.is_reading.wait(WAIT_S_MAX))
        codes = exit_codes(engine.get, [(id,)])
        store.may_go_on.set()
        thread.join()
        self.assertEqual(codes, [0], "the child must not wait for a thread of its parent")

    def test_forked_process_may_load_the_component(self):
        on_redis().create()

        def load():
            host._load.cache_clear()
            on_redis().create()

        self.assertEqual(exit_codes(load, [()]), [0])


class Raising(DictStore):
    """Raises an exception in the next `read`."""

    error = None

    def read(self, key, freshness):
        error, self.error = self.error, None
        if error is not None:
            raise error
        return super().read(key, freshness)


class TrapsTest(Checks):
    def test_operation_after_a_trap_has_a_new_instance(self):
        engine, store = on_dict(Raising)
        id = engine.create().id
        # A KeyboardInterrupt is what Ctrl-C raises while an operation waits.
        for error in ValueError("of the store"), KeyboardInterrupt():
            store.error = error
            with self.assertRaises(type(error)):
                engine.get(id)
            self.assertEqual(engine.get(id).id, id)


class Racing(DictStore):
    """Another client changes the entry before each of the next `races` writes, and time passes."""

    races = 0
    now_s = 0.0

    def write(self, key, fields, ttl_ms, when):
        if when.kind == "at" and self.races > 0:
            self.races -= 1
            self.now_s += 3.0
            super().write(key, list(self.read(key, "latest").fields.items()), ttl_ms, PRESENT)
        return super().write(key, fields, ttl_ms, when)


class RacesTest(Checks):
    def test_each_operation_has_its_own_time(self):
        engine, store = on_dict(Racing)
        id = engine.create().id
        with mock.patch.object(host.time, "monotonic", lambda: store.now_s):
            for number in range(2):
                # 6 s of 10 s for each operation.
                store.races = 2
                say(engine, id, number, 1)
            store.races = 1_000
            with self.assert_error("conflict"):
                say(engine, id, "late", 1)
        self.assert_kept(engine, id, 2, 1)
        self.assertEqual(store.races, 1_000 - 4, "attempts before 10 s were over")


class OutagesTest(Checks):
    def setUp(self):
        self.client = redis.Redis.from_url(URL)
        self.addCleanup(self.client.close)
        self.engine = on_redis()
        self.id = self.engine.create().id

    def test_frozen_redis(self):
        process = self.client.info("server")["process_id"]
        new_id = str(uuid.uuid4())
        os.kill(process, signal.SIGSTOP)
        try:
            with self.assert_error("uncertain"):
                self.engine.create(new_id)  # Sent on the open connection.
            for _ in range(2):
                with self.assert_error("unavailable"):
                    self.engine.create(new_id)  # Not sent: the new connection does not answer.
            with self.assert_error("unavailable"):
                self.engine.get(self.id)
            with self.assert_error("unavailable"):
                self.engine.list_ids()
        finally:
            os.kill(process, signal.SIGCONT)
        self.assertEqual(self.engine.get(self.id).history, "[]", "no answer to an earlier command")

    def test_change_without_an_answer_is_uncertain(self):
        # Reads are answered.
        self.client.execute_command("CLIENT", "PAUSE", 600_000, "WRITE")
        try:
            with self.assert_error("uncertain"):
                say(self.engine, self.id, "paused", 1)
            with self.assert_error("uncertain"):
                self.engine.close(self.id)
        finally:
            self.client.execute_command("CLIENT", "UNPAUSE")

    def test_change_that_was_not_sent_is_unavailable(self):
        broken = mock.patch.object(redis.Connection, "send_command", side_effect=redis.ConnectionError("broken pipe"))
        with broken, self.assert_error("unavailable"):
            self.engine.create()

    def test_refused_connection_is_unavailable(self):
        # No server can listen on port 0.
        engine = Engine(COMPONENT, RedisStore("redis://127.0.0.1:0"), SystemEnvironment())
        for operation in engine.create, engine.list_ids, lambda: engine.get("a"):
            with self.assert_error("unavailable"):
                operation()

    def test_waits_are_short_and_nothing_is_sent_twice(self):
        self.assertTrue(0.15 <= CALL_S_MAX <= 0.5, CALL_S_MAX)
        connection = RedisStore(URL)._pool.get_connection()
        self.addCleanup(connection.disconnect)
        self.assertEqual((connection.socket_timeout, connection.socket_connect_timeout), (CALL_S_MAX, CALL_S_MAX))
        self.assertEqual(connection.retry.get_retries(), 0)


class DocumentTest(Checks):
    def test_lines_of_the_document_print_what_it_says(self):
        block = r"```python\n(.*?)```.*?\n\$ [^\n]*parcel\.py\n(.*?)```"
        code, printed = re.search(block, PAGE.read_text("utf-8"), re.S).groups()
        for shown, used in ("guest/dist/engine.wasm", COMPONENT), ("redis://127.0.0.1/", URL):
            self.assertIn(shown, code)
            code = code.replace(shown, used)
        with contextlib.redirect_stdout(io.StringIO()) as output:
            exec(code, {})
        self.assertEqual(output.getvalue(), printed)


if __name__ == "__main__":
    # A test that hangs ends with a traceback of all threads.
    faulthandler.dump_traceback_later(10 * WAIT_S_MAX, exit=True)
    unittest.main(argv=[sys.argv[0], "--verbose", *sys.argv[3:]])
