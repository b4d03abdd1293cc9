/*
 * Chooses partitions in turn for runs of records without a key, as librdkafka's partitioner chooses them at random for
 * single ones: of those that have a leader, if it can.
 *
 * What is used beyond rdkafka.h, and so has to be compared when librdkafka is upgraded: rd_kafka_topic_proper(), and the
 * fields rkt_state and rkt_partition_cnt under the topic's read lock, as rd_kafka_msg_partitioner() uses them. The same
 * lock has to be held for the two public functions, which are made for partitioners.
 */
#include "rdkafka_int.h"
#include "rdkafka_topic.h"

#if RD_KAFKA_VERSION != 0x020f01ff
#error "next_partition.c was reviewed against librdkafka 2.15.1 only: see its heading comment"
#endif

/*
 * The partition after the given one, or one at random when that is RD_KAFKA_PARTITION_UA or the next one has no leader.
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
