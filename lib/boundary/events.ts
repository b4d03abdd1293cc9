// Generated from crates/core/src/boundary/events.rs by scripts/boundary.mjs: change it there.

/** What a consumer tells JavaScript. */
export type ConsumerEvent = ClientEvent | GroupEvent;

/** What a producer tells JavaScript; an admin client tells no more than `ClientEvent`s. */
export type ProducerEvent = ClientEvent | DeliveryEvent;

/** What every client has to tell. */
export type ClientEvent =
  | {
      type: 'log';
      /** Syslog's severity, 0 (emergency) to 7 (debug). */
      level: number;
      /** What it is about, in a word. */
      facility: string;
      /** The line. */
      message: string;
    }
  | {
      type: 'error';
      /** librdkafka's or the broker's code. */
      code: number;
      /** Its text. */
      message: string;
      /** Whether the client is of no more use. */
      fatal: boolean;
      /** The topic that it is about, if it is about one partition. */
      topic?: string;
      /** The partition. */
      partition?: number;
    }
  | { type: 'tokenWanted' }
  | {
      type: 'statistics';
      /** Its own JSON text. */
      json: string;
    }
  | {
      type: 'requests';
      /** Each of them, in the order in which they ended. */
      requests: Array<FinishedRequest>;
    };

/** What happens to a consumer's group, partitions and requests. */
export type GroupEvent =
  | {
      type: 'assign';
      /** This member's id; empty where there is no group. */
      memberId: string;
      /** What the join said, where there was one: a broker that assigns by itself leaves it out. */
      join?: JoinedGroup;
      /** The partitions. */
      partitions: Array<AssignedPartition>;
      /** Topics of partitions that were left out because this member has not subscribed to them. */
      unsubscribed: Array<string>;
      /** A client's own partition of each of its reply topics. */
      replyPartitions?: { [key in string]: number };
    }
  | { type: 'rebalancing' }
  | {
      type: 'revoke';
      /** Their assignments. */
      assignments: Array<number>;
    }
  | {
      type: 'revoked';
      /** Their assignments. */
      assignments: Array<number>;
      /** Whether others had them already, so that nothing could be committed. */
      lost: boolean;
    }
  | {
      type: 'drainTimeout';
      /** Where. */
      partitions: Array<UnfinishedPartition>;
    }
  | {
      type: 'seek';
      /** Its topic. */
      topic: string;
      /** Its number. */
      partition: number;
      /** The new assignment. */
      assignment: number;
    }
  | {
      type: 'failed';
      /** The last code, librdkafka's or the broker's. */
      code: number;
      /** What has failed, and the code's text. */
      message: string;
      /** Whether it was tried for as long as it may take; else trying again would not help. */
      exhausted: boolean;
    }
  | {
      type: 'commit';
      /** Each of them. */
      offsets: Array<CommittedOffset>;
      /** Nobody has asked for it. */
      automatic: boolean;
    }
  | {
      type: 'commitFailed';
      /** The broker's or librdkafka's code. */
      code: number;
      /** Its text. */
      message: string;
      /** What was to be committed. */
      offsets: Array<CommittedOffset>;
    }
  | {
      type: 'assignGroup';
      /** Number that the answer carries. */
      request: number;
      /** Name of the strategy. */
      protocol: string;
      /** The members. */
      members: Array<SubscribedMember>;
    }
  | {
      type: 'requestsExpired';
      /** Slot and generation of each. */
      requests: Array<[number, number]>;
    };

/** What happens to what a producer sends, where nobody waits for it. */
export type DeliveryEvent = {
  type: 'replyFailed';
  /** librdkafka's or the broker's code. */
  code: number;
  /** Its text. */
  message: string;
  /** The reply topic. */
  topic: string;
  /** The partition that the request named; null when it named none. */
  partition: number | null;
  /** The request, where an error could not be sent in the reply's place either. */
  lost?: LostRecord;
  /** Its partition, where that is to start over for it. */
  startOver?: StartOver;
};

/** A request that was handled and whose reply is lost. */
export type LostRecord = {
  /** Its topic. */
  topic: string;
  /** Its partition. */
  partition: number;
  /** Its offset, as kafkajs writes it. */
  offset: string;
  /** It is handled again; else it counts as handled. */
  comesAgain: boolean;
};

/** A partition that is to start over at its first record that is not done. */
export type StartOver = {
  /** The number of its assignment, which ends with it. */
  assignment: number;
  /** For the so-manyth time. */
  times: number;
};

/** A request to a broker that was answered, or not in time. */
export type FinishedRequest = {
  /** `host:port` of the broker. */
  broker: string;
  /** The protocol's number of the kind of request. */
  apiKey: number;
  /** The version of its format. */
  apiVersion: number;
  /** Its number on the connection. */
  correlationId: number;
  /** When it was written, in ms since the epoch. */
  sentAt: number;
  /** How long it took, in ms. */
  duration: number;
  /** The response's bytes; null when there was none in time. */
  size: number | null;
};

/** What a member learns when it joins. */
export type JoinedGroup = {
  /** Number of the group's generation. */
  generation: number;
  /** Id of the leader. */
  leaderId: string;
  /** Name of the strategy that the members agreed on. */
  protocol: string;
};

/** A partition that was assigned. */
export type AssignedPartition = {
  /** Its topic. */
  topic: string;
  /** Its number. */
  partition: number;
  /** The number of this assignment, by which its records and acks name it. */
  assignment: number;
};

/** A partition whose records were not all handled in time. */
export type UnfinishedPartition = {
  /** Its topic. */
  topic: string;
  /** Its number. */
  partition: number;
  /** How many records. */
  records: number;
};

/** An offset that was committed, or was to be. */
export type CommittedOffset = {
  /** Its topic. */
  topic: string;
  /** Its partition. */
  partition: number;
  /** The offset, as kafkajs writes it. */
  offset: string;
};

/** A member of a group, as its leader knows it. */
export type SubscribedMember = {
  /** Its id. */
  memberId: string;
  /** The bytes that it sent along for the strategy. */
  metadata: Array<number>;
};
