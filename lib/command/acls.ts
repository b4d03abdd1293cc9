import type { Derived } from './acls/derivation.js';
import { awsPolicy, kafkaAcls, kafkaAclsByCluster, namesOf } from './acls/formats.js';
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
      doc: 'What the lines name as bootstrap servers instead of $BROKERS (kafka-acls).',
    },
    cluster: {
      type: 'string',
      value: 'host:port',
      doc: 'Of an application with several clusters, the one with this broker, or with this number: 1, 2 …',
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
    const arn = values['cluster-arn'] as string | undefined;
    if (format === 'aws' && arn === undefined)
      throw wrongUsage('--format aws takes the cluster: --cluster-arn');
    const timeout = Number(values['timeout']);
    if (!Number.isInteger(timeout) || timeout < 1) throw wrongUsage('--timeout is a whole number, 1 or more');
    const produces = ((values['produces'] ?? []) as string[]).flatMap((names) => names.split(','));
    const cluster = values['cluster'] as string | undefined;
    const task = {
      module: taskModule('acls/derivation'),
      options: { produces, creates: values['create'] === true, cluster },
    };
    const { result } = await inspect(entry, task, timeout);
    const { clusters, chosen } = result as Derived;
    const only = chosen === undefined ? undefined : clusters[chosen];
    const notes = [...new Set((only ? [only] : clusters).flatMap((each) => each.notes))];
    const principal = String(values['principal']);
    const brokers = values['brokers'] as string | undefined;
    let text: string;
    if (only === undefined) {
      const known = `the application's clusters are ${namesOf(clusters)}`;
      if (cluster !== undefined) throw wrongUsage(`--cluster ${cluster} is none of them: ${known}`);
      const ofOne = [
        produces.length > 0 && '--produces',
        brokers !== undefined && '--brokers',
        format === 'aws' && '--format aws',
      ].find((name) => name !== false);
      if (ofOne !== undefined)
        throw wrongUsage(`${ofOne} is for one cluster, and ${known}: say which by --cluster`);
      text =
        format === 'json'
          ? json({ clusters: clusters.map((each) => ({ brokers: each.brokers, rules: each.rules })), notes })
          : kafkaAclsByCluster(clusters, principal);
    } else if (format === 'json') text = json({ rules: only.rules, notes });
    else if (format === 'aws') text = awsPolicy(only.rules, arn as string);
    else text = kafkaAcls(only.rules, principal, brokers ?? '$BROKERS');
    process.stdout.write(text);
    if (format !== 'json') for (const note of notes) process.stderr.write(`${note}\n`);
    return EXIT.ok;
  },
};

const json = (value: object): string => `${JSON.stringify(value, null, 2)}\n`;

export default acls;
