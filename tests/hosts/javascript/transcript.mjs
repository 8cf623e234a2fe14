// The transcript of a scenario: the answers of the engine without what differs from run to run.

import { createHash } from 'node:crypto';

/** Every clock at the start of a scenario. */
export const START_MS = 1_750_000_000_000;

const START_S = BigInt(START_MS / 1_000);
const MINUTE_MS = 60_000;
const SHORT_BYTES_MAX = 200;

/** The lines of one transcript. */
export class Transcript {
  #names;
  #lines = [];

  constructor(names) {
    this.#names = names;
  }

  /** Adds the answer to a step: members after `step` and `op`. */
  add(step, op, answer) {
    this.#lines.push(`${json({ step, op, ...answer })}\n`);
  }

  toString() {
    return this.#lines.join('');
  }

  ticket(ticket) {
    return {
      id: this.#names.idName(ticket.id),
      facts: short(ticket.facts),
      history: short(ticket.history),
      last_decision: short(ticket.lastDecision),
      created_at: time(ticket.createdAt),
      updated_at: time(ticket.updatedAt),
      version: ticket.version,
      revision: this.#names.showRevision(ticket.id, ticket.revision),
      expires: minutes(ticket.expiresAtMs),
    };
  }

  /** The answer to changes; of the effect only what is not empty. */
  applied({ ticket, effect }) {
    return { ticket: this.ticket(ticket), ...effectOf(effect) };
  }

  ensured({ ticket, effect }) {
    return { ticket: this.ticket(ticket), created: effect.created, ...effectOf(effect) };
  }

  summary(summary) {
    return {
      id: this.#names.idName(summary.id),
      facts_bytes: summary.factsBytes,
      history_bytes: summary.historyBytes,
      last_decision_bytes: summary.lastDecisionBytes,
      history_entries: summary.historyEntries,
      created_at: time(summary.createdAt),
      updated_at: time(summary.updatedAt),
      version: summary.version,
      revision: this.#names.showRevision(summary.id, summary.revision),
      expires: minutes(summary.expiresAtMs),
    };
  }

  messages(id, { messages, historyEntries, revision }) {
    return {
      messages: messages.map(short),
      history_entries: historyEntries,
      revision: this.#names.showRevision(id, revision),
    };
  }

  fact(id, { value, revision }) {
    return {
      value: value === undefined ? null : short(value),
      revision: this.#names.showRevision(id, revision),
    };
  }

  snapshot(text) {
    return { snapshot: this.#names.addSnapshot(text), text: short(text) };
  }

  ids(ids) {
    return [...new Set(ids.map((id) => this.#names.idName(id)))].sort(byBytes);
  }

  /** The summaries of all pages, each ticket once, sorted by the ids that are shown. */
  summaries(pages) {
    const byId = new Map(pages.flatMap((page) => page.summaries.map((one) => [this.#names.idName(one.id), one])));
    const ids = [...byId.keys()].sort(byBytes);
    return {
      summaries: ids.map((id) => this.summary(byId.get(id))),
      unreadable: this.ids(pages.flatMap((page) => page.unreadable)),
    };
  }

  merged({ state, aside }) {
    const merged = {
      facts: short(state.facts),
      history: short(state.history),
      last_decision: short(state.lastDecision),
      created_at: state.createdAt,
      updated_at: state.updatedAt,
    };
    return { merged, aside: aside ?? null };
  }

  error(error) {
    if (error.case !== 'conflict') return { error: error.case };
    return { error: error.case, ticket: error.ticket ? this.ticket(error.ticket) : null };
  }
}

function effectOf({ retracted, trimmed }) {
  return {
    ...(retracted.length > 0 && { retracted: retracted.map(short) }),
    ...(trimmed > 0 && { trimmed }),
  };
}

function byBytes(a, b) {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** A deadline in minutes since the start, rounded. */
function minutes(expiresAtMs) {
  return Math.round((Number(expiresAtMs) - START_MS) / MINUTE_MS);
}

function time(seconds) {
  return seconds === 0n ? null : seconds - START_S;
}

function short(text) {
  if (Buffer.byteLength(text) <= SHORT_BYTES_MAX) return text;
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

/** JSON without white space, with BigInt, which JSON.stringify refuses. */
function json(value) {
  if (typeof value === 'bigint') return String(value);
  if (Array.isArray(value)) return `[${value.map(json).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(([name, member]) => `${json(name)}:${json(member)}`);
  return `{${members.join(',')}}`;
}
