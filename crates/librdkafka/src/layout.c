/*
 * Checks at run time that librdkafka's structures are laid out as its headers said when the C files were compiled: a
 * library built from other sources, or with another config.h, would have its fields elsewhere. Compares results of
 * public functions with the fields. Called once for each client and topic, before any field is changed.
 */
#include "rdkafka_int.h"
#include "rdkafka_topic.h"
#include "rdkafka_partition.h"
#include "private.h"

NKA_FIELD(rd_kafka_t, rk_conf, rd_kafka_conf_t);
NKA_FIELD(rd_kafka_t, rk_type, rd_kafka_type_t);
NKA_FIELD(rd_kafka_topic_t, rkt_topic, rd_kafkap_str_t *);
NKA_FIELD(rd_kafka_topic_t, rkt_rk, rd_kafka_t *);
NKA_FIELD(rd_kafka_topic_t, rkt_p, rd_kafka_toppar_t **);
NKA_FIELD(rd_kafka_topic_t, rkt_partition_cnt, int32_t);
NKA_FIELD(rd_kafka_toppar_t, rktp_partition, int32_t);
NKA_FIELD(rd_kafka_toppar_t, rktp_rkt, rd_kafka_topic_t *);

/* The version of the headers that the C files were compiled with. */
int nka_headers_version(void) {
        return RD_KAFKA_VERSION;
}

/* A structure whose fields are looked for `shift` bytes further on: 0 but in tests, to which they are as they would be
 * to a library with as many bytes less in front of them. */
#define NKA_AT(structure, shift) ((void *)((char *)(structure) + (shift)))

/* Whether a client is laid out as the headers say. */
int nka_client_holds(rd_kafka_t *rk, size_t shift) {
        const rd_kafka_t *at = NKA_AT(rk, shift);

        return rd_kafka_version() == RD_KAFKA_VERSION && rd_kafka_conf(rk) == &at->rk_conf &&
               rd_kafka_name(rk) == at->rk_name && rd_kafka_type(rk) == at->rk_type &&
               rd_kafka_opaque(rk) == at->rk_conf.opaque;
}

/* Whether a topic is laid out as the headers say, and those of its partitions that are known by now. */
int nka_topic_holds(rd_kafka_t *rk, rd_kafka_topic_t *app_rkt, size_t shift) {
        rd_kafka_topic_t *rkt = NKA_AT(rd_kafka_topic_proper(app_rkt), shift);
        int32_t i;
        int holds = rkt->rkt_rk == rk && rd_kafka_topic_name(app_rkt) == rkt->rkt_topic->str;

        if (!holds)
                return 0;
        rd_kafka_topic_rdlock(rkt);
        for (i = 0; holds && i < rkt->rkt_partition_cnt; i++)
                holds = rkt->rkt_p[i]->rktp_rkt == rkt && rkt->rkt_p[i]->rktp_partition == i;
        rd_kafka_topic_rdunlock(rkt);
        return holds;
}
