/** Which records of a partition wait for one another, how many are handled at once, and how far beyond the lowest unfinished one. */
export interface Concurrency {
  readonly order: 'partition' | 'key' | 'none';
  readonly max: number;
  readonly window: number;
}

/** What a handler asks of a record's headers: of each one of these texts, or, without texts, that it is absent. */
export type HeaderFilters = readonly { readonly name: string; readonly values?: string[] }[];

/** The handlers of a topic that ask for headers. */
export interface HeaderRouting {
  readonly filters: readonly HeaderFilters[];
  /** All that match take a record, not only the first. */
  readonly shared: boolean;
  /** There is a handler for what none of them takes. */
  readonly rest: boolean;
}

/** How many records a handler gets at once. */
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
  /** A record is finished when it is acknowledged, not when its handler has ended. */
  readonly isManual: boolean;
  readonly routing?: HeaderRouting | undefined;
  /** The handler gets several at once. */
  readonly batch?: BatchLimits | undefined;
  /** What the handler sends, and the records' offsets, belong to transactions. */
  readonly isTransactional?: boolean | undefined;
}

/** Whether records of the topic may finish in any order. */
export function hasGaps({ concurrency, isManual }: TopicHandling): boolean {
  return isManual || concurrency.order !== 'partition';
}
