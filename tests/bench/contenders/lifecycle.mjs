// A web agent in Node.js that keeps tickets in the session of connect-redis: read all, change, write all. As lifecycle.py.
// `lifecycle.mjs FOLDER URL`: the folder has the packages.

import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";

const TTL_S = 1800;
const PER_TICKET = 5;
const PACKAGES = ["connect-redis", "express-session", "redis"];
const [folder, url] = process.argv.slice(2);

const message = (number) => `message ${number} `.padEnd(58, ".");

function decision(number) {
  const without = JSON.stringify({ action: "reply", number, reason: "" });
  return { action: "reply", number, reason: "x".repeat(200 - without.length) };
}

function newTicket(history) {
  const now = Math.floor(Date.now() / 1000);
  return {
    facts: {},
    history: Array.from({ length: history }, (_, number) => message(number)),
    last_decision: decision(0),
    created_at: now,
    updated_at: now,
    version: 1,
  };
}

async function open() {
  const require = createRequire(join(folder, "package.json"));
  const { RedisStore } = require("connect-redis");
  const client = await require("redis").createClient({ url }).connect();
  const version = (name) => JSON.parse(readFileSync(join(folder, "node_modules", name, "package.json"))).version;
  const versions = PACKAGES.map((name) => `${name} ${version(name)}`).join(", ");
  return { client, store: new RedisStore({ client, ttl: TTL_S }), versions };
}

async function serverCpuSeconds(client) {
  const info = await client.info("cpu");
  const of = (name) => Number(info.match(new RegExp(`${name}:([0-9.]+)`))[1]);
  return of("used_cpu_user") + of("used_cpu_sys");
}

async function run({ client, store }, { callers, interactions, history, shared }) {
  const perTicket = Math.max(PER_TICKET, Math.floor(history / 10));
  const count = Math.ceil(interactions / perTicket);
  const one = randomUUID();
  const tickets = Array.from({ length: callers }, () => Array.from({ length: count }, () => (shared ? one : randomUUID())));
  for (const key of new Set(tickets.flat())) await store.set(key, newTicket(history));
  async function interact(keys) {
    for (let number = 0; number < interactions; number += 1) {
      const key = keys[Math.floor(number / perTicket)];
      const ticket = await store.get(key);
      ticket.history.push(message(number));
      ticket.last_decision = decision(number);
      ticket.updated_at = Math.floor(Date.now() / 1000);
      await store.set(key, ticket);
    }
  }
  const cpu = await serverCpuSeconds(client);
  const begun = performance.now();
  await Promise.all(tickets.map(interact));
  const seconds = (performance.now() - begun) / 1000;
  const answer = { seconds, server_cpu_s: (await serverCpuSeconds(client)) - cpu };
  if (shared) answer.kept = (await store.get(one)).history.length - history;
  return answer;
}

let opened;
try {
  opened = await open();
} catch (error) {
  if (error.code !== "MODULE_NOT_FOUND") throw error;
  console.log(JSON.stringify({ missing: error.message.split("\n")[0] }));
  process.exit();
}
console.log(JSON.stringify({ versions: opened.versions }));
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await run(opened, JSON.parse(line))));
}
process.exit();
