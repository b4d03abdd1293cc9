import { join } from 'node:path';
import { edit } from './edit.mjs';

/**
 * A partition of an idempotent producer has at most five messages under way, or one request with more, and none
 * where its number or its leader is to change. What was queued meanwhile and due was a reason to look again at once:
 * the broker's thread kept a core busy until the next answer came, for as long as a broker was away. Now it waits
 * for the answer, which wakes it, and looks every 10 ms for those that another broker's thread gets.
 */
export function mendBusyWaits(source) {
  const broker = join(source, 'rdkafka_broker.c');
  const served = `                /* Try producing toppar */
                cnt += rd_kafka_toppar_producer_serve(
                    rkb, rktp, pid, now, &this_next_wakeup, do_timeout_scan,
                    may_send, flushing);
`;
  const waiting = `                /* Try producing toppar */
                int sent = rd_kafka_toppar_producer_serve(
                    rkb, rktp, pid, now, &this_next_wakeup, do_timeout_scan,
                    may_send, flushing);
                cnt += sent;

                /* What is due and cannot be sent waits for a response. */
                if (!sent && this_next_wakeup <= now)
                        this_next_wakeup = now + 10 * 1000;
`;
  edit(broker, served, waiting);
}
