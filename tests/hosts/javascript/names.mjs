// The ids, revisions and snapshots that a scenario refers to by number.

/** The names of one run of one scenario. */
export class Names {
  #freshIds = [];
  /** For each id, revision texts and their ordinals. */
  #ordinals = new Map();
  /** Revision texts by ordinal, from 1. */
  #revisions = [];
  /** For each id, the revisions in its answers, in order. */
  #shown = new Map();
  /** Snapshot texts by ordinal, from 1. */
  #snapshots = [];

  /** Adds an id that the host generated. */
  addFreshId(id) {
    this.#freshIds.push(id);
  }

  /** The id that a scenario refers to. */
  idOf(text) {
    const number = /^\(fresh ([1-9][0-9]*)\)$/.exec(text)?.[1];
    return this.#freshIds[number - 1] ?? text;
  }

  /** The id in the transcript. */
  idName(id) {
    const index = this.#freshIds.indexOf(id);
    return index < 0 ? id : `(fresh ${index + 1})`;
  }

  /** The ordinal of the revision in an answer. */
  showRevision(id, revision) {
    const ordinals = getOrSet(this.#ordinals, id, new Map());
    if (!ordinals.has(revision)) {
      this.#revisions.push(revision);
      ordinals.set(revision, this.#revisions.length);
    }
    getOrSet(this.#shown, id, []).push(revision);
    return ordinals.get(revision);
  }

  /** The revision that a step on a ticket refers to; undefined without `at`. */
  revisionOf(id, at) {
    if (typeof at !== 'number') return at;
    return pick(at, this.#revisions, this.#shown.get(id) ?? []) ?? `revision ${at}`;
  }

  /** Adds a snapshot and returns its ordinal. */
  addSnapshot(text) {
    return this.#snapshots.push(text);
  }

  /** The snapshot that a step refers to. */
  snapshotOf(snapshot) {
    switch (typeof snapshot) {
      case 'string':
        return snapshot;
      case 'number':
        return pick(snapshot, this.#snapshots, this.#snapshots) ?? `snapshot ${snapshot}`;
      default:
        // A function, because `$` in a replacement text is special.
        return this.snapshotOf(snapshot.number).replace(snapshot.from, () => snapshot.to);
    }
  }
}

/** A positive number counts from the first, a negative one from the last. */
function pick(number, fromFirst, fromLast) {
  return number > 0 ? fromFirst[number - 1] : fromLast.at(number || fromLast.length);
}

function getOrSet(map, key, value) {
  if (!map.has(key)) map.set(key, value);
  return map.get(key);
}
