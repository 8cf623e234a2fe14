// A store on a Map: the complete contract of `key-value`, for one process.

const PREFIX = 'ticket:';
const TTL_MS_MIN = 1_000n;
const TTL_MS_MAX = 31_622_400_000n;
const ENTRY_BYTES_MAX = 16 * 1024 * 1024;
const PAGE_KEYS_MAX = 10_000;
/** Number of entries before expired ones are dropped for the first time. */
const SWEEP_SIZE_MIN = 1_000;

/** A call without an answer: `key-value.error`, as the payload for the engine. */
export class StoreError extends Error {
  payload;

  constructor(tag, val) {
    super(`${tag}: ${val}`);
    this.name = 'StoreError';
    this.payload = { tag, val };
  }
}

/** Entries in memory. `clock` returns milliseconds since the Unix epoch, as a number. */
export class MapStore {
  #clock;
  #slots = new Map();
  #changes = 0;
  #sweepSize = SWEEP_SIZE_MIN;

  constructor(clock) {
    this.#clock = clock;
  }

  read(key, _freshness) {
    checkKey(key);
    return { entry: entryOf(this.#current(key)) };
  }

  write(key, fields, ttlMs, when) {
    checkKey(key);
    checkTtl(ttlMs);
    checkFields(fields);
    const current = this.#current(key);
    if (!holds(when, current)) return refused(current);
    this.#sweep();
    return this.#change(key, fields.map(([name, text]) => [name, text]), ttlMs);
  }

  touch(key, ttlMs) {
    checkKey(key);
    checkTtl(ttlMs);
    const current = this.#current(key);
    return current ? this.#change(key, current.fields, ttlMs) : refused(undefined);
  }

  remove(key, when) {
    checkKey(key);
    const current = this.#current(key);
    if (!holds(when, current)) return refused(current);
    this.#slots.delete(key);
    return { applied: true, expiresAtMs: 0n };
  }

  scan(cursor, limit) {
    if (limit < 1 || limit > PAGE_KEYS_MAX) {
      throw new StoreError('invalid', `limit of ${limit} keys is not between 1 and ${PAGE_KEYS_MAX}`);
    }
    // The cursor is a key, not an index, so that removals between pages skip no entry.
    const rest = [...this.#slots.keys()]
      .filter((key) => this.#current(key) && (cursor === undefined || key > cursor))
      .sort();
    const keys = rest.slice(0, limit);
    return { keys, cursor: rest.length > limit ? keys.at(-1) : undefined };
  }

  /** The entry under a key, if it has not expired. */
  #current(key) {
    const slot = this.#slots.get(key);
    return slot && this.#clock() <= slot.expiresAtMs ? slot : undefined;
  }

  #change(key, fields, ttlMs) {
    this.#changes += 1;
    // A counter over all keys: no two states have the same revision.
    const revision = String(this.#changes);
    const expiresAtMs = this.#clock() + Number(ttlMs);
    this.#slots.set(key, { fields, revision, expiresAtMs });
    return { applied: true, revision, expiresAtMs: BigInt(expiresAtMs) };
  }

  /** Drops expired entries whenever there are twice as many entries as after the last time. */
  #sweep() {
    if (this.#slots.size < this.#sweepSize) return;
    for (const key of [...this.#slots.keys()]) {
      if (!this.#current(key)) this.#slots.delete(key);
    }
    this.#sweepSize = Math.max(SWEEP_SIZE_MIN, 2 * this.#slots.size);
  }
}

function entryOf(slot) {
  if (!slot) return undefined;
  const fields = slot.fields.map(([name, text]) => [name, text]);
  return { fields, revision: slot.revision, expiresAtMs: BigInt(slot.expiresAtMs) };
}

function refused(current) {
  return { applied: false, expiresAtMs: 0n, current: entryOf(current) };
}

function holds(when, current) {
  switch (when.tag) {
    case 'absent':
      return !current;
    case 'present':
      return Boolean(current);
    default:
      return current?.revision === when.val;
  }
}

function checkKey(key) {
  if (!key.startsWith(PREFIX)) throw new StoreError('invalid', `key ${key} does not begin with ${PREFIX}`);
}

function checkTtl(ttlMs) {
  if (ttlMs < TTL_MS_MIN || ttlMs > TTL_MS_MAX) {
    throw new StoreError('invalid', `ttl of ${ttlMs} ms is not between ${TTL_MS_MIN} and ${TTL_MS_MAX}`);
  }
}

function checkFields(fields) {
  const bytes = fields.flat().reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (bytes > ENTRY_BYTES_MAX) throw new StoreError('too-large', BigInt(ENTRY_BYTES_MAX));
  if (fields.length === 0) throw new StoreError('invalid', 'entry has no field');
  const names = new Set(fields.map(([name]) => name));
  if (names.size < fields.length) throw new StoreError('invalid', 'entry has a field twice');
}
