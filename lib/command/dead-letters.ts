import { messageOf } from '../values/describe.js';
import { CLUSTER_OPTIONS, requiredClusterOptions } from './cluster-options.js';
import { filterOf, FILTER_OPTIONS } from './dead-letters/filter.js';
import { listLetters } from './dead-letters/list.js';
import { replayLetters } from './dead-letters/replay.js';
import { showLetters } from './dead-letters/show.js';
import { CommandError, wrongUsage, type Command } from './front.js';

const VERBS = { list: listLetters, show: showLetters, replay: replayLetters };

/** The command `dead-letters`. */
export const command: Command = {
  usage: 'list|show|replay <topic> --brokers host:port [options]',
  description:
    'Works with the messages that servers have put aside. list counts them by cause, show prints them with headers, replay writes them to the topic that they came from, or to another one. replay reads in a group of its own and commits each message when its copy is acknowledged: interrupted, the same command line goes on where it was.',
  positionals: 2,
  options: {
    ...CLUSTER_OPTIONS,
    ...FILTER_OPTIONS,
    max: { type: 'string', value: 'count', doc: 'show, replay: so many messages at most (show: 10).' },
    to: {
      type: 'string',
      value: 'topic',
      doc: 'replay: writes to this topic instead. Another replay: it begins at the start.',
    },
    rate: { type: 'string', value: 'count', doc: 'replay: so many messages a second at most.' },
    group: { type: 'string', value: 'id', doc: 'replay: the group that remembers how far it has come.' },
    'dry-run': {
      type: 'boolean',
      doc: 'replay: says what it would do from where it has come to, and writes and commits nothing.',
    },
    again: {
      type: 'boolean',
      doc: 'replay: also messages that have failed again after they were replayed. Another replay: it begins at the start.',
    },
    json: { type: 'boolean', doc: 'Prints JSON, of show one object a line.' },
  },
  examples: [
    'dead-letters list orders.DLT --brokers localhost:9092',
    'dead-letters show orders.DLT -b localhost:9092 --cause TimeoutError --max 3',
    'dead-letters replay orders.DLT -b localhost:9092 --since 2h --rate 100',
  ],
  async run(given) {
    const [verb = '', topic] = given.positionals;
    if (!Object.hasOwn(VERBS, verb)) throw wrongUsage('What is to be done? list, show or replay');
    if (topic === undefined) throw wrongUsage(`Which topic? dead-letters ${verb} <topic>`);
    const config = await requiredClusterOptions(given);
    const filter = filterOf(given, Date.now());
    try {
      return await VERBS[verb as keyof typeof VERBS]({ config, topic, filter, given });
    } catch (error) {
      if (error instanceof CommandError) throw error;
      throw new CommandError(`${topic} could not be worked with: ${messageOf(error)}`);
    }
  },
};
