import { setTimeout as delay } from 'node:timers/promises';
import type { Producer } from '../../kafkajs/producer/producer.js';
import type { Message, TopicMessages } from '../../kafkajs/types/index.js';
import { countOf } from '../count.js';
import { EXIT } from '../front.js';
import { Interruption } from './interruption.js';
import { replayedHeaders, REPLAYS, type Letter } from './letter.js';
import { Pace } from './pace.js';
import { readLetters, type Batch } from './read.js';
import { counted, kafkaOf, type Task } from './task.js';

/** Most copies that are sent together; the next are sent once these are acknowledged. */
const MOST_TOGETHER = 500;
/** Time between two progress lines, in milliseconds. */
const PROGRESS = 200;

/** Counts of letters by what was done with them. */
interface Tally {
  replayed: number;
  /** Not selected by the filter. */
  filtered: number;
  /** Failed again after they were replayed. */
  looping: number;
  /** Without a header that says where they came from, and without `--to`. */
  homeless: number;
}

const newTally = (): Tally => ({ replayed: 0, filtered: 0, looping: 0, homeless: 0 });
const FATES = Object.keys(newTally()) as (keyof Tally)[];

/** `dead-letters replay`: writes the messages to the topics that they came from. */
export async function replayLetters(task: Task): Promise<number> {
  const { topic, given } = task;
  const { values } = given;
  const dryRun = values['dry-run'] === true;
  const group = groupOf(task);
  const kafka = kafkaOf(task);
  const producer = kafka.producer({ idempotent: true });
  const interruption = new Interruption();
  const replay = new Replay(task, dryRun ? undefined : producer, interruption);
  const progress =
    values['json'] === true || !process.stderr.isTTY ? undefined : setInterval(() => replay.tell(), PROGRESS);
  try {
    if (!dryRun) await producer.connect();
    const { signal } = interruption;
    await readLetters({
      kafka,
      topic,
      ...(dryRun ? { after: group } : { group }),
      signal,
      handle: (batch) => replay.take(batch),
    });
  } finally {
    clearInterval(progress);
    interruption.close();
    await producer.disconnect();
  }
  replay.end(dryRun ? undefined : group);
  return interruption.isInterrupted ? EXIT.failed : EXIT.ok;
}

/**
 * The group that remembers how far a replay has come. Another selection, or another target, is another replay: what this one
 * has left was passed over by its group.
 */
function groupOf({ topic, filter, given: { values } }: Task): string {
  if (values['group'] !== undefined) return values['group'] as string;
  const names = ['nestjs-kafka-native-replay', topic, filter.name];
  if (values['again'] === true) names.push('again');
  if (values['to'] !== undefined) names.push('to', values['to'] as string);
  return names.join('.');
}

/** One replay, over all partitions. */
class Replay {
  readonly #tally = newTally();
  readonly #task: Task;
  readonly #producer: Producer | undefined;
  readonly #interruption: Interruption;
  readonly #to: string | undefined;
  readonly #max: number;
  readonly #again: boolean;
  readonly #pace: Pace;
  /** Counts letters in flight too. */
  #taken = 0;

  constructor(task: Task, producer: Producer | undefined, interruption: Interruption) {
    const { given } = task;
    this.#task = task;
    this.#producer = producer;
    this.#interruption = interruption;
    this.#to = given.values['to'] as string | undefined;
    this.#max = countOf(given, 'max') ?? Number.POSITIVE_INFINITY;
    this.#again = given.values['again'] === true;
    this.#pace = new Pace(countOf(given, 'rate'));
  }

  /** Replays a partition's letters in their order; each counts as done when its copy is acknowledged. */
  async take(batch: Batch): Promise<void> {
    const most = Math.min(MOST_TOGETHER, this.#pace.together);
    let rest = batch.letters;
    while (rest.length > 0 && !batch.isStale()) {
      const together: Letter[] = [];
      const counts = newTally();
      let last: Letter | undefined;
      for (const letter of rest) {
        if (together.length === most || this.#taken >= this.#max) break;
        last = letter;
        const fate = this.#fateOf(letter);
        counts[fate]++;
        if (fate !== 'replayed') continue;
        together.push(letter);
        this.#taken++;
      }
      if (last === undefined) return;
      rest = rest.slice(rest.indexOf(last) + 1);
      const wait = this.#pace.take(together.length);
      if (wait > 0)
        await delay(wait, undefined, { signal: this.#interruption.signal }).catch(() => undefined);
      if (batch.isStale()) {
        // They come again, here or to another member: only then they count.
        this.#taken -= together.length;
        return;
      }
      if (together.length > 0)
        await this.#producer?.sendBatch({ acks: -1, topicMessages: this.#copies(together) });
      for (const fate of FATES) this.#tally[fate] += counts[fate];
      batch.done(last);
      await batch.heartbeat();
      if (this.#tally.replayed >= this.#max) this.#interruption.end();
    }
  }

  #fateOf(letter: Letter): keyof Tally {
    if (!this.#task.filter.matches(letter)) return 'filtered';
    if (letter.replays > 0 && !this.#again) return 'looping';
    return this.#to === undefined && letter.origin === undefined ? 'homeless' : 'replayed';
  }

  #copies(letters: readonly Letter[]): TopicMessages[] {
    const topics = new Map<string, Message[]>();
    for (const letter of letters) {
      const topic = this.#to ?? letter.origin?.topic ?? '';
      const { key, value } = letter.message;
      const messages = topics.get(topic) ?? [];
      topics.set(topic, messages);
      messages.push({ key, value, headers: replayedHeaders(letter) });
    }
    return [...topics].map(([topic, messages]) => ({ topic, messages }));
  }

  /** Prints the progress, on a terminal always on the same line. */
  tell(): void {
    process.stderr.write(`\r${counted(this.#tally.replayed, 'message')} replayed`);
  }

  /** Prints the final counts. */
  end(group: string | undefined): void {
    const { replayed, filtered, looping, homeless } = this.#tally;
    const { topic, given } = this.#task;
    if (given.values['json'] === true) {
      const told = {
        topic,
        group: group ?? null,
        dryRun: group === undefined,
        interrupted: this.#interruption.isInterrupted,
      };
      process.stdout.write(`${JSON.stringify({ ...told, ...this.#tally })}\n`);
      return;
    }
    if (process.stderr.isTTY) process.stderr.write('\r');
    const lines = [
      `${counted(replayed, 'message')} ${group === undefined ? 'would be replayed' : 'replayed'} to ${this.#to ?? 'where they came from'}`,
      ...(filtered > 0 ? [`${counted(filtered, 'message')} not chosen`] : []),
      ...(looping > 0
        ? [
            `${counted(looping, 'message')} left: failed again after a replay (--again --header ${REPLAYS} replays them alone)`,
          ]
        : []),
      ...(homeless > 0
        ? [
            `${counted(homeless, 'message')} left: no header tells where from (--to writes all there, from the beginning)`,
          ]
        : []),
      ...(this.#interruption.isInterrupted ? ['Interrupted: the same command goes on from here'] : []),
    ];
    process.stdout.write(`${lines.join('\n')}\n`);
  }
}
