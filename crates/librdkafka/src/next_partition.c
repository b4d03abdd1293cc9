/*
 * Chooses a partition for each run of records without a key, in turn and, if possible, among those with a leader.
 * (librdkafka's partitioner does it at random and for each record.)
 *
 * What is used beyond rdkafka.h, and so has to be compared when librdkafka is upgraded: rd_kafka_topic_proper(), and the
 * fields rkt_state and rkt_partition_cnt under the topic's read lock, as rd_kafka_msg_partitioner() uses them. The same
 * lock has to be held for the two public functions, which are made for partitioners.
 */
#include "rdkafka_int.h"
#include "rdkafka_topic.h"
#include "private.h"

NKA_FUNCTION(rd_kafka_topic_proper, rd_kafka_topic_t *(*)(rd_kafka_topic_t *));
NKA_ASSERT(sizeof(((rd_kafka_topic_t *)0)->rkt_state) == sizeof(int) && RD_KAFKA_TOPIC_S_EXISTS == 1, "the states of a topic are others");
NKA_FIELD(rd_kafka_topic_t, rkt_partition_cnt, int32_t);
NKA_FIELD(rd_kafka_topic_t, rkt_lock, rwlock_t);

/*
 * The partition after `last`, or a random one when `last` is RD_KAFKA_PARTITION_UA or the next one has no leader.
 * RD_KAFKA_PARTITION_UA while the topic's partitions are not known.
 */
int32_t nka_next_partition(rd_kafka_topic_t *app_rkt, int32_t last) {
        rd_kafka_topic_t *rkt = rd_kafka_topic_proper(app_rkt);
        int32_t next          = RD_KAFKA_PARTITION_UA;

        rd_kafka_topic_rdlock(rkt);
        if (rkt->rkt_state == RD_KAFKA_TOPIC_S_EXISTS && rkt->rkt_partition_cnt > 0) {
                if (last != RD_KAFKA_PARTITION_UA)
                        next = (last + 1) % rkt->rkt_partition_cnt;
                if (next == RD_KAFKA_PARTITION_UA || !rd_kafka_topic_partition_available(rkt, next))
                        next = rd_kafka_msg_partitioner_random(rkt, NULL, 0, rkt->rkt_partition_cnt, NULL, NULL);
        }
        rd_kafka_topic_rdunlock(rkt);
        return next;
}
