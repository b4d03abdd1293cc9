import { resolve } from 'node:path';
import { CLUSTER_OPTIONS, clusterOptions } from './cluster-options.js';
import { Diagnoses, type Diagnosis } from './doctor/finding.js';
import { checkInstallation } from './doctor/installation.js';
import { CommandError, EXIT, wrongUsage, type Command, type Given } from './front.js';
import { ApplicationFailed, inspect, taskModule } from './inspection/inspect.js';

/** Finds the message of a refused option in an application's output. */
const REFUSED = /KafkaJS(?:InvalidOption|NonRetriable)Error: (?<message>(?:Unknown|Invalid|Option).*)/;

/** The command `doctor`. */
const doctor: Command = {
  usage: '[app entry] [options]',
  description: `Looks for what keeps an application from working, and never writes to a cluster. Without brokers and without
--online it looks at the machine and, with the file that node starts, at the application: it is started up to
where it would connect to Kafka or listen on a port. With --online, or --brokers, at the cluster, too.`,
  options: {
    online: { type: 'boolean', doc: 'Looks at the clusters that the application names.' },
    ...CLUSTER_OPTIONS,
    instances: {
      type: 'string',
      value: 'number',
      default: '1',
      doc: 'Processes of the application that run at once.',
    },
    timeout: {
      type: 'string',
      value: 'ms',
      default: '60000',
      doc: 'How long the application may take to start.',
    },
    json: { type: 'boolean', doc: 'Writes the findings as JSON.' },
  },
  positionals: 1,
  examples: [
    'doctor dist/main.js',
    'doctor dist/main.js --online --instances 4',
    'doctor --brokers localhost:9092',
  ],
  run: async (given) => {
    const diagnosis = await examined(given);
    const isJson = given.values['json'] === true;
    process.stdout.write(isJson ? `${JSON.stringify(diagnosis, null, 2)}\n` : textOf(diagnosis));
    return diagnosis.findings.some(({ severity }) => severity === 'error') ? EXIT.failed : EXIT.ok;
  },
};

export default doctor;

async function examined(given: Given): Promise<Diagnosis> {
  const { values, positionals } = given;
  const entry = positionals[0] === undefined ? undefined : resolve(positionals[0]);
  const instances = wholeNumber(values['instances'], 'instances');
  const timeout = wholeNumber(values['timeout'], 'timeout');
  const cluster = await clusterOptions(given);
  if (entry !== undefined && values['client'] !== undefined) {
    throw wrongUsage(
      'An application connects with its own options: --client is for a look at a cluster alone',
    );
  }
  const diagnoses = new Diagnoses();
  const isUsable = checkInstallation(entry, diagnoses);
  if (!isUsable && (entry !== undefined || cluster !== undefined)) {
    diagnoses.note('The application and its clusters were not looked at: both take the binary');
  } else if (entry !== undefined) {
    const online = values['online'] === true || cluster !== undefined;
    const task = {
      module: taskModule('doctor/examination'),
      options: { online, instances, brokers: cluster?.brokers },
    };
    try {
      const { result, failure } = await inspect(entry, task, timeout);
      diagnoses.include(result as Diagnosis);
      if (failure !== undefined)
        diagnoses.note(
          `What the application does once it listens was not looked at: it failed there (${failure})`,
        );
    } catch (error) {
      if (!(error instanceof ApplicationFailed)) throw error;
      notStarted(error, diagnoses);
    }
  } else if (cluster !== undefined) {
    // Loads the binary.
    const { checkCluster } = await import('./doctor/clusters.js');
    await checkCluster({ config: cluster, servers: [], clients: [] }, instances, diagnoses);
  } else if (values['online'] === true) {
    throw wrongUsage('--online looks at the clusters of an application: give its entry, or --brokers');
  }
  return diagnoses.diagnosis();
}

function notStarted({ message, output }: ApplicationFailed, diagnoses: Diagnoses): void {
  const refused = REFUSED.exec(output)?.groups?.['message'];
  if (refused === undefined) throw new CommandError(message);
  const option = /^(?:Unknown option|Invalid option|Option) ([^\s:]+)/.exec(refused)?.[1] ?? 'An option';
  diagnoses.error('option', {
    what: `${option} cannot be used: the application does not start`,
    why: refused,
    fix: `${option}: ${refused.split(/; |: /).at(-1)}`,
  });
}

function wholeNumber(value: Given['values'][string], name: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1) throw wrongUsage(`--${name} is a whole number, 1 or more`);
  return number;
}

function textOf({ findings, notes, checked }: Diagnosis): string {
  const lines = findings.flatMap(({ severity, id, what, why, fix }) => [
    `${severity === 'error' ? '✗' : '!'} ${what}  [${id}]`,
    `    why: ${why}`,
    `    fix: ${fix}`,
    '',
  ]);
  for (const note of notes) lines.push(`· ${note}`);
  if (notes.length > 0) lines.push('');
  lines.push(`looked at: ${checked.join('; ')}`);
  const count = findings.length;
  lines.push(count === 0 ? 'nothing found' : `${count} ${count === 1 ? 'finding' : 'findings'}`);
  return `${lines.join('\n')}\n`;
}
