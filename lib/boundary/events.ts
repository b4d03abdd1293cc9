// Generated from crates/core/src/boundary/events.rs by scripts/boundary.mjs: change it there.

/** What a consumer tells JavaScript. */
export type ConsumerEvent = ClientEvent | GroupEvent;

/** What a producer tells JavaScript; an admin client tells no more than `ClientEvent`s. */
export type ProducerEvent = ClientEvent | DeliveryEvent;

/** Events of every client. */
export type ClientEvent =
  | {
      type: 'log';
      /** Syslog's severity, 0 (emergency) to 7 (debug). */
      level: number;
      /** librdkafka's log facility: what the line is about, in a word. */
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
      /** Whether the client can no longer be used. */
      fatal: boolean;
      /** The topic, if the error is about one partition. */
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

/** Events of a consumer's group, partitions and requests. */
export type GroupEvent =
  | {
      type: 'assign';
      /** This member's id; empty where there is no group. */
      memberId: string;
      /**
       * What the `JoinGroup` response said; null where the broker assigns partitions itself (KIP-848), and without
       * a group.
       */
      join?: JoinedGroup;
      /** The partitions. */
      partitions: Array<AssignedPartition>;
      /** Topics of partitions that were left out because this member has not subscribed to them. */
      unsubscribed: Array<string>;
      /** A request-reply client's reply partition of each topic. */
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
      /** Whether they were lost: other members may own them already, and nothing could be committed. */
      lost: boolean;
    }
  | {
      type: 'drainTimeout';
      /** The partitions concerned. */
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
      /** What failed, and the code's text. */
      message: string;
      /** Whether all the time for retries was used up; otherwise the error is one that retrying does not help. */
      exhausted: boolean;
    }
  | {
      type: 'commit';
      /** Each of them. */
      offsets: Array<CommittedOffset>;
      /** An automatic commit, not one that the application asked for. */
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
      /** Number of this question, which the answer repeats. */
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

/** Events of records that a producer sends and no call waits for. */
export type DeliveryEvent =
  | {
      type: 'replyFailed';
      /** librdkafka's or the broker's code. */
      code: number;
      /** Its text. */
      message: string;
      /** The reply topic. */
      topic: string;
      /** The partition that the request named; null when it named none. */
      partition: number | null;
      /** The request, if an error reply could not be sent either. */
      lost?: LostRecord;
      /** Set if the request's partition has to go back to its first unfinished record. */
      startOver?: StartOver;
    }
  | { type: 'closed' };

/** A request that was handled and whose reply could not be sent. */
export type LostRecord = {
  /** Its topic. */
  topic: string;
  /** Its partition. */
  partition: number;
  /** Its offset, as kafkajs writes it. */
  offset: string;
  /** Whether it will be handled again; otherwise it counts as handled. */
  comesAgain: boolean;
};

/** A partition that goes back to its first unfinished record. */
export type StartOver = {
  /** The number of its assignment, which this ends. */
  assignment: number;
  /** How many times in a row this has happened. */
  times: number;
};

/** A request to a broker that was answered or timed out. */
export type FinishedRequest = {
  /** `host:port` of the broker. */
  broker: string;
  /** The request's API key in Kafka's protocol. */
  apiKey: number;
  /** The API version. */
  apiVersion: number;
  /** Its correlation id on the connection. */
  correlationId: number;
  /** When it was written, in ms since the epoch. */
  sentAt: number;
  /** How long it took, in ms. */
  duration: number;
  /** Size of the response in bytes; null when the request timed out. */
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

/** A partition with unhandled records at the drain time-out. */
export type UnfinishedPartition = {
  /** Its topic. */
  topic: string;
  /** Its number. */
  partition: number;
  /** How many records are unhandled. */
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
