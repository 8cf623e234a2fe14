// The ticket engine in V8: loads it with a store and an environment, and returns its operations as functions.
//
// The folder is the output of `jco transpile engine.wasm -o FOLDER -I --name engine`. Values are those of jco:
// u64 is a BigInt, an option is the value or undefined, a variant is `{ tag, val }`, as in
// `{ tag: 'trim', val: { entriesMax: 50 } }`. `create`, `ensure` and `apply` return `{ ticket, effect }`.
// A number that does not fit its type in WIT is cut to its bits, so check those that come from elsewhere.

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/** The engine exports the former version too. */
const TICKETS = 'agent:tickets/tickets@0.2.0';
const OPERATIONS = [
  ...['create', 'ensure', 'apply', 'touch', 'get', 'exists', 'getSummary', 'getMessages', 'getFact', 'snapshot'],
  ...['rollback', 'restore', 'close', 'listIds', 'listSummaries', 'merge'],
];

/** A refused operation: `tickets.error`. */
export class TicketsError extends Error {
  /** Its case, such as `not-found`. */
  case;
  /** With `conflict`: the current ticket; undefined if it is gone or damaged. */
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
 * Loads the engine and returns an object with a function for each operation of `tickets`.
 *
 * `store` has the functions of `key-value` and throws errors with a `payload`; `environment` has the functions of
 * `environment`. On Node 20 neither may return a promise.
 */
export async function loadEngine(folder, store, environment) {
  const { instantiate } = await import(pathToFileURL(resolve(folder, 'engine.js')));
  const modules = new Map();
  const coreModule = (name) => {
    if (!modules.has(name)) modules.set(name, new WebAssembly.Module(readFileSync(join(folder, name))));
    return modules.get(name);
  };
  // jco expects the names without a version, unlike in the generated types.
  const imports = { 'agent:tickets/key-value': functionsOf(store), 'agent:tickets/environment': environment };
  const newCore = (module, moduleImports) => new WebAssembly.Instance(module, moduleImports);
  const newInstance = () => instantiate(coreModule, imports, newCore)[TICKETS];

  let instance = newInstance();
  const call = (operation, args) => {
    instance ??= newInstance();
    try {
      return instance[operation](...args);
    } catch (error) {
      if (error.payload) throw new TicketsError(error.payload);
      // A trap, or an exception of an import: the memory of this instance may be inconsistent.
      instance = undefined;
      throw error;
    }
  };
  return Object.fromEntries(OPERATIONS.map((operation) => [operation, (...args) => call(operation, args)]));
}

/** The functions of a store as plain functions: the generated code calls them without the object. */
export function functionsOf(store) {
  return {
    read: (key, freshness) => store.read(key, freshness),
    write: (key, fields, ttlMs, when) => store.write(key, fields, ttlMs, when),
    touch: (key, ttlMs) => store.touch(key, ttlMs),
    remove: (key, when) => store.remove(key, when),
    scan: (cursor, limit) => store.scan(cursor, limit),
  };
}
