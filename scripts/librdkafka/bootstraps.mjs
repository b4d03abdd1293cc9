import { join } from 'node:path';
import { edit } from './edit.mjs';

/** How a client finds its cluster by the bootstrap addresses, at its start and when all brokers that it knows are gone. */
export function mendBootstraps(source) {
  keepAddresses(source);
  keepRebootstraps(source);
  countThoseThatLeave(source);
  ignoreEmptyMetadata(source);
}

/**
 * A client gives up its connection to a bootstrap address as soon as that has told which brokers there are. Where none of them
 * can be reached by the address it advertises, whether the application's first request was answered before that was a race.
 * The connection is kept until one of them is up, which then is asked which brokers there are: with that answer it goes.
 * Until then, as with kafkajs, what the bootstrap address can answer is answered.
 */
function keepAddresses(source) {
  const learned = `                if (rkb->rkb_source == RD_KAFKA_LEARNED) {
                        has_learned_brokers = rd_true;
`;
  const reached = learned.replace('LEARNED)', 'LEARNED &&\n                    rd_kafka_broker_is_up(rkb))');
  edit(join(source, 'rdkafka_metadata.c'), learned, reached);
  const none = `                NULL, rkb, rd_false /*dont force*/, "connected") ==
            RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC)
`;
  const always = none.replace('TOPIC)', 'TOPIC ||\n            rkb->rkb_source == RD_KAFKA_LEARNED)');
  edit(join(source, 'rdkafka_broker.c'), none, always);
}

/**
 * When all known brokers are down a timer that is due at once adds the bootstrap addresses again. An answer to Metadata stops this
 * timer, which is also the one of `metadata.recovery.rebootstrap.trigger.ms`: so the answer of a broker that was gone when it was
 * read stopped what its end had begun, and left it marked as begun, for good. What has begun is not stopped.
 */
function keepRebootstraps(source) {
  const stop = `        return rd_kafka_timer_stop(&rk->rk_timers, &rk->rebootstrap_tmr,
                                   rd_true /* lock */);
`;
  const kept = `        int stopped = rd_kafka_timer_stop(&rk->rk_timers, &rk->rebootstrap_tmr,
                                          rd_true /* lock */);

        /* One that is due at once is not what the metadata has made
         * unnecessary. It may be started by a broker's thread just now, which
         * marks it first: then it is the same timer. */
        if (rd_atomic32_get(&rk->rk_rebootstrap_in_progress))
                rd_kafka_timer_start_oneshot(
                    &rk->rk_timers, &rk->rebootstrap_tmr, rd_true /*restart*/,
                    0, rd_kafka_rebootstrap_tmr_cb, NULL);

        return stopped;
`;
  edit(join(source, 'rdkafka.c'), stop, kept);
}

/**
 * A broker that does not know its cluster yet (it has just been started) answers Metadata without a broker, and with an error for each
 * topic. That was believed: all brokers were given up, the answer stopped what would have looked for others, and the client
 * was cut off for good (#5301, open). Such an answer is ignored and asked for again, as Java's client does; nothing of it counts.
 */
function ignoreEmptyMetadata(source) {
  const both = '        if (md->broker_cnt == 0 && md->topic_cnt == 0) {\n';
  const file = join(source, 'rdkafka_metadata.c');
  edit(file, both, both.replace(' && md->topic_cnt == 0', ''));
  edit(file, '"No brokers or topics in metadata: should retry"', '"No brokers in metadata: should retry"');
}

/**
 * Brokers that left the metadata count as down until they are gone, unless another one came up meanwhile, or the bootstrap addresses were added:
 * then they counted as there. One may stay for long (as the coordinator of a transaction it does until another one is known), and
 * as long all others could be down without anybody going back to the bootstrap addresses.
 */
function countThoseThatLeave(source) {
  const reset = `                if (rd_atomic32_set(&rkb->rkb_down_reported, 0) == 1)
                        rd_atomic32_sub(&rk->rk_broker_down_cnt, 1);
`;
  const kept = reset.replace(
    'if (rd_atomic32_set',
    `if (rd_atomic32_get(&rkb->termination_in_progress) == 0 &&
                    rd_atomic32_set`,
  );
  edit(join(source, 'rdkafka.c'), reset, kept);
}
