import { ServerKafka } from '@nestjs/microservices';

export { createClient } from './stock.mjs';

/**
 * NestJS's server with one change: the route of a topic is cached. NestJS computes it for every message, twice for an
 * event, by parsing the topic as JSON, which throws, and by normalising the text.
 */
class RoutedServerKafka extends ServerKafka {
  #routes = new Map();

  getRouteFromPattern(pattern) {
    let route = this.#routes.get(pattern);
    if (route === undefined) {
      route = super.getRouteFromPattern(pattern);
      this.#routes.set(pattern, route);
    }
    return route;
  }
}

export function microserviceOptions(options) {
  return { strategy: new RoutedServerKafka(options) };
}
