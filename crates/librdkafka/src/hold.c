/*
 * Queues a chunk of records before librdkafka's broker thread is woken for the first of them.
 *
 * With linger.ms 0 the first record of a partition wakes the broker thread, which then sends what it finds: 20
 * records queued in one go become two or three produce requests of a few records each. linger.ms would gather them,
 * but also delay a lone record. So the wake-ups of a topic's partitions are suppressed while a chunk is queued, and
 * made once at its end.
 *
 * What is used beyond rdkafka.h, and so has to be compared when librdkafka is upgraded:
 *
 *  - rd_kafka_topic_proper(), the fields rkt_p and rkt_partition_cnt under the topic's read lock;
 *  - rktp_msgq.rkmq_wakeup.signalled, under the partition's lock: while it is set, rd_kafka_toppar_enq_msg() does not
 *    wake the broker thread; the broker thread clears it by itself whenever it has served the partition
 *    (rd_kafka_msgq_allow_wakeup_at()), after which the next record wakes it: a chunk is then split, and nothing
 *    worse;
 *  - rktp_msgq_wakeup_q and rd_kafka_q_yield(), as rd_kafka_toppar_enq_msg() uses them.
 */
#include "rdkafka_int.h"
#include "rdkafka_partition.h"
#include "rdkafka_topic.h"
#include "private.h"

NKA_FUNCTION(rd_kafka_topic_proper, rd_kafka_topic_t *(*)(rd_kafka_topic_t *));
NKA_FIELD(rd_kafka_topic_t, rkt_p, rd_kafka_toppar_t **);
NKA_FIELD(rd_kafka_topic_t, rkt_partition_cnt, int32_t);
NKA_FIELD(rd_kafka_toppar_t, rktp_lock, mtx_t);
NKA_FIELD(rd_kafka_toppar_t, rktp_msgq, rd_kafka_msgq_t);
NKA_FIELD(rd_kafka_toppar_t, rktp_msgq.rkmq_wakeup.signalled, rd_bool_t);
NKA_FIELD(rd_kafka_toppar_t, rktp_msgq_wakeup_q, rd_kafka_q_t *);
NKA_FUNCTION(rd_kafka_q_yield, void (*)(rd_kafka_q_t *));

/* With more partitions than this, a chunk has few records for each, and locking them all would take longer than it
 * saves. */
#define NKA_MOST_PARTITIONS 64

/* From now on records queued for the topic do not wake the broker thread. Returns whether nka_topic_release() must
 * follow. */
int nka_topic_hold(rd_kafka_topic_t *app_rkt) {
        rd_kafka_topic_t *rkt = rd_kafka_topic_proper(app_rkt);
        int32_t i, held = 0;

        rd_kafka_topic_rdlock(rkt);
        if (rkt->rkt_partition_cnt <= NKA_MOST_PARTITIONS) {
                for (i = 0; i < rkt->rkt_partition_cnt; i++) {
                        rd_kafka_toppar_t *rktp = rkt->rkt_p[i];
                        rd_kafka_toppar_lock(rktp);
                        rktp->rktp_msgq.rkmq_wakeup.signalled = rd_true;
                        rd_kafka_toppar_unlock(rktp);
                }
                held = rkt->rkt_partition_cnt;
        }
        rd_kafka_topic_rdunlock(rkt);
        return held > 0;
}

/* Wakes the broker threads for the records queued since. */
void nka_topic_release(rd_kafka_topic_t *app_rkt) {
        rd_kafka_topic_t *rkt = rd_kafka_topic_proper(app_rkt);
        rd_kafka_q_t *wakeups[NKA_MOST_PARTITIONS];
        int32_t i, j, cnt = 0;

        rd_kafka_topic_rdlock(rkt);
        /* The topic may have been given more partitions meanwhile: those were not held. */
        for (i = 0; i < rkt->rkt_partition_cnt && i < NKA_MOST_PARTITIONS; i++) {
                rd_kafka_toppar_t *rktp = rkt->rkt_p[i];
                rd_kafka_q_t *wakeup;

                rd_kafka_toppar_lock(rktp);
                /* In an empty partition the next record has to wake the broker thread. */
                rktp->rktp_msgq.rkmq_wakeup.signalled = rd_kafka_msgq_len(&rktp->rktp_msgq) > 0;
                wakeup = rktp->rktp_msgq.rkmq_wakeup.signalled ? rktp->rktp_msgq_wakeup_q : NULL;
                for (j = 0; wakeup && j < cnt; j++)
                        if (wakeups[j] == wakeup)
                                wakeup = NULL;
                if (wakeup)
                        wakeups[cnt++] = rd_kafka_q_keep(wakeup);
                rd_kafka_toppar_unlock(rktp);
        }
        rd_kafka_topic_rdunlock(rkt);

        for (j = 0; j < cnt; j++) {
                rd_kafka_q_yield(wakeups[j]);
                rd_kafka_q_destroy(wakeups[j]);
        }
}
