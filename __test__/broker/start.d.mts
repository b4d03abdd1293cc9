/** How to start a broker; every field is optional. */
export interface BrokerOptions {
  /** The port of the clients' listener; the controller listens on the next one. Chosen among the free ones. */
  port?: number;
  /** Lines of server.properties, added to and overriding those that make a one-node cluster. */
  properties?: Properties | ((ports: { port: number; controllerPort: number }) => Properties);
  /** Kept between runs if given; otherwise a temporary one, removed by dispose() or at the end of the process. */
  dataDir?: string;
  /** Where the broker's output is appended. Default: broker.log in the data directory. */
  logFile?: string;
  /** The JVM's options. The default starts fast; pass larger ones to measure the broker's throughput. */
  jvm?: string[];
  /** Folders of more classes for its class path. */
  classes?: string[];
  /** The cluster's name: 16 bytes in Base64. Default: one that all tests share. */
  clusterId?: string;
  /** More arguments of `kafka-storage format`, such as `--add-scram`. */
  formatArguments?: string[];
  /** Gets one line per slow step (the download). Default: written to stderr. */
  onProgress?: (line: string) => void;
}

/** Names and values of broker settings. */
export type Properties = Record<string, string | number | boolean>;

/** A running Apache Kafka of this process. It is killed when this process ends, however it ends. */
export interface Broker extends AsyncDisposable {
  /** `127.0.0.1:port`, as bootstrap servers. */
  readonly brokers: string;
  readonly port: number;
  readonly dataDir: string;
  readonly logFile: string;
  /** Kafka's version. */
  readonly version: string;
  /** Shuts down in an orderly way and keeps the data, for restart(). */
  stop(): Promise<void>;
  /** Sends a signal, SIGKILL by default, and waits for the end; SIGSTOP and SIGCONT freeze and thaw it. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Ends it by `signal` (SIGTERM by default) if it runs, then starts it on the same port and data. */
  restart(options?: { signal?: NodeJS.Signals }): Promise<void>;
  /** Kills it and removes its temporary data. */
  dispose(): Promise<void>;
}

/** Resolves when the broker serves requests. */
export function startBroker(options?: BrokerOptions): Promise<Broker>;

/** How to start a cluster; every field is optional. */
export interface ClusterOptions extends Pick<BrokerOptions, 'jvm' | 'onProgress'> {
  /** How many brokers, each a controller too. Default 3. */
  size?: number;
  /** Lines of every node's server.properties. Topics and Kafka's own are on three nodes, two of which must have a record. */
  properties?: Properties;
}

/** Several Kafka brokers of this process that are one cluster. */
export interface Cluster extends AsyncDisposable {
  /** `127.0.0.1:port` of each, as bootstrap servers. */
  readonly brokers: string[];
  /** The broker whose id this is: 1, 2, … */
  node(id: number): Broker;
  /** Kills all and removes their data. */
  dispose(): Promise<void>;
}

/** Resolves when all brokers serve requests. */
export function startCluster(options?: ClusterOptions): Promise<Cluster>;
