import { groupBy } from '../history.mjs';

export const name = 'replies';

/** Errors that say that a reply did not come, and the faults that excuse them. */
const EXCUSABLE = new Set(['KafkaReplyTimeoutError', 'KafkaReplyLostError']);

/**
 * A request gets the replies to itself, in order, and ends once. Where it ends with an error, it is one that says why,
 * and there was a fault that it can come from.
 */
export function* check(timeline) {
  const replies = groupBy(timeline.of('reply'), requestName);
  const ends = groupBy(timeline.of('replied'), requestName);
  const exits = new Map(timeline.of('exit').map((event) => [event.process, event]));
  for (const request of timeline.of('request')) {
    const own = replies.get(requestName(request)) ?? [];
    const ended = ends.get(requestName(request)) ?? [];
    for (const reply of own) {
      if (reply.body.request === request.request && reply.body.process === request.process) continue;
      yield { message: `request ${request.request} got the reply to another one`, shown: [request, reply] };
    }
    for (let index = 1; index < own.length; index++) {
      if (own[index].body.number > own[index - 1].body.number) continue;
      yield {
        message: `reply ${own[index].body.number} to ${request.request} came behind ${own[index - 1].body.number}`,
        shown: [request, own[index - 1], own[index]],
      };
    }
    const exit = exits.get(request.process);
    if (ended.length === 0 && (exit === undefined || exit.how === 'graceful')) {
      yield { message: `request ${request.request} never ended`, shown: exit ? [request, exit] : [request] };
    } else if (ended.length > 1) {
      yield { message: `request ${request.request} ended ${ended.length} times`, shown: [request, ...ended] };
    } else if (ended[0]?.outcome === 'error') {
      const [{ at, error }] = ended;
      if (
        EXCUSABLE.has(error) &&
        timeline.of('fault').some((one) => one.at <= at && (one.until ?? Infinity) >= request.at)
      ) {
        continue;
      }
      yield {
        message: `request ${request.request} ended with ${error} without a reason`,
        shown: [request, ...ended],
      };
    }
  }
}

function requestName({ process, request }) {
  return `${process} ${request}`;
}
