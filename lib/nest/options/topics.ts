import { isLegalTopic } from '../../kafkajs/topic-name.js';
import { integer, invalidValue, oneOf } from '../../options/checks.js';
import { isGiven } from '../../options/given.js';
import { nested, readOptions } from '../../options/read.js';
import { layer, type Check, type OptionTable } from '../../options/table.js';

/** The desired settings of a topic. Settings that are not given have the brokers' defaults. */
export interface TopicSettings {
  /**
   * Number of partitions; reply topics have at least one for each of `instances`. A number, 1 to 100000. Default:
   * `num.partitions` of the brokers.
   */
  partitions?: number;
  /** Replicas of each partition. A number, 1 to 100. Default: `default.replication.factor` of the brokers. */
  replicationFactor?: number;
  /** Configuration, for example `{ 'retention.ms': '604800000' }`. Default: what the brokers have. */
  config?: Record<string, string>;
}

/** How a server or client creates or checks its topics at its start. */
export interface TopicsOptions {
  /**
   * `create` creates missing topics and logs topics that differ; `validate` creates none, and refuses to start if a topic is
   * missing or differs. Default: `"off"`.
   */
  provision?: 'create' | 'validate' | 'off';
  /** Settings of all topics. */
  defaults?: TopicSettings;
  /**
   * Settings of single topics, by name, over `defaults`. Names that are not patterns are topics that the application sends
   * to; they are created or checked too.
   */
  overrides?: Record<string, TopicSettings>;
  /**
   * Client: how many instances run at once, each of which needs a partition of the reply topics. A number, 1 or more.
   * Default: `1`.
   */
  instances?: number;
}

const config: Check = {
  text: 'an object of texts',
  parse: (value) => {
    if (typeof value !== 'object' || Array.isArray(value)) return undefined;
    return Object.values(value as object).every((item) => typeof item === 'string') ? value : undefined;
  },
};

/** Settings of a topic. */
export const topicTable: OptionTable = {
  path: 'defaults',
  rows: [
    {
      name: 'partitions',
      check: integer(1, 100_000),
      defaultText: '`num.partitions` of the brokers',
      handling: layer,
      doc: 'Number of partitions; reply topics have at least one for each of `instances`.',
    },
    {
      name: 'replicationFactor',
      check: integer(1, 100),
      defaultText: '`default.replication.factor` of the brokers',
      handling: layer,
      doc: 'Replicas of each partition.',
    },
    {
      name: 'config',
      check: config,
      defaultText: 'what the brokers have',
      handling: layer,
      doc: "Configuration, for example `{ 'retention.ms': '604800000' }`.",
    },
  ],
};

const overrides: Check = {
  text: 'an object of topics, each with an object like `defaults`',
  parse: (value, path) => {
    if (typeof value !== 'object' || Array.isArray(value)) return undefined;
    const entries = Object.entries(value as object).filter(([, settings]) => isGiven(settings));
    return Object.fromEntries(
      entries.map(([topic, settings]) => {
        const at = `${path}["${topic}"]`;
        if (!isLegalTopic(topic)) throw invalidValue(at, 'the name of a topic', topic);
        return [topic, readOptions(topicTable, settings, at)];
      }),
    );
  },
};

/** `topics`. */
export const topicsTable: OptionTable = {
  path: 'topics',
  rows: [
    {
      name: 'provision',
      check: oneOf('create', 'validate', 'off'),
      default: 'off',
      handling: layer,
      doc: '`create` creates missing topics and logs topics that differ; `validate` creates none, and refuses to start if a topic is missing or differs.',
    },
    { name: 'defaults', check: nested(topicTable), handling: layer, doc: 'Settings of all topics.' },
    {
      name: 'overrides',
      check: overrides,
      handling: layer,
      doc: 'Settings of single topics, by name, over `defaults`. Names that are not patterns are topics that the application sends to; they are created or checked too.',
    },
    {
      name: 'instances',
      check: integer(1),
      default: 1,
      handling: layer,
      doc: 'Client: how many instances run at once, each of which needs a partition of the reply topics.',
    },
  ],
};
