import type { Derived } from './acls/derivation.js';
import { awsPolicy, kafkaAcls } from './acls/formats.js';
import { EXIT, wrongUsage, type Command } from './front.js';
import { inspect, taskModule } from './inspection/inspect.js';

const FORMATS = ['kafka-acls', 'json', 'aws'];

/** The command `acls`. */
const acls: Command = {
  usage: '<app entry> [options]',
  description: `Writes the access rules that an application needs: its topics, reply topics, groups, dead letters and transactional ids.
The application is started up to where it would connect to Kafka or listen on a port.`,
  options: {
    format: {
      type: 'string',
      value: FORMATS.join('|'),
      default: 'kafka-acls',
      doc: 'Lines of kafka-acls.sh, JSON, or a policy for AWS.',
    },
    principal: {
      type: 'string',
      value: 'name',
      default: 'User:<name>',
      doc: 'Whom the rules are for (kafka-acls).',
    },
    brokers: {
      type: 'string',
      short: 'b',
      value: 'host:port',
      default: '$BROKERS',
      doc: 'What the lines name as bootstrap servers (kafka-acls).',
    },
    'cluster-arn': {
      type: 'string',
      value: 'arn',
      doc: 'The cluster: arn:aws:kafka:<region>:<account>:cluster/<name>/<uuid> (aws).',
    },
    produces: {
      type: 'string',
      multiple: true,
      value: 'topic,…',
      doc: 'Topics that it sends to besides those it is seen to.',
    },
    create: { type: 'boolean', doc: 'It makes topics that are missing, too.' },
    timeout: {
      type: 'string',
      value: 'ms',
      default: '60000',
      doc: 'How long the application may take to start.',
    },
  },
  positionals: 1,
  examples: [
    'acls dist/main.js --principal User:orders',
    'acls dist/main.js --produces orders.placed,orders.sent --format json',
    'acls dist/main.js --format aws --cluster-arn arn:aws:kafka:eu-central-1:111122223333:cluster/live/abcd-1',
  ],
  run: async ({ values, positionals: [entry] }) => {
    if (entry === undefined)
      throw wrongUsage('Which application? Give the file that node starts, for example dist/main.js');
    const format = String(values['format']);
    if (!FORMATS.includes(format)) throw wrongUsage(`--format is one of ${FORMATS.join(', ')}`);
    const cluster = values['cluster-arn'] as string | undefined;
    if (format === 'aws' && cluster === undefined)
      throw wrongUsage('--format aws takes the cluster: --cluster-arn');
    const timeout = Number(values['timeout']);
    if (!Number.isInteger(timeout) || timeout < 1) throw wrongUsage('--timeout is a whole number, 1 or more');
    const produces = ((values['produces'] ?? []) as string[]).flatMap((names) => names.split(','));
    const task = {
      module: taskModule('acls/derivation'),
      options: { produces, creates: values['create'] === true },
    };
    const { result } = await inspect(entry, task, timeout);
    const { rules, notes } = result as Derived;
    if (format === 'json') process.stdout.write(`${JSON.stringify({ rules, notes }, null, 2)}\n`);
    else if (format === 'aws') process.stdout.write(awsPolicy(rules, cluster as string));
    else process.stdout.write(kafkaAcls(rules, String(values['principal']), String(values['brokers'])));
    if (format !== 'json') for (const note of notes) process.stderr.write(`${note}\n`);
    return EXIT.ok;
  },
};

export default acls;
