/** Which records of a partition wait for one another, how many are handled at once, and how far beyond the lowest unfinished one. */
export interface Concurrency {
  readonly order: 'partition' | 'key' | 'none';
  readonly max: number;
  readonly window: number;
}

/** A handler's conditions on a record's headers: each header has one of these values or, without values, is absent. */
export type HeaderFilters = readonly { readonly name: string; readonly values?: string[] }[];

/** The handlers of a topic that filter by headers. */
export interface HeaderRouting {
  readonly filters: readonly HeaderFilters[];
  /** Whether all matching handlers take a record, not only the first. */
  readonly shared: boolean;
  /** Whether there is a handler for records that none of them takes. */
  readonly rest: boolean;
}

/** Limits of a handler's batches. */
export interface BatchLimits {
  readonly maxMessages: number;
  readonly maxBytes: number;
  /** How long a batch waits to be full, in milliseconds. */
  readonly maxWait: number;
}

/** How the records of a topic are handled. */
export interface TopicHandling {
  /** Topics with the same object share its `max`. */
  readonly concurrency: Concurrency;
  /** Whether a record is finished when it is acknowledged, not when its handler has ended. */
  readonly isManual: boolean;
  readonly routing?: HeaderRouting | undefined;
  /** Set if the handler gets batches. */
  readonly batch?: BatchLimits | undefined;
  /** Whether the handler's sends and the records' offsets are in transactions. */
  readonly isTransactional?: boolean | undefined;
}

/** Whether records of the topic may finish in any order. */
export function hasGaps({ concurrency, isManual }: TopicHandling): boolean {
  return isManual || concurrency.order !== 'partition';
}
