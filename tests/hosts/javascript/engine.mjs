// Runs the ticket engine in V8: lends it a store and an environment, and gives its operations as functions.
//
// The folder is what `jco transpile engine.wasm -o FOLDER -I --name engine` made. Values are as jco has them:
// u64 is a BigInt, an option is the value or undefined, a variant is `{ tag, val }`.

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const OPERATIONS = ['create', 'get', 'apply', 'touch', 'snapshot', 'rollback', 'restore', 'close', 'listIds', 'merge'];

/** An operation that was refused: `tickets.error`. */
export class TicketsError extends Error {
  /** Its case, such as `not-found`. */
  case;
  /** With `conflict`: the ticket as it is now; undefined where it is gone or damaged. */
  ticket;

  constructor({ tag, val }) {
    super(tag === 'conflict' ? conflictText(val) : val);
    this.name = 'TicketsError';
    this.case = tag;
    if (tag === 'conflict') this.ticket = val;
  }
}

function conflictText(ticket) {
  return ticket ? `ticket ${ticket.id} is at another revision` : 'ticket is gone or damaged';
}

/**
 * Loads the engine, and gives an object with a function for each operation of `tickets`.
 *
 * `store` has the functions of `key-value`, and refuses by throwing what has the error as its `payload`;
 * `environment` has those of `environment`. On Node 20 neither may answer with a promise.
 */
export async function loadEngine(folder, store, environment) {
  const { instantiate } = await import(pathToFileURL(resolve(folder, 'engine.js')));
  const modules = new Map();
  const coreModule = (name) => {
    if (!modules.has(name)) modules.set(name, new WebAssembly.Module(readFileSync(join(folder, name))));
    return modules.get(name);
  };
  // Without the version in the names, whatever the generated types say.
  const imports = { 'agent:tickets/key-value': functionsOf(store), 'agent:tickets/environment': environment };
  const newInstance = () =>
    instantiate(coreModule, imports, (module, lent) => new WebAssembly.Instance(module, lent)).tickets;

  let instance = newInstance();
  const call = (operation, args) => {
    instance ??= newInstance();
    try {
      return instance[operation](...args);
    } catch (error) {
      if (error.payload) throw new TicketsError(error.payload);
      // A trap, or a mistake in what is lent: the memory of this instance may be in any state.
      instance = undefined;
      throw error;
    }
  };
  return Object.fromEntries(OPERATIONS.map((operation) => [operation, (...args) => call(operation, args)]));
}

/** The functions of a store by themselves: the generated code takes them out of the object. */
export function functionsOf(store) {
  return {
    read: (key, freshness) => store.read(key, freshness),
    write: (key, fields, ttlMs, when) => store.write(key, fields, ttlMs, when),
    touch: (key, ttlMs) => store.touch(key, ttlMs),
    remove: (key, when) => store.remove(key, when),
    scan: (cursor, limit) => store.scan(cursor, limit),
  };
}
