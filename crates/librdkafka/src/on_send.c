/*
 * Gives single records what librdkafka's API gives none: a timestamp of 0, which it takes for "now", and a limit of
 * their own for how long they may take, which it has for topics only.
 *
 * librdkafka calls the on_send interceptors within rd_kafka_produceva(), on the thread that calls it, after it has filled
 * the message in and before any other thread can see it.
 *
 * What is used beyond rdkafka.h, and so has to be compared when librdkafka is upgraded: rd_kafka_message2msg(), and the
 * fields rkm_timestamp, rkm_ts_enq and rkm_ts_timeout, as rd_kafka_msg_new0() fills them in before it calls the
 * interceptors. rd_kafka_msgq_age_scan() looks at the limits of a partition's messages in their order and ends at the
 * first that has time left: one with little time fails behind one with more only when that is done with.
 */
#include "rdkafka_int.h"
#include "rdkafka_msg.h"
#include "private.h"

NKA_FUNCTION(rd_kafka_message2msg, rd_kafka_msg_t *(*)(rd_kafka_message_t *));
NKA_FIELD(rd_kafka_msg_t, rkm_timestamp, int64_t);
NKA_FIELD(rd_kafka_msg_t, rkm_ts_enq, rd_ts_t);
NKA_FIELD(rd_kafka_msg_t, rkm_ts_timeout, rd_ts_t);

/* What the record that this thread produces gets; see nka_produce(). */
static RD_TLS rd_bool_t nka_at_epoch;
static RD_TLS uint32_t nka_limit_ms;

static rd_kafka_resp_err_t nka_on_send(rd_kafka_t *rk, rd_kafka_message_t *rkmessage, void *opaque) {
        rd_kafka_msg_t *rkm = rd_kafka_message2msg(rkmessage);

        if (nka_at_epoch)
                rkm->rkm_timestamp = 0;
        if (nka_limit_ms)
                rkm->rkm_ts_timeout = rkm->rkm_ts_enq + (rd_ts_t)nka_limit_ms * 1000;
        return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Only a handle that exists takes the interceptor. */
static rd_kafka_resp_err_t nka_on_new(rd_kafka_t *rk,
                                      const rd_kafka_conf_t *conf,
                                      void *opaque,
                                      char *errstr,
                                      size_t errstr_size) {
        return rd_kafka_interceptor_add_on_send(rk, "nestjs-kafka-native-on-send", nka_on_send, NULL);
}

/* Prepares the configuration of a producer whose records nka_produce() is to produce. */
rd_kafka_resp_err_t nka_shape_records(rd_kafka_conf_t *conf) {
        return rd_kafka_conf_interceptor_add_on_new(conf, "nestjs-kafka-native-on-send", nka_on_new, NULL);
}

/* rd_kafka_produceva() for a record with a timestamp of 0, or with so many ms to be delivered, or both. */
rd_kafka_error_t *
nka_produce(rd_kafka_t *rk, const rd_kafka_vu_t *vus, size_t cnt, int at_epoch, uint32_t limit_ms) {
        rd_kafka_error_t *error;

        nka_at_epoch = at_epoch != 0;
        nka_limit_ms = limit_ms;
        error        = rd_kafka_produceva(rk, vus, cnt);
        nka_at_epoch = rd_false;
        nka_limit_ms = 0;
        return error;
}
