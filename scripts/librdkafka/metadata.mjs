import { join } from 'node:path';
import { edit } from './edit.mjs';

/** What brokers tell of topics and of partitions' leaders, and asking them for it. */
export function mendMetadata(source) {
  countNewLeaders(source);
  askWithoutLock(source);
  waitForTopics(source);
}

/**
 * An answer to Fetch may name the new leaders of partitions. Those without one were counted and left out, so that the last places of the
 * list were memory that nobody had written, and were read as partitions and leaders (#5280, open). What is left out is not counted.
 */
function countNewLeaders(source) {
  const next = `                                changed_partition++;
                        }
                        changed_topic++;
`;
  const counted = `                                changed_partition++;
                        }
                        /* Without those that have no leader. */
                        md->topics[changed_topic].partition_cnt =
                            changed_partition;
                        changed_topic++;
`;
  edit(join(source, 'rdkafka_fetcher.c'), next, counted);
}

/**
 * Where the epoch of a position could not be compared, the leader was asked for under the partition's lock, which takes the client's.
 * A broker's thread whose connection ends takes the partition's under the client's: both stood still for good, and the client with them
 * (#5476, open). The answer is handled by the main thread, which alone removes partitions: it may let go of the lock for that.
 */
function askWithoutLock(source) {
  const locked = `                        /* Metadata refresh is ongoing, so force it */
                        rd_kafka_topic_leader_query0(rk, rktp->rktp_rkt, 1,
                                                     rd_true /* force */);

                /* No need for refcnt`;
  const unlocked = `{
                        /* Not under the lock: the query takes rk's, which
                         * comes before it. */
                        rd_kafka_toppar_unlock(rktp);
                        /* Metadata refresh is ongoing, so force it */
                        rd_kafka_topic_leader_query0(rk, rktp->rktp_rkt, 1,
                                                     rd_true /* force */);
                        rd_kafka_toppar_lock(rktp);
                }

                /* No need for refcnt`;
  const asked = '                if (actions & RD_KAFKA_ERR_ACTION_REFRESH)';
  edit(join(source, 'rdkafka_offset.c'), `${asked}\n${locked}`, `${asked} ${unlocked}`);
}

/**
 * A topic may take `topic.metadata.propagation.max.ms` to appear. One that has been there for longer than that had no time at all: the first
 * broker that did not know it, because it had just been started, failed all that was queued for it (#4401, open). Its time begins with
 * the first such answer, and anew when a broker knows it.
 */
function waitForTopics(source) {
  const since = '        rd_ts_t rkt_ts_state; /**< State change time. */\n';
  const missing = `        rd_ts_t rkt_ts_missing; /**< Since when it exists and brokers do not know
                                 *   it; 0: they do. */
`;
  edit(join(source, 'rdkafka_topic.h'), since, `${since}${missing}`);
  const file = join(source, 'rdkafka_topic.c');
  const changed = '        rkt->rkt_ts_state = rd_clock();\n}\n';
  edit(file, changed, changed.replace('}\n', '        rkt->rkt_ts_missing = 0;\n}\n'));
  const known = `                 mdt->partition_cnt > 0)
                rd_kafka_topic_set_exists(rkt, mdit->topic_id);
`;
  const knownAgain = `                 mdt->partition_cnt > 0) {
                rkt->rkt_ts_missing = 0;
                rd_kafka_topic_set_exists(rkt, mdit->topic_id);
        }
`;
  edit(file, known, knownAgain);
  const rest = `        remains_us =
            (rkt->rkt_ts_state +
             (rkt->rkt_rk->rk_conf.metadata_propagation_max_ms * 1000)) -
            rkt->rkt_ts_metadata;

        if (!permanent &&
            (rkt->rkt_state == RD_KAFKA_TOPIC_S_UNKNOWN ||
             rkt->rkt_state == RD_KAFKA_TOPIC_S_ERROR ||
`;
  const restOfMissing = rest
    .replace(
      '        remains_us',
      `        if (rkt->rkt_state == RD_KAFKA_TOPIC_S_EXISTS && !rkt->rkt_ts_missing)
                rkt->rkt_ts_missing = rd_clock();

        remains_us`,
    )
    .replace('(rkt->rkt_ts_state +', '((rkt->rkt_ts_missing ? rkt->rkt_ts_missing : rkt->rkt_ts_state) +');
  edit(file, rest, restOfMissing);
}
