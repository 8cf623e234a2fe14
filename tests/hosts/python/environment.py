"""`environment.wit` in Python, with the system clock."""

import random
import time
import uuid
from dataclasses import dataclass

PAUSE_S_MAX = 0.008


@dataclass(frozen=True)
class Settings:
    """Limits of tickets."""

    ttl_ms: int = 1_800_000
    message_bytes_max: int = 65_536
    ticket_bytes_max: int = 1_048_576
    history_entries_max: int = 10_000


class SystemEnvironment:
    """Real time and random ids. Several engines may share it."""

    def __init__(self, settings=Settings()):
        self._settings = settings

    def now_ms(self):
        return time.time_ns() // 1_000_000

    def fresh_id(self):
        return str(uuid.uuid4())

    def current_settings(self):
        return self._settings

    def try_again(self, attempt):
        """Waits before an attempt. The engine limits the time of all attempts."""
        # Random, so that two writers in a race do not collide again.
        time.sleep(random.uniform(0.0, PAUSE_S_MAX * min(attempt, 8) / 8))
        return True
