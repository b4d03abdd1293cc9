import { resolveRetry } from '../kafkajs/retry/retry.js';
import type { AdminConfig, KafkaConfig } from '../kafkajs/types/index.js';
import { rawProperties } from './checks.js';
import { clientSettings, clientTable, readClient, type ClientSettings } from './client.js';
import { retryTable } from './retry.js';
import { withRootCertificates } from './ssl.js';
import { layer, type OptionTable } from './table.js';
import { nested, readOptions } from './read.js';
import { type Given } from './given.js';
import { translate, type Translated } from './translate.js';

/** The native admin client is a consumer and needs a group id; it never joins the group. */
const GROUP = 'nestjs-kafka-native-admin';

/** The options of `kafka.admin()`. */
export const adminTable: OptionTable = {
  path: 'admin',
  rows: [
    { name: 'retry', check: nested(retryTable), handling: layer, doc: 'Retries of a request.' },
    {
      name: 'librdkafka',
      check: rawProperties,
      handling: layer,
      doc: 'Raw librdkafka properties of the admin client.',
    },
  ],
};

/** An admin client's options. */
export function adminProperties(
  kafkaConfig: KafkaConfig,
  adminConfig: AdminConfig = {},
): Translated<ClientSettings> {
  const client = readClient(kafkaConfig);
  const base = clientSettings(client);
  const admin = readOptions(adminTable, adminConfig);
  const fixed = [
    {
      property: 'allow.auto.create.topics',
      value: 'false',
      doc: 'Fetching a topic’s metadata must not create it.',
    },
    {
      property: 'group.id',
      value: GROUP,
      doc: 'The admin client is a librdkafka consumer and needs a group id; it never joins the group.',
    },
  ];
  const properties = translate({ role: 'admin', client, own: admin, call: {} }, fixed, [
    { table: clientTable, given: client },
    { table: adminTable, given: admin },
  ]);
  const retry = resolveRetry(client['retry'] as Given | undefined, admin['retry'] as Given | undefined);
  return { properties: withRootCertificates(properties), settings: { ...base, retry } };
}
