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
    const ttlMs = step.ttl_ms === undefined ? undefined : BigInt(step.ttl_ms);
    switch (step.op) {
      case 'create':
        return transcript.applied(engine.create(id, changesOf(step), ttlMs));
      case 'ensure':
        return transcript.ensured(engine.ensure(id, changesOf(step), ttlMs));
      case 'get':
        return { ticket: transcript.ticket(engine.get(id)) };
      case 'exists':
        return { exists: engine.exists(id) };
      case 'get_summary':
        return { summary: transcript.summary(engine.getSummary(id)) };
      case 'get_messages':
        return transcript.messages(id, engine.getMessages(id, step.entries_max, step.bytes_max));
      case 'get_fact':
        return transcript.fact(id, engine.getFact(id, step.pointer));
      case 'apply':
        return transcript.applied(engine.apply(id, changesOf(step), at, ttlMs));
      case 'touch':
        return { ticket: transcript.ticket(engine.touch(id, ttlMs)) };
      case 'snapshot':
        return transcript.snapshot(engine.snapshot(id));
      case 'rollback':
        return { ticket: transcript.ticket(engine.rollback(id, names.snapshotOf(step.snapshot), at, ttlMs)) };
      case 'restore':
        return { ticket: transcript.ticket(engine.restore(names.snapshotOf(step.snapshot), ttlMs)) };
      case 'close':
        engine.close(id, at);
        return { done: true };
      case 'list':
        return { ids: transcript.ids(this.#pages('listIds', step).flatMap((page) => page.ids)) };
      case 'list_summaries':
        return transcript.summaries(this.#pages('listSummaries', step));
      case 'merge':
        return transcript.merged(engine.merge(stateOf(step.base), stateOf(step.ours), stateOf(step.theirs)));
      default:
        throw new Error(`unknown step ${step.op}`);
    }
  }

  #pages(operation, step) {
    const pages = [];
    do {
      pages.push(this.#engine[operation](step.prefix ?? '', pages.at(-1)?.cursor));
    } while (pages.at(-1).cursor !== undefined);
    return pages;
  }
}

function changesOf(step) {
  return (step.changes ?? []).flatMap((change) => Object.entries(change).map(([tag, val]) => changeOf(tag, val)));
}

function changeOf(tag, val) {
  switch (tag) {
    case 'put':
      return { tag, val: { pointer: val.pointer, value: val.value, onlyIfAbsent: val.only_if_absent ?? false } };
    case 'trim':
      return { tag, val: { entriesMax: val.entries_max, bytesMax: val.bytes_max } };
    default:
      return { tag, val };
  }
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
