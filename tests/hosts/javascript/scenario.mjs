// Runs scenarios on the engine in V8 with a store on a Map, and writes their transcripts:
//
//     node scenario.mjs [--break RULE] ENGINE_FOLDER OUT_FOLDER SCENARIO...

import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';

import { Interposed } from './interposed.mjs';
import { broken, RULES } from './broken.mjs';
import { loadEngine, TicketsError } from './engine.mjs';
import { MapStore } from './map-store.mjs';
import { Names } from './names.mjs';
import { START_MS, Transcript } from './transcript.mjs';

const SETTINGS = {
  ttl_ms: 1_800_000,
  message_bytes_max: 65_536,
  ticket_bytes_max: 1_048_576,
  history_entries_max: 10_000,
};

/** One run of one scenario. */
class Run {
  #passedMs = 0;
  #aheadMs = 0;
  #names = new Names();
  #transcript = new Transcript(this.#names);
  #store;
  #interposed;
  #engine;

  static async start(folder, settings, rule) {
    const run = new Run();
    const clock = () => START_MS + run.#passedMs;
    run.#store = new MapStore(clock);
    run.#interposed = new Interposed(rule ? broken(rule, run.#store, clock) : run.#store);
    run.#engine = await loadEngine(folder, run.#interposed, run.#environment({ ...SETTINGS, ...settings }));
    return run;
  }

  #environment(settings) {
    return {
      nowMs: () => BigInt(START_MS + this.#passedMs + this.#aheadMs),
      freshId: () => {
        const id = randomUUID();
        this.#names.addFreshId(id);
        return id;
      },
      currentSettings: () => ({
        ttlMs: BigInt(settings.ttl_ms),
        messageBytesMax: settings.message_bytes_max,
        ticketBytesMax: settings.ticket_bytes_max,
        historyEntriesMax: settings.history_entries_max,
      }),
      tryAgain: (_attempt) => true,
    };
  }

  /** The transcript so far. */
  get transcript() {
    return this.#transcript.toString();
  }

  /** Executes the step on a line. */
  step(number, step) {
    switch (step.op) {
      case 'pass':
        this.#passedMs += step.ms;
        break;
      case 'date':
        this.#aheadMs += step.ms;
        break;
      case 'put':
        this.#externalWrite(step, (key) => this.#put(key, Object.entries(step.fields), BigInt(step.ttl_ms)));
        break;
      case 'drop':
        this.#externalWrite(step, (key) => this.#store.remove(key, { tag: 'present' }));
        break;
      case 'fail':
        this.#interposed.fail(step.call, step.error, step.made ?? false);
        break;
      default:
        this.#transcript.add(number, step.op, this.#answer(step));
        this.#interposed.clear();
    }
  }

  #externalWrite(step, act) {
    // The id may be generated before the action runs.
    const action = () => act(`ticket:${this.#names.idOf(step.id)}`);
    if (step.before) this.#interposed.writeBefore(step.before, action);
    else action();
  }

  #put(key, fields, ttlMs) {
    const replaced = this.#store.write(key, fields, ttlMs, { tag: 'present' });
    if (!replaced.applied) this.#store.write(key, fields, ttlMs, { tag: 'absent' });
  }

  #answer(step) {
    try {
      return this.#operate(step);
    } catch (error) {
      if (error instanceof TicketsError) return this.#transcript.error(error);
      throw error;
    }
  }

  /** Runs an operation of the engine and returns the members of its line in the transcript. */
  #operate(step) {
    const [engine, names, transcript] = [this.#engine, this.#names, this.#transcript];
    const id = step.id === undefined ? undefined : names.idOf(step.id);
    const at = names.revisionOf(id, step.at);
    switch (step.op) {
      case 'create':
        return { ticket: transcript.ticket(engine.create(id, changesOf(step))) };
      case 'get':
        return { ticket: transcript.ticket(engine.get(id)) };
      case 'apply':
        return { ticket: transcript.ticket(engine.apply(id, changesOf(step), at)) };
      case 'touch':
        return { ticket: transcript.ticket(engine.touch(id)) };
      case 'snapshot':
        return transcript.snapshot(engine.snapshot(id));
      case 'rollback':
        return { ticket: transcript.ticket(engine.rollback(id, names.snapshotOf(step.snapshot), at)) };
      case 'restore':
        return { ticket: transcript.ticket(engine.restore(names.snapshotOf(step.snapshot))) };
      case 'close':
        engine.close(id, at);
        return { done: true };
      case 'list':
        return { ids: transcript.ids(this.#listAll()) };
      case 'merge':
        return transcript.merged(engine.merge(stateOf(step.base), stateOf(step.ours), stateOf(step.theirs)));
      default:
        throw new Error(`unknown step ${step.op}`);
    }
  }

  #listAll() {
    const ids = [];
    let cursor;
    do {
      const page = this.#engine.listIds(cursor);
      ids.push(...page.ids);
      cursor = page.cursor;
    } while (cursor !== undefined);
    return ids;
  }
}

function changesOf(step) {
  return (step.changes ?? []).flatMap((change) => Object.entries(change).map(([tag, val]) => ({ tag, val })));
}

function stateOf(state) {
  return {
    facts: state.facts,
    history: state.history,
    lastDecision: state.last_decision,
    createdAt: BigInt(state.created_at),
    updatedAt: BigInt(state.updated_at),
  };
}

async function transcribe(folder, path, rule) {
  const [about, ...steps] = readFileSync(path, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line));
  const run = await Run.start(folder, about.settings, rule);
  for (const [index, step] of steps.entries()) {
    const number = index + 2;
    try {
      run.step(number, step);
    } catch (error) {
      throw new Error(`${path}, line ${number}: ${error.message}`, { cause: error });
    }
  }
  return run.transcript;
}

const { values, positionals } = parseArgs({ options: { break: { type: 'string' } }, allowPositionals: true });
const [folder, out, ...scenarios] = positionals;
if (scenarios.length === 0) {
  console.error('usage: node scenario.mjs [--break RULE] ENGINE_FOLDER OUT_FOLDER SCENARIO...');
  console.error(`rules: ${RULES.join(', ')}`);
  process.exit(2);
}
mkdirSync(out, { recursive: true });
for (const path of scenarios) {
  writeFileSync(join(out, basename(path)), await transcribe(folder, path, values.break));
}
