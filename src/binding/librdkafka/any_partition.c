/*
 * Chooses a partition for records without a key, as librdkafka's partitioner does for each of them: at random, one
 * that has a leader if it can.
 *
 * The partitioner itself is public, but is to be called with the topic locked and with the number of its partitions.
 * What is used beyond rdkafka.h, and so has to be compared when librdkafka is upgraded: rd_kafka_topic_proper(), and the
 * fields rkt_state and rkt_partition_cnt under the topic's read lock, as rd_kafka_msg_partitioner() uses them.
 */
#include "rdkafka_int.h"
#include "rdkafka_topic.h"

#if RD_KAFKA_VERSION != 0x020c01ff
#error "any_partition.c was reviewed against librdkafka 2.12.1 only: see its heading comment"
#endif

/* RD_KAFKA_PARTITION_UA while the topic's partitions are not known. */
int32_t nka_any_partition(rd_kafka_topic_t *app_rkt) {
        rd_kafka_topic_t *rkt = rd_kafka_topic_proper(app_rkt);
        int32_t partition     = RD_KAFKA_PARTITION_UA;

        rd_kafka_topic_rdlock(rkt);
        if (rkt->rkt_state == RD_KAFKA_TOPIC_S_EXISTS && rkt->rkt_partition_cnt > 0)
                partition = rd_kafka_msg_partitioner_random(rkt, NULL, 0, rkt->rkt_partition_cnt, NULL, NULL);
        rd_kafka_topic_rdunlock(rkt);
        return partition;
}
