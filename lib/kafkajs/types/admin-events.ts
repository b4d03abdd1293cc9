import type {
  ConnectEvent,
  DisconnectEvent,
  RequestEvent,
  RequestQueueSizeEvent,
  RequestTimeoutEvent,
} from './events.js';

/** Names of an admin client's events. */
export type AdminEvents = {
  /** The client has connected. */
  CONNECT: 'admin.connect';
  /** The client has disconnected. */
  DISCONNECT: 'admin.disconnect';
  /** A broker has answered a request. */
  REQUEST: 'admin.network.request';
  /** A broker has not answered a request in time. */
  REQUEST_TIMEOUT: 'admin.network.request_timeout';
  /** How many requests wait to be sent to a broker. */
  REQUEST_QUEUE_SIZE: 'admin.network.request_queue_size';
};

/** The event of each of an admin client's event names. */
export interface AdminEventMap {
  /** The admin client has connected. */
  'admin.connect': ConnectEvent;
  /** The admin client has disconnected. */
  'admin.disconnect': DisconnectEvent;
  /** A broker has answered a request. */
  'admin.network.request': RequestEvent;
  /** A broker has not answered a request in time. */
  'admin.network.request_timeout': RequestTimeoutEvent;
  /** Never emitted. */
  'admin.network.request_queue_size': RequestQueueSizeEvent;
}
