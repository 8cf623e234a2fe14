// The border between engine and store, where a scenario lets foreign programs step in and calls fail.

import { StoreError } from './map-store.mjs';

/** A store whose next calls can be met by something. */
export class Interposed {
  #store;
  #steppingIn = [];
  #faults = [];

  constructor(store) {
    this.#store = store;
  }

  read(key, freshness) {
    return this.#pass('read', key, () => this.#store.read(key, freshness));
  }

  write(key, fields, ttlMs, when) {
    return this.#pass('write', key, () => this.#store.write(key, fields, ttlMs, when));
  }

  touch(key, ttlMs) {
    return this.#pass('touch', key, () => this.#store.touch(key, ttlMs));
  }

  remove(key, when) {
    return this.#pass('remove', key, () => this.#store.remove(key, when));
  }

  scan(cursor, limit) {
    return this.#pass('scan', cursor ?? 'all keys', () => this.#store.scan(cursor, limit));
  }

  /** Does `action` just before the next such call. */
  stepIn(call, action) {
    this.#steppingIn.push({ call, action });
  }

  /** Lets the next such call answer this error; it is made all the same if `made`. */
  fail(call, error, made) {
    this.#faults.push({ call, error, made });
  }

  /** Drops what waits for calls that did not come. */
  clear() {
    this.#steppingIn = [];
    this.#faults = [];
  }

  #pass(call, about, make) {
    const now = this.#steppingIn.filter((waiting) => waiting.call === call);
    this.#steppingIn = this.#steppingIn.filter((waiting) => waiting.call !== call);
    for (const { action } of now) action();

    const index = this.#faults.findIndex((fault) => fault.call === call);
    if (index < 0) return make();
    const [fault] = this.#faults.splice(index, 1);
    if (fault.made) makeUnseen(make);
    const val = fault.error === 'too-large' ? 1n : `${call} of ${about} failed as the scenario says`;
    throw new StoreError(fault.error, val);
  }
}

/** Makes a call of which the answer is lost, a refusal too. */
function makeUnseen(make) {
  try {
    make();
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
  }
}
