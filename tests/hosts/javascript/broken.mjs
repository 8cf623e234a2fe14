// Stores that break one promise each: transcripts of such a store must differ from the right ones.

import { functionsOf } from './engine.mjs';

/** The rules that `broken` knows how to break. */
export const RULES = ['ttl-not-refreshed', 'merge-instead-of-replace', 'revision-not-raised'];

/** The store, but for one rule. `clock` is the store's. */
export function broken(rule, store, clock) {
  switch (rule) {
    case 'ttl-not-refreshed':
      return ttlNotRefreshed(store, clock);
    case 'merge-instead-of-replace':
      return mergeInsteadOfReplace(store);
    case 'revision-not-raised':
      return revisionNotRaised(store);
    default:
      throw new Error(`rule ${rule} is none of ${RULES.join(', ')}`);
  }
}

/** A write or touch leaves the deadline where it was. */
function ttlNotRefreshed(store, clock) {
  const left = (key, ttlMs) => {
    const { entry } = store.read(key, 'latest');
    if (!entry) return ttlMs;
    const leftMs = entry.expiresAtMs - BigInt(clock());
    // The store takes no shorter time.
    return leftMs < 1_000n ? 1_000n : leftMs;
  };
  return {
    ...functionsOf(store),
    write: (key, fields, ttlMs, when) => store.write(key, fields, left(key, ttlMs), when),
    touch: (key, ttlMs) => store.touch(key, left(key, ttlMs)),
  };
}

/** A write leaves fields that it does not give. */
function mergeInsteadOfReplace(store) {
  return {
    ...functionsOf(store),
    write: (key, fields, ttlMs, when) => {
      const { entry } = store.read(key, 'latest');
      const all = new Map([...(entry?.fields ?? []), ...fields]);
      return store.write(key, [...all], ttlMs, when);
    },
  };
}

/** An entry shows the revision that it had at first, and takes it for the present one. */
function revisionNotRaised(store) {
  const first = new Map();
  const read = (key, freshness) => {
    const { entry } = store.read(key, freshness);
    if (!entry) {
      first.delete(key);
      return { entry };
    }
    if (!first.has(key)) first.set(key, entry.revision);
    return { entry: { ...entry, revision: first.get(key) } };
  };
  const change = (key, make) => {
    read(key, 'latest');
    const outcome = make((when) => (when.tag === 'at' && when.val === first.get(key) ? { tag: 'present' } : when));
    if (!outcome.applied) return outcome.current ? { ...outcome, current: read(key, 'latest').entry } : outcome;
    if (outcome.revision === undefined) return outcome;
    return { ...outcome, revision: read(key, 'latest').entry.revision };
  };
  return {
    ...functionsOf(store),
    read,
    write: (key, fields, ttlMs, when) => change(key, (really) => store.write(key, fields, ttlMs, really(when))),
    touch: (key, ttlMs) => change(key, () => store.touch(key, ttlMs)),
    remove: (key, when) => change(key, (really) => store.remove(key, really(when))),
  };
}
