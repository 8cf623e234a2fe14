"""Sessions of agent frameworks as stores of tickets: what their runner does with a session for one message of the user."""

import time

from work import cpu_seconds, decision, message

TTL_S = 1800


class OpenAiAgents:
    """The OpenAI Agents SDK: the runner reads all items, and adds new ones in a transaction."""

    packages = ("openai-agents", "redis", "hiredis")

    def __init__(self, url):
        import hiredis  # noqa: F401  as redis-py is used elsewhere
        import redis.asyncio
        from agents.extensions.memory import RedisSession

        self.client = redis.asyncio.Redis.from_url(url)
        self.session = lambda key: RedisSession(key, redis_client=self.client, ttl=TTL_S)

    async def prepare(self, key, history):
        await self.session(key).add_items([self.item(number) for number in range(history)])

    async def interact(self, key, number):
        session = self.session(key)
        await session.get_items()
        await session.add_items([self.item(number)])

    async def messages(self, key):
        return len(await self.session(key).get_items())

    async def server_cpu_s(self):
        return cpu_seconds(await self.client.info("cpu"))

    @staticmethod
    def item(number):
        return {"role": "user", "content": message(number)}


class GoogleAdk:
    """The Agent Development Kit: the service reads the session, appends an event with changes of state, and stores all."""

    packages = ("google-adk", "google-adk-community", "redis", "hiredis")
    of = {"app_name": "bench", "user_id": "user"}

    def __init__(self, url):
        import hiredis  # noqa: F401  as redis-py is used elsewhere
        from google.adk.events import Event, EventActions
        from google.adk.sessions import Session
        from google.adk_community.sessions import redis_session_service
        from google.genai import types

        self.service = redis_session_service.RedisSessionService(uri=url, expire=TTL_S)
        self.stored = redis_session_service._session_serializer
        self.key = redis_session_service.RedisKeys.session
        self.whole = Session
        self.prepared = {}
        self.event = lambda number: Event(
            author="user",
            content=types.Content(role="user", parts=[types.Part(text=message(number))]),
            actions=EventActions(state_delta={"last_decision": decision(number)}),
        )

    async def prepare(self, key, history):
        # Not by the service, which would write the whole session once for each event; and serialized once for all.
        if history not in self.prepared:
            events = [self.event(number) for number in range(history)]
            state = {"last_decision": decision(0)}
            session = self.whole(id="ID", events=events, state=state, last_update_time=time.time(), **self.of)
            self.prepared[history] = self.stored(session)
        await self.service.cache.set(self.key(key), self.prepared[history].replace(b'"ID"', f'"{key}"'.encode(), 1), ex=TTL_S)

    async def interact(self, key, number):
        session = await self.service.get_session(session_id=key, **self.of)
        await self.service.append_event(session, self.event(number))

    async def messages(self, key):
        return len((await self.service.get_session(session_id=key, **self.of)).events)

    async def server_cpu_s(self):
        return cpu_seconds(await self.service.cache.info("cpu"))
