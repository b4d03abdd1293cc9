import { join } from 'node:path';
import { edit } from './edit.mjs';

/**
 * A broker is asked for one fetch at a time, and a partition of which enough is queued is left out of it. Where the
 * other partitions had nothing, the broker waited `fetch.wait.max.ms` for them; what was queued of the full one was
 * gone long before, and nobody asked for more: a partition with a backlog beside partitions without one came at a
 * queue's length every half second. Now a fetch that leaves a partition out waits only until that is to be fetched
 * again, and for slow consumers, so that they do not ask all the time, for as long as it has been full by then: it
 * can be empty for no longer than it was full. Likewise, partitions begin one after the other, and the first fetch
 * after an assignment could be without most of them: after a change the waits begin short and grow.
 */
export function mendFetchWaits(source) {
  const header = join(source, 'rdkafka_broker.h');
  const backoff = '        rd_ts_t rkb_ts_fetch_backoff;\n';
  const next = `        rd_ts_t rkb_ts_next_fetchable; /**< When the first of the partitions
                                        *   that are backed off is to be
                                        *   fetched, or RD_TS_MAX. */
        int rkb_fetch_wait_ms;         /**< How long the next fetch waits at
                                        *   most. Grows after a change of
                                        *   what is fetched. */
`;
  edit(header, backoff, `${backoff}${next}`);

  const broker = join(source, 'rdkafka_broker.c');
  const serve = `        rd_ts_t min_backoff = RD_TS_MAX;

        TAILQ_FOREACH_SAFE(rktp, &rkb->rkb_toppars, rktp_rkblink, rktp_tmp) {
`;
  const none = '        rkb->rkb_ts_next_fetchable = RD_TS_MAX;\n\n';
  edit(broker, serve, serve.replace('\n\n', `\n\n${none}`));
  const least = `                if (backoff < min_backoff)
                        min_backoff = backoff;
        }

        return min_backoff;
`;
  const later = `                if (backoff > 0) {
                        rd_ts_t now  = rd_clock();
                        rd_ts_t next = rktp->rktp_ts_fetch_full
                                           ? now + now - rktp->rktp_ts_fetch_full
                                           : 0;
                        next = RD_MAX(next, backoff);
                        if (next < rkb->rkb_ts_next_fetchable)
                                rkb->rkb_ts_next_fetchable = next;
                }
        }
`;
  edit(broker, least, least.replace('        }\n', later));

  const fetcher = join(source, 'rdkafka_fetcher.c');
  const variables = `        rd_kafka_topic_t *rkt_last  = NULL;
        int16_t ApiVersion          = 0;

        /* Create buffer and segments:
         *   1 x ReplicaId MaxWaitTime MinBytes TopicArrayCnt
`;
  const wait = '        int32_t wait_ms = rkb->rkb_rk->rk_conf.fetch_wait_max_ms;\n';
  edit(fetcher, variables, variables.replace('\n\n', `\n${wait}\n`));
  const written = '        rd_kafka_buf_write_i32(rkbuf, rkb->rkb_rk->rk_conf.fetch_wait_max_ms);\n';
  const bounded = `        if (rkb->rkb_fetch_wait_ms < wait_ms) {
                wait_ms = RD_MIN(wait_ms, RD_MAX(10, rkb->rkb_fetch_wait_ms));
                rkb->rkb_fetch_wait_ms = wait_ms * 2;
        }
        if (rkb->rkb_ts_next_fetchable < now + (rd_ts_t)wait_ms * 1000)
                wait_ms = (int32_t)RD_MAX(
                    1, (rkb->rkb_ts_next_fetchable - now + 999) / 1000);
        rd_kafka_buf_write_i32(rkbuf, wait_ms);
`;
  edit(fetcher, written, bounded);

  const changed = '                rktp->rktp_fetch_version = version;\n';
  edit(fetcher, changed, `${changed}                rkb->rkb_fetch_wait_ms   = 0;\n`);

  const fields = '        rd_ts_t rktp_ts_fetch_backoff; /* Back off fetcher for\n';
  const since = `        rd_ts_t rktp_ts_fetch_full;    /* Since when its queue is full, or 0.
                                        * Locality: broker thread */
`;
  edit(join(source, 'rdkafka_partition.h'), fields, `${since}${fields}`);
  const constant = `        if (err == RD_KAFKA_RESP_ERR__QUEUE_FULL)
                backoff_ms = rkb->rkb_rk->rk_conf.fetch_queue_backoff_ms;
        else
`;
  const noted = `        if (err == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
                backoff_ms = rkb->rkb_rk->rk_conf.fetch_queue_backoff_ms;
                if (!rktp->rktp_ts_fetch_full)
                        rktp->rktp_ts_fetch_full = rd_clock();
        } else
`;
  edit(fetcher, constant, noted);
  const decided = `done:
        /* Copy offset stats to finalized place holder. */
        rktp->rktp_offsets_fin = rktp->rktp_offsets;

        if (rktp->rktp_fetch != should_fetch) {
`;
  const reset = `        if (should_fetch)
                rktp->rktp_ts_fetch_full = 0;

`;
  edit(fetcher, decided, decided.replace('        if (rktp', `${reset}        if (rktp`));
}
