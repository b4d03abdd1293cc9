import type { MessageHandler } from '@nestjs/microservices';
import { catchError, isObservable, type Observable } from 'rxjs';
import { isThenable } from '../../application/callbacks.js';
import { CONTEXT_PARAM, ListenersController, PAYLOAD_PARAM, RpcContextCreator } from '../internals.js';

// NestJS puts eight promises around a handler: for its guards, pipes and interceptors. Where there are none, they are a third of
// what an event costs. NestJS passes a transport only the wrapped function; the classes that wrap
// it know the method, so two methods of theirs are wrapped. What they return does not change.

/** Calls a handler's method as NestJS's wrapped function does, without its promises: what that resolves to, or a promise of it. */
export type DirectHandler = (data: unknown, context: unknown) => unknown;

/** A parameter of a handler, as NestJS describes it. */
interface Parameter {
  readonly index: number;
  readonly type: unknown;
  readonly pipes: readonly unknown[];
  extractValue(...args: unknown[]): unknown;
}

/** What NestJS wraps a method with: guards, pipes or interceptors. */
interface WrapperCreator {
  create(
    instance: object,
    callback: Method,
    module: string,
    contextId: unknown,
    inquirerId: unknown,
  ): readonly unknown[];
}

type Method = (...args: unknown[]) => unknown;
/** The arguments of {@link ContextCreator.create}, up to the last that counts here. */
type Creation = [
  instance: object,
  callback: Method,
  module: string,
  method: string,
  contextId: unknown,
  inquirerId: string | undefined,
  defaultMetadata: unknown,
  reportUnhandledErrors?: boolean,
];

/** NestJS's `RpcContextCreator`, which wraps a method. */
interface ContextCreator {
  readonly guardsContextCreator: WrapperCreator;
  readonly pipesContextCreator: WrapperCreator;
  readonly interceptorsContextCreator: WrapperCreator;
  readonly exceptionFiltersContext: {
    create(
      instance: object,
      callback: Method,
      module: string,
      contextId: unknown,
      inquirerId: unknown,
    ): unknown;
  };
  /** What catches the errors of a method. */
  readonly rpcProxy: {
    handleError(exceptionsHandler: unknown, args: unknown[], error: unknown, report?: boolean): unknown;
  };
  /** From NestJS 12 on. */
  readonly applicationConfig?: { getGlobalPreRequestHooks?(): readonly unknown[] };
  getMetadata(
    instance: object,
    method: string,
    defaultMetadata: unknown,
    type: 'rpc',
  ): { argsLength: number; getParamsMetadata(module: string): readonly Parameter[] | undefined };
  create(...creation: Creation): unknown;
}

interface Registering {
  registerPatternHandlers(wrapper: unknown, server: object, ...rest: unknown[]): unknown;
}

/** A server that handlers are registered with. */
interface Registry {
  addHandler(pattern: unknown, callback: MessageHandler, ...rest: unknown[]): unknown;
}

/** By NestJS's wrapped function. One that an application has wrapped once more is another one, and is called itself. */
const directHandlers = new WeakMap<MessageHandler, DirectHandler>();
/** The latest wrapping while a controller's handlers are registered: NestJS wraps each right before it adds it. */
let latest: { creator: ContextCreator; creation: Creation } | undefined;
/** NestJS also wraps a method for each request that a class is made anew for. */
let isRegistering = false;
let watching = false;

/** Makes {@link directHandler} know the handlers that NestJS registers with servers of `isOurs` from now on. */
export function rememberDirectHandlers(isOurs: (server: object) => boolean): void {
  if (watching) return;
  watching = true;
  const creators = RpcContextCreator.prototype as unknown as ContextCreator;
  const { create } = creators;
  creators.create = function watched(this: ContextCreator, ...creation) {
    if (isRegistering) latest = { creator: this, creation };
    return create.apply(this, creation);
  };
  const registering = ListenersController.prototype as unknown as Registering;
  const { registerPatternHandlers } = registering;
  registering.registerPatternHandlers = function watched(this: Registering, wrapper, server, ...rest) {
    if (!isOurs(server)) return registerPatternHandlers.call(this, wrapper, server, ...rest);
    isRegistering = true;
    try {
      return registerPatternHandlers.call(this, wrapper, watchedRegistry(server as Registry), ...rest);
    } finally {
      isRegistering = false;
      latest = undefined;
    }
  };
}

/**
 * The handler without NestJS's wrappers; undefined if it has guards, pipes, interceptors or parameters of the application's
 * own, if it is made for each request, and if others are attached to it.
 */
export function directHandler(handler: MessageHandler): DirectHandler | undefined {
  return handler.next ? undefined : directHandlers.get(handler);
}

/** A server that remembers the handlers which NestJS adds, before it adds them. */
function watchedRegistry(server: Registry): Registry {
  const addHandler: Registry['addHandler'] = (pattern, callback, ...rest) => {
    const made = latest;
    latest = undefined;
    // A handler that is made for each request is not wrapped yet.
    const direct = made && directOf(made.creator, made.creation);
    if (direct) directHandlers.set(callback, direct);
    return server.addHandler(pattern, callback, ...rest);
  };
  return new Proxy(server, {
    get: (target, name) => (name === 'addHandler' ? addHandler : Reflect.get(target, name, target)),
  });
}

function directOf(creator: ContextCreator, creation: Creation): DirectHandler | undefined {
  const [instance, method, module, name, contextId, inquirerId, defaultMetadata, report] = creation;
  const { guardsContextCreator, pipesContextCreator, interceptorsContextCreator } = creator;
  const wrappers = [guardsContextCreator, pipesContextCreator, interceptorsContextCreator];
  const given = [instance, method, module, contextId, inquirerId] as const;
  if (wrappers.some((wrapper) => wrapper.create(...given).length > 0)) return undefined;
  if ((creator.applicationConfig?.getGlobalPreRequestHooks?.() ?? []).length > 0) return undefined;
  const { argsLength, getParamsMetadata } = creator.getMetadata(instance, name, defaultMetadata, 'rpc');
  const parameters = getParamsMetadata(module) ?? [];
  if (!parameters.every(isUsual)) return undefined;
  const exceptionsHandler = creator.exceptionFiltersContext.create(...given);
  const failed: Failed = (error, data, context) =>
    creator.rpcProxy.handleError(exceptionsHandler, [data, context], error, report);
  const argumentsFor = argumentsOf(parameters, argsLength);
  return guarded((data, context) => method.apply(instance, argumentsFor(data, context)), failed);
}

/** Whether a parameter is the payload, a property of it, or the context, and goes through no pipe. */
function isUsual({ type, pipes }: Parameter): boolean {
  return (type === PAYLOAD_PARAM || type === CONTEXT_PARAM) && pipes.length === 0;
}

/** What a handler is called with. */
function argumentsOf(
  parameters: readonly Parameter[],
  count: number,
): (data: unknown, context: unknown) => unknown[] {
  // A method of which no parameter is decorated gets all there is.
  if (parameters.length === 0) return (data, context) => [data, context];
  const none = Array.from<unknown>({ length: count });
  return (data, context) => {
    const args = none.slice();
    for (const parameter of parameters) args[parameter.index] = parameter.extractValue(data, context);
    return args;
  };
}

/** What an error becomes by NestJS's exception filters. */
type Failed = (error: unknown, data: unknown, context: unknown) => unknown;

/** The method with NestJS's handling of its errors, those of a returned stream among them. */
function guarded(call: DirectHandler, failed: Failed): DirectHandler {
  const returned: (result: unknown, data: unknown, context: unknown) => unknown = (result, data, context) =>
    isObservable(result)
      ? result.pipe(catchError((error) => failed(error, data, context) as Observable<unknown>))
      : result;
  const awaited = async (result: unknown, data: unknown, context: unknown): Promise<unknown> => {
    try {
      return returned(await result, data, context);
    } catch (error) {
      return failed(error, data, context);
    }
  };
  return (data, context) => {
    try {
      const result = call(data, context);
      return isThenable(result) ? awaited(result, data, context) : returned(result, data, context);
    } catch (error) {
      return failed(error, data, context);
    }
  };
}
