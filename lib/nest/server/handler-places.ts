import { MetadataScanner } from '@nestjs/core';
import { IDEMPOTENT } from '../idempotent/mark.js';
import { ListenersController, PATTERN_EXTRAS_METADATA } from '../internals.js';

interface Registering {
  registerPatternHandlers(wrapper: { instance?: object; metatype?: unknown }, ...rest: unknown[]): unknown;
}

/** A handler's method. */
interface Place {
  /** Class and method. */
  readonly name: string;
  readonly method: object;
}

/** By the extras of the handler's decorator. */
const places = new WeakMap<object, Place>();
let watching = false;

/**
 * Makes {@link handlerPlace} know the methods of controllers that NestJS registers from now on.
 *
 * NestJS passes a transport only anonymous functions and the extras of the decorators. The NestJS class that
 * registers them knows their methods, so its method is wrapped; its behaviour does not change.
 */
export function rememberHandlerPlaces(): void {
  if (watching) return;
  watching = true;
  const registering = ListenersController.prototype as unknown as Registering;
  const { registerPatternHandlers } = registering;
  registering.registerPatternHandlers = function watched(this: Registering, wrapper, ...rest) {
    note(wrapper);
    return registerPatternHandlers.call(this, wrapper, ...rest);
  };
}

function note({ instance, metatype }: { instance?: object; metatype?: unknown }): void {
  if (typeof instance !== 'object' || instance === null) return;
  const prototype = Object.getPrototypeOf(instance) as Record<string, unknown> | null;
  const className = typeof metatype === 'function' && metatype.name ? metatype.name : '(anonymous class)';
  for (const method of new MetadataScanner().getAllMethodNames(prototype)) {
    const decorated = prototype?.[method];
    if (typeof decorated !== 'function') continue;
    const extras: unknown = Reflect.getMetadata(PATTERN_EXTRAS_METADATA, decorated);
    if (typeof extras !== 'object' || extras === null) continue;
    places.set(extras, { name: `${className}.${method}()`, method: decorated });
  }
}

/** Class and method of the handler whose decorator has these extras; undefined if NestJS did not register it. */
export function handlerPlace(extras: object): string | undefined {
  return places.get(extras)?.name;
}

/** Whether the handler whose decorator has these extras has `@Idempotent` too. */
export function isIdempotent(extras: object): boolean {
  const place = places.get(extras);
  return place !== undefined && Reflect.hasMetadata(IDEMPOTENT, place.method);
}
