// A store on a Map: `key-value` with all its promises, for one process.

const PREFIX = 'ticket:';
const TTL_MS_MIN = 1_000n;
const TTL_MS_MAX = 31_622_400_000n;
const ENTRY_BYTES_MAX = 16 * 1024 * 1024;
const PAGE_KEYS_MAX = 10_000;
/** So many entries may be there before the first look for those that have expired. */
const SWEEP_SIZE_MIN = 1_000;

/** A call that has no answer: `key-value.error`, as a payload that the engine gets to see. */
export class StoreError extends Error {
  payload;

  constructor(tag, val) {
    super(`${tag}: ${val}`);
    this.name = 'StoreError';
    this.payload = { tag, val };
  }
}

/** Entries in memory. `clock` gives milliseconds since the Unix epoch, as a number. */
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
    return { entry: entryOf(this.#there(key)) };
  }

  write(key, fields, ttlMs, when) {
    checkKey(key);
    checkTtl(ttlMs);
    checkFields(fields);
    const there = this.#there(key);
    if (!holds(when, there)) return refused(there);
    this.#sweep();
    return this.#change(key, fields.map(([name, text]) => [name, text]), ttlMs);
  }

  touch(key, ttlMs) {
    checkKey(key);
    checkTtl(ttlMs);
    const there = this.#there(key);
    return there ? this.#change(key, there.fields, ttlMs) : refused(undefined);
  }

  remove(key, when) {
    checkKey(key);
    const there = this.#there(key);
    if (!holds(when, there)) return refused(there);
    this.#slots.delete(key);
    return { applied: true, expiresAtMs: 0n };
  }

  scan(cursor, limit) {
    if (limit < 1 || limit > PAGE_KEYS_MAX) {
      throw new StoreError('invalid', `limit of ${limit} keys is not between 1 and ${PAGE_KEYS_MAX}`);
    }
    // A page begins after a key, not at a number, so that what is removed meanwhile makes it skip none.
    const rest = [...this.#slots.keys()]
      .filter((key) => this.#there(key) && (cursor === undefined || key > cursor))
      .sort();
    const keys = rest.slice(0, limit);
    return { keys, cursor: rest.length > limit ? keys.at(-1) : undefined };
  }

  /** What is under a key and not past its deadline. */
  #there(key) {
    const slot = this.#slots.get(key);
    return slot && this.#clock() <= slot.expiresAtMs ? slot : undefined;
  }

  #change(key, fields, ttlMs) {
    this.#changes += 1;
    // Counted over all keys and never back: no entry, of this life or another, has the same revision twice.
    const revision = String(this.#changes);
    const expiresAtMs = this.#clock() + Number(ttlMs);
    this.#slots.set(key, { fields, revision, expiresAtMs });
    return { applied: true, revision, expiresAtMs: BigInt(expiresAtMs) };
  }

  /** Drops what has expired whenever there is twice as much as was left the last time. */
  #sweep() {
    if (this.#slots.size < this.#sweepSize) return;
    for (const key of [...this.#slots.keys()]) {
      if (!this.#there(key)) this.#slots.delete(key);
    }
    this.#sweepSize = Math.max(SWEEP_SIZE_MIN, 2 * this.#slots.size);
  }
}

function entryOf(slot) {
  if (!slot) return undefined;
  const fields = slot.fields.map(([name, text]) => [name, text]);
  return { fields, revision: slot.revision, expiresAtMs: BigInt(slot.expiresAtMs) };
}

function refused(there) {
  return { applied: false, expiresAtMs: 0n, current: entryOf(there) };
}

function holds(when, there) {
  switch (when.tag) {
    case 'absent':
      return !there;
    case 'present':
      return Boolean(there);
    default:
      return there?.revision === when.val;
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
