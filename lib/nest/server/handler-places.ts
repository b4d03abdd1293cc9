import { MetadataScanner } from '@nestjs/core';
import { ListenersController, PATTERN_EXTRAS_METADATA } from '../internals.js';

interface Registering {
  registerPatternHandlers(wrapper: { instance?: object; metatype?: unknown }, ...rest: unknown[]): unknown;
}

/** The extras of a handler's decorator, and which class's method it decorates. */
const places = new WeakMap<object, string>();
let watching = false;

/**
 * From now on {@link handlerPlace} knows the methods of the controllers that NestJS registers.
 *
 * A transport is handed functions that call them, and the extras of their decorators. Only the class of NestJS's that hands them over
 * knows whose they are, so its method is wrapped; what it does stays the same.
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
    if (typeof extras === 'object' && extras !== null) places.set(extras, `${className}.${method}()`);
  }
}

/** Class and method of the handler whose decorator has these extras; undefined where NestJS did not register it. */
export function handlerPlace(extras: object): string | undefined {
  return places.get(extras);
}
