// The methods of an object that are called.

/** For subclasses. */
const PROTECTED = new Set([
  'createClient',
  'start',
  'bindEvents',
  'bindTopics',
  'handleRecord',
  'publish',
  'dispatchEvent',
  'dispatchBatchEvent',
  'handleClose',
  'createObserver',
  'serializeError',
  'registerConsumerEventListeners',
  'registerProducerEventListeners',
  'getReplyTopicPartition',
  'getResponsePatternName',
  'initializeSerializer',
  'initializeDeserializer',
  'connect$',
  'normalizePattern',
  'getOptionsProp',
  'createPacket',
  'transformToObservable',
  'handleEvent',
  'loadPackage',
  'handleError',
  'deserializePattern',
  'getRouteFromPattern',
  'processMessage',
  'setTransportId',
  'setOnProcessingStartHook',
  'setOnProcessingEndHook',
  'onProcessingStartHook',
  'assignPacketId',
  'routingMap',
  'getHandlers',
]);

/** What this package marks as internal. */
const INTERNAL = new Set([
  'attach',
  'channel',
  'dispatch',
  'place',
  'complete',
  'untilClosed',
  'retire',
  'partitionOf',
  'heartbeat',
  'describeShortage',
]);

/** The public methods of an object, its classes' included. */
export function methodsOf(object) {
  const names = new Set();
  for (let at = object; at !== null && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    // NestJS's own part of its clients and servers is not what is tried here: some of it ends the process.
    if (['ClientProxy', 'Server'].includes(at.constructor?.name)) break;
    for (const name of Object.getOwnPropertyNames(at)) names.add(name);
  }
  names.delete('constructor');
  return [...names].filter((name) => {
    if (PROTECTED.has(name) || INTERNAL.has(name)) return false;
    try {
      return typeof object[name] === 'function';
    } catch {
      return false;
    }
  });
}
