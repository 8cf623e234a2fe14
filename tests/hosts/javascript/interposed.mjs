// A store around a store, in which a scenario lets other clients write and calls fail.

import { StoreError } from './map-store.mjs';

/** Passes calls on, with the interruptions that are due at them. */
export class Interposed {
  #store;
  #externalWrites = [];
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

  /** Runs `action` just before the next such call. */
  writeBefore(call, action) {
    this.#externalWrites.push({ call, action });
  }

  /** Lets the next such call fail; if `made`, it is executed and its answer is lost. */
  fail(call, error, made) {
    this.#faults.push({ call, error, made });
  }

  /** Drops the interruptions that no call reached. */
  clear() {
    this.#externalWrites = [];
    this.#faults = [];
  }

  #pass(call, about, make) {
    const now = this.#externalWrites.filter((write) => write.call === call);
    this.#externalWrites = this.#externalWrites.filter((write) => write.call !== call);
    for (const { action } of now) action();

    const index = this.#faults.findIndex((fault) => fault.call === call);
    if (index < 0) return make();
    const [fault] = this.#faults.splice(index, 1);
    if (fault.made) makeAndLoseAnswer(make);
    const val = fault.error === 'too-large' ? 1n : `the scenario lets ${call} of ${about} fail`;
    throw new StoreError(fault.error, val);
  }
}

/** Makes a call and loses its answer, a refusal too. */
function makeAndLoseAnswer(make) {
  try {
    make();
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
  }
}
