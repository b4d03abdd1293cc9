/*
 * Gives single records two things that librdkafka's API does not support: a timestamp of 0, which librdkafka takes
 * for "now", and a delivery time-out per record, which it has only per topic.
 *
 * librdkafka calls the on_send interceptors within rd_kafka_produceva(), on the thread that calls it, after it has filled
 * the message in and before any other thread can see it.
 *
 * What is used beyond rdkafka.h, and so has to be compared when librdkafka is upgraded: rd_kafka_message2msg(), and
 * the fields rkm_timestamp, rkm_ts_enq and rkm_ts_timeout, as rd_kafka_msg_new0() fills them in before it calls the
 * interceptors. rd_kafka_msgq_age_scan() checks the time-outs of a partition's messages in order and stops at the
 * first one with time left: so a message with a short time-out behind one with a longer one fails only after that one
 * has ended.
 */
#include "rdkafka_int.h"
#include "rdkafka_msg.h"
#include "private.h"

NKA_FUNCTION(rd_kafka_message2msg, rd_kafka_msg_t *(*)(rd_kafka_message_t *));
NKA_FIELD(rd_kafka_msg_t, rkm_timestamp, int64_t);
NKA_FIELD(rd_kafka_msg_t, rkm_ts_enq, rd_ts_t);
NKA_FIELD(rd_kafka_msg_t, rkm_ts_timeout, rd_ts_t);

/* Set for the record that this thread is producing; see nka_produce(). */
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

/* The interceptor can be added only to an existing handle. */
static rd_kafka_resp_err_t nka_on_new(rd_kafka_t *rk,
                                      const rd_kafka_conf_t *conf,
                                      void *opaque,
                                      char *errstr,
                                      size_t errstr_size) {
        return rd_kafka_interceptor_add_on_send(rk, "nestjs-kafka-native-on-send", nka_on_send, NULL);
}

/* Prepares the configuration of a producer that uses nka_produce(). */
rd_kafka_resp_err_t nka_shape_records(rd_kafka_conf_t *conf) {
        return rd_kafka_conf_interceptor_add_on_new(conf, "nestjs-kafka-native-on-send", nka_on_new, NULL);
}

/* rd_kafka_produceva() for a record with a timestamp of 0, or a delivery time-out in ms of its own, or both. */
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
