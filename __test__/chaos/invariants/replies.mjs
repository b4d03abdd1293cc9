import { groupBy } from '../history.mjs';

export const name = 'replies';

/** Errors that say that a reply did not come, or that the request has not left. */
const TYPED = new Set(['KafkaReplyTimeoutError', 'KafkaReplyLostError']);
const isTyped = (error) => TYPED.has(error) || String(error).startsWith('KafkaJS');

/**
 * A request gets the replies to itself, all of them and in order, and ends once. Where it ends with an error, it is one
 * that says why, and there was a fault that it can come from. A request that was handled more than once may be answered
 * more than once.
 */
export function* check(timeline) {
  const replies = groupBy(timeline.of('reply'), requestName);
  const ends = groupBy(timeline.of('replied'), requestName);
  const handled = groupBy(timeline.deliveries, ({ begin }) => begin.record);
  for (const request of timeline.of('request')) {
    const { process } = request;
    const own = replies.get(requestName(request)) ?? [];
    const ended = ends.get(requestName(request)) ?? [];
    const deliveries = handled.get(request.request) ?? [];
    const by = [process];
    for (const reply of own) {
      if (reply.body.record === request.request) continue;
      yield {
        message: `request ${request.request} got the reply to another one`,
        shown: [request, reply],
        by,
      };
    }
    if (deliveries.length < 2) yield* inOrder(request, own, ended);
    const exit = timeline.exits.get(process);
    if (ended.length === 0 && (exit === undefined || exit.how === 'graceful')) {
      yield {
        message: `request ${request.request} never ended`,
        shown: exit ? [request, exit] : [request],
        by,
      };
    } else if (ended.length > 1) {
      yield {
        message: `request ${request.request} ended ${ended.length} times`,
        shown: [request, ...ended],
        by,
      };
    } else if (ended[0]?.outcome === 'error') {
      const [{ at, error }] = ended;
      if (isTyped(error) && hasReason(timeline, request, deliveries, at)) continue;
      yield {
        message: `request ${request.request} ended with ${error} without a reason`,
        shown: [request, ...ended],
        by,
      };
    }
  }
}

function* inOrder(request, own, ended) {
  for (let index = 1; index < own.length; index++) {
    if (own[index].body.number === own[index - 1].body.number + 1) continue;
    yield {
      message: `reply ${own[index].body.number} to ${request.request} came behind ${own[index - 1].body.number}`,
      shown: [request, own[index - 1], own[index]],
      by: [request.process],
    };
  }
  const [first, last] = [own[0], own.at(-1)];
  if (ended[0]?.outcome !== 'complete') return;
  if (first?.body.number === 1 && last.body.number === last.body.of) return;
  yield {
    message: `request ${request.request} was complete without all of its replies`,
    shown: [request, ...own, ...ended],
    by: [request.process],
  };
}

/** A fault of the client, of whoever answers, or of a broker. */
function hasReason(timeline, request, deliveries, at) {
  const servers = deliveries.map(({ begin }) => begin.process);
  const answering = deliveries[0]?.group;
  const starts = timeline.of('start').filter(({ group }) => answering === undefined || group === answering);
  return [request.process, ...servers, ...starts.map(({ target }) => target)].some((process) =>
    timeline.isTroubled(process, request.at, at),
  );
}

function requestName({ process, request }) {
  return `${process} ${request}`;
}
