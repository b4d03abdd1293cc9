import type { Admin, ITopicConfig } from 'kafkajs';

/** Creates topics with an admin client of kafkajs, and waits until they answer. */
export function makeTopics(admin: Admin, topics: ITopicConfig[]): Promise<void>;
