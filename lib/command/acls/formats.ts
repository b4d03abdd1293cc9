import { CommandError, EXIT } from '../front.js';
import type { ClusterRules } from './derivation.js';
import type { AccessRule } from './rules.js';

const FLAGS: Readonly<Record<AccessRule['resource'], string>> = {
  topic: '--topic',
  group: '--group',
  'transactional-id': '--transactional-id',
  cluster: '--cluster',
};

/** Quoted for a shell, if necessary. */
const quoted = (text: string): string =>
  /^[\w.:=-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;

/** Lines of `kafka-acls.sh`, one for each rule, with its reason. */
export function kafkaAcls(rules: readonly AccessRule[], principal: string, brokers: string): string {
  const lines = rules.flatMap(({ resource, name, patternType, operations, why }) => [
    `# ${why}`,
    [
      `kafka-acls.sh --bootstrap-server ${brokers} --add --allow-principal ${quoted(principal)}`,
      ...operations.map((operation) => `--operation ${operation}`),
      `${FLAGS[resource]}${resource === 'cluster' ? '' : ` ${quoted(name)}`}`,
      ...(patternType === 'prefixed' ? ['--resource-pattern-type prefixed'] : []),
    ].join(' '),
  ]);
  return `${lines.join('\n')}\n`;
}

/** The same for several clusters: a shell script that names the brokers of each before its rules. */
export function kafkaAclsByCluster(clusters: readonly ClusterRules[], principal: string): string {
  const parts = clusters.map(({ brokers, rules }, index) => {
    const number = index + 1;
    // Without them nothing is granted, rather than on the cluster before.
    const names =
      brokers.length > 0
        ? brokers.map(quoted).join(',')
        : `\${BROKERS_${number}:?the brokers of cluster ${number}, which a function of the application names}`;
    return `# Cluster ${number} of ${clusters.length}\nBROKERS=${names}\n${kafkaAcls(rules, principal, '$BROKERS')}`;
  });
  return parts.join('\n');
}

/** The clusters of an application, for an error. */
export const namesOf = (clusters: readonly ClusterRules[]): string =>
  clusters
    .map(({ brokers }, index) => `${index + 1} (${brokers.join(',') || 'brokers of a function'})`)
    .join(', ');

/** The IAM actions of Amazon MSK for Kafka's operations, for each kind of resource, as its documentation pairs them. */
const ACTIONS: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  topic: {
    Read: ['DescribeTopic', 'ReadData'],
    Write: ['DescribeTopic', 'WriteData'],
    Create: ['CreateTopic'],
    Alter: ['AlterTopic'],
    Describe: ['DescribeTopic'],
    DescribeConfigs: ['DescribeTopicDynamicConfiguration'],
  },
  group: { Read: ['DescribeGroup', 'AlterGroup'], Describe: ['DescribeGroup'] },
  'transactional-id': { Write: ['DescribeTransactionalId', 'AlterTransactionalId'] },
};

/** `arn:aws:kafka:<region>:<account>:cluster/<name>/<uuid>`. */
const CLUSTER =
  /^arn:(?<partition>[\w-]+):kafka:(?<region>[\w-]+):(?<account>\d+):cluster\/(?<path>[^/]+\/[^/]+)$/;

/** An IAM policy for an Amazon MSK cluster with IAM access control. */
export function awsPolicy(rules: readonly AccessRule[], cluster: string): string {
  const parts = CLUSTER.exec(cluster)?.groups;
  if (parts === undefined) {
    throw new CommandError(
      `--cluster-arn is the cluster's ARN, arn:aws:kafka:<region>:<account>:cluster/<name>/<uuid>; it is ${cluster}`,
      EXIT.usage,
    );
  }
  const { partition, region, account, path } = parts;
  const arn = (kind: string, name: string): string =>
    `arn:${partition}:kafka:${region}:${account}:${kind}/${path}/${name}`;
  const producesData = rules.some(
    ({ resource, operations }) => resource === 'topic' && operations.includes('Write'),
  );
  const connect = ['Connect', ...(producesData ? ['WriteDataIdempotently'] : [])];
  // Resources with the same actions share a statement, because the length of a policy is limited.
  const statements = new Map<string, { actions: string[]; resources: string[] }>([
    ['', { actions: connect, resources: [cluster] }],
  ]);
  for (const { resource, name, patternType, operations } of rules) {
    const actions = [...new Set(operations.flatMap((operation) => ACTIONS[resource]?.[operation] ?? []))];
    if (actions.length === 0) continue;
    const key = `${resource} ${actions.join()}`;
    const statement = statements.get(key) ?? { actions, resources: [] };
    statement.resources.push(arn(resource, patternType === 'prefixed' ? `${name}*` : name));
    statements.set(key, statement);
  }
  const policy = {
    Version: '2012-10-17',
    Statement: [...statements.values()].map(({ actions, resources }) => ({
      Effect: 'Allow',
      Action: actions.map((action) => `kafka-cluster:${action}`),
      Resource: resources,
    })),
  };
  return `${JSON.stringify(policy, null, 2)}\n`;
}
