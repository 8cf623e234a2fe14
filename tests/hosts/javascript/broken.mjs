// Stores that break one rule each, to test that transcripts show it.

import { functionsOf } from './engine.mjs';

/** The rules that `broken` can break. */
export const RULES = ['ttl-not-refreshed', 'merge-instead-of-replace', 'revision-not-raised'];

/** The store with one broken rule. `clock` is that of the store. */
export function broken(rule, store, clock) {
  switch (rule) {
    case 'ttl-not-refreshed':
      return ttlNotRefreshed(store, clock);
    case 'merge-instead-of-replace':
      return mergeInsteadOfReplace(store);
    case 'revision-not-raised':
      return revisionNotRaised(store);
    default:
      throw new Error(`unknown rule ${rule}: use one of ${RULES.join(', ')}`);
  }
}

/** A write or touch does not move the deadline. */
function ttlNotRefreshed(store, clock) {
  const left = (key, ttlMs) => {
    const { entry } = store.read(key, 'latest');
    if (!entry) return ttlMs;
    const leftMs = entry.expiresAtMs - BigInt(clock());
    // The store accepts no shorter time.
    return leftMs < 1_000n ? 1_000n : leftMs;
  };
  return {
    ...functionsOf(store),
    write: (key, fields, ttlMs, when) => store.write(key, fields, left(key, ttlMs), when),
    touch: (key, ttlMs) => store.touch(key, left(key, ttlMs)),
  };
}

/** A write keeps the fields that it does not name. */
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

/** An entry keeps its first revision. */
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
    write: (key, fields, ttlMs, when) => change(key, (real) => store.write(key, fields, ttlMs, real(when))),
    touch: (key, ttlMs) => change(key, () => store.touch(key, ttlMs)),
    remove: (key, when) => change(key, (real) => store.remove(key, real(when))),
  };
}
