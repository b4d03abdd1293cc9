/*
 * Watches the responses that a consumer of a statically linked librdkafka gets when it joins its group; corrects the
 * one to JoinGroup, and can hold it. This file only translates; every decision is Rust's (callbacks.rs).
 *
 * What is used beyond rdkafka.h, and so has to be compared when librdkafka is upgraded:
 *
 *  - rd_kafka_curr_transport, rktrans_rkb, rkb_outbufs and of a request rkbuf_corrid, rkbuf_reqhdr, rkbuf_cb,
 *    rkbuf_opaque and rkbuf_reader; that rd_kafka_send() calls the on_request_sent interceptors while the request is
 *    still in rkb_outbufs; and that a response lies in one piece of memory;
 *  - for holding a response: that librdkafka sends no other JoinGroup request and answers no other one before
 *    its handler was called (rkcg_wait_resp), that the handler drops a response that has become outdated, that an
 *    op of type RD_KAFKA_OP_RECV_BUF with a request whose rkbuf_response is set calls the request's rkbuf_cb on the
 *    main thread, with ERR__DESTROY should the queue be closed, and that it then lets both buffers go;
 *  - that rd_kafka_destroy() runs the on_conf_destroy interceptors last, after all threads are joined, all
 *    assignors freed and all queues purged.
 *
 * Why responses are repaired: NestJS's reply assigner announces member metadata of version 1 without the owned
 * partitions that version 1 implies. A librdkafka leader drops such a member from the assignment, and says so in a
 * debug log only. The response is corrected before librdkafka parses it (join_response.rs). librdkafka's own handler
 * for it is static, so it is taken from the request itself: once the request has been written, its callback and its
 * opaque are replaced, as a pair, by ours.
 *
 * Why responses are watched: librdkafka retries a join for ever, and does not report why it fails.
 *
 * Why responses are held: an assignor that is a JavaScript function cannot answer on librdkafka's main thread. So the
 * leader's response, which names the members, is kept back as if it had not arrived, while JavaScript assigns the
 * partitions; then librdkafka gets it, and runs an assignor that has the answer already. The main thread does not
 * block meanwhile.
 */
#include "client.h"
#include "rdkafka_broker.h"
#include "rdkafka_transport_int.h"
#include "../private.h"

NKA_FIELD(rd_kafka_buf_t, rkbuf_corrid, int32_t);
NKA_FIELD(rd_kafka_buf_t, rkbuf_cb, rd_kafka_resp_cb_t *);
NKA_FIELD(rd_kafka_buf_t, rkbuf_opaque, void *);
NKA_FIELD(rd_kafka_buf_t, rkbuf_response, rd_kafka_buf_t *);
NKA_FIELD(rd_kafka_buf_t, rkbuf_reader, rd_slice_t);
NKA_FIELD(rd_kafka_buf_t, rkbuf_reqhdr.ApiKey, int16_t);
NKA_FIELD(rd_kafka_buf_t, rkbuf_reqhdr.ApiVersion, int16_t);
NKA_FIELD(rd_kafka_transport_t, rktrans_rkb, rd_kafka_broker_t *);
NKA_FIELD(rd_kafka_broker_t, rkb_outbufs, rd_kafka_bufq_t);
NKA_FIELD(rd_kafka_t, rk_ops, rd_kafka_q_t *);

static const char nka_name[] = "nestjs-kafka-native";

/* Main thread: holds a response. Returns 0 if responses are no longer held. */
static int nka_hold(nka_client_t *client, rd_kafka_buf_t *request, rd_kafka_buf_t *response) {
        int holds;

        mtx_lock(&client->lock);
        holds = !client->closed && !client->held_request;
        if (holds) {
                rd_kafka_buf_keep(request);
                rd_kafka_buf_keep(response);
                client->held_request  = request;
                client->held_response = response;
        }
        mtx_unlock(&client->lock);
        return holds;
}

/* Any thread: takes the held response, if there is one. The buffers are the caller's then. */
static rd_kafka_buf_t *nka_take(nka_client_t *client, int for_good, rd_kafka_buf_t **response) {
        rd_kafka_buf_t *request;

        mtx_lock(&client->lock);
        request               = client->held_request;
        *response             = client->held_response;
        client->held_request  = NULL;
        client->held_response = NULL;
        if (for_good)
                client->closed = 1;
        mtx_unlock(&client->lock);
        return request;
}

/* Any thread, while the client is alive: passes a held response to librdkafka, if there is one. */
void nka_let_go(nka_client_t *client, int for_good) {
        rd_kafka_buf_t *response;
        rd_kafka_buf_t *request = nka_take(client, for_good, &response);
        rd_kafka_op_t *op;

        if (!request)
                return;
        /* The second time the response goes to librdkafka's own handler. */
        request->rkbuf_cb       = client->handlers[NKA_JOIN_GROUP].cb;
        request->rkbuf_opaque   = client->handlers[NKA_JOIN_GROUP].opaque;
        request->rkbuf_response = response;
        op                      = rd_kafka_op_new(RD_KAFKA_OP_RECV_BUF);
        op->rko_u.xbuf.rkbuf    = request;
        rd_kafka_q_enq(client->rk->rk_ops, op);
}

/* Main thread: tells of a response, and returns 1 if it comes again later. It is held before anyone is told of it, who may let it
 * go before this function goes on. */
static int nka_comes_later(nka_client_t *client,
                           rd_kafka_buf_t *request,
                           rd_kafka_buf_t *response,
                           unsigned char *payload,
                           size_t len,
                           int16_t version) {
        const int held = nka_hold(client, request, response);

        if (client->joined(client->watch, payload, len, version) || !held)
                return held;
        request = nka_take(client, 0, &response);
        if (!request)
                return 1; /* It was let go. */
        rd_kafka_buf_destroy(request);
        rd_kafka_buf_destroy(response);
        return 0;
}

/* The error code of a response: its first field in the oldest versions, in later ones the field after the throttle
 * time. */
static int nka_code(const unsigned char *payload, size_t len, int16_t api_key, int16_t version) {
        int throttled = api_key == RD_KAFKAP_JoinGroup                ? 2
                        : api_key == RD_KAFKAP_ConsumerGroupHeartbeat ? 0
                                                                      : 1;
        size_t at     = version >= throttled ? 4 : 0;

        if (len < at + 2)
                return RD_KAFKA_RESP_ERR__BAD_MSG;
        return (int16_t)((payload[at] << 8) | payload[at + 1]);
}

/* Main thread, or any thread with ERR__DESTROY: in place of librdkafka's own handler of a response. */
static void nka_handle_response(rd_kafka_t *rk,
                                rd_kafka_broker_t *rkb,
                                rd_kafka_resp_err_t err,
                                rd_kafka_buf_t *response,
                                rd_kafka_buf_t *request,
                                void *opaque) {
        nka_handler_t *handler = opaque;
        nka_client_t *client   = handler->client;
        const int16_t api_key  = request->rkbuf_reqhdr.ApiKey;
        const int16_t version  = request->rkbuf_reqhdr.ApiVersion;

        if (err) {
                client->answered(client->watch, api_key, err);
        } else if (response) {
                /* A copy, so that librdkafka reads from where it would have. */
                rd_slice_t reader   = response->rkbuf_reader;
                size_t len          = rd_slice_remains(&reader);
                const void *payload = rd_slice_ensure_contig(&reader, len);

                if (payload)
                        client->answered(client->watch, api_key, nka_code(payload, len, api_key, version));
                if (payload && api_key == RD_KAFKAP_JoinGroup &&
                    nka_comes_later(client, request, response, (unsigned char *)payload, len, version))
                        return;
        }

        handler->cb(rk, rkb, err, response, request, handler->opaque);
}

/* The index of a watched request's handler; negative for other requests. */
static int nka_watched(int16_t api_key) {
        switch (api_key) {
        case RD_KAFKAP_FindCoordinator:
                return NKA_FIND_COORDINATOR;
        case RD_KAFKAP_JoinGroup:
                return NKA_JOIN_GROUP;
        case RD_KAFKAP_SyncGroup:
                return NKA_SYNC_GROUP;
        case RD_KAFKAP_ConsumerGroupHeartbeat:
                return NKA_HEARTBEAT;
        default:
                return -1;
        }
}

/* Broker thread: a request has been written in full. A retried request passes here again, its handler already
 * replaced. */
static rd_kafka_resp_err_t nka_on_request_sent(rd_kafka_t *rk,
                                               int sockfd,
                                               const char *brokername,
                                               int32_t brokerid,
                                               int16_t ApiKey,
                                               int16_t ApiVersion,
                                               int32_t CorrId,
                                               size_t size,
                                               void *ic_opaque) {
        nka_client_t *client = ic_opaque;
        /* Thread-local, set when the connection was made: belongs to the broker that this thread serves. The
         * coordinator could also be had from rk_cgrp, but the main thread clears that one while this thread may read
         * it. */
        rd_kafka_transport_t *transport = rd_kafka_curr_transport;
        rd_kafka_buf_t *request;

        const int watched = nka_watched(ApiKey);
        nka_handler_t *handler;

        if (watched < 0 || !transport || transport->rktrans_rkb->rkb_rk != rk)
                return RD_KAFKA_RESP_ERR_NO_ERROR;

        TAILQ_FOREACH(request, &transport->rktrans_rkb->rkb_outbufs.rkbq_bufs, rkbuf_link) {
                if (request->rkbuf_corrid == CorrId && request->rkbuf_reqhdr.ApiKey == ApiKey)
                        break;
        }
        if (!request || !request->rkbuf_cb || request->rkbuf_cb == nka_handle_response)
                return RD_KAFKA_RESP_ERR_NO_ERROR;

        handler = &client->handlers[watched];
        if (!handler->cb) {
                handler->client = client;
                handler->cb     = request->rkbuf_cb;
                handler->opaque = request->rkbuf_opaque;
        } else if (handler->cb != request->rkbuf_cb || handler->opaque != request->rkbuf_opaque) {
                return RD_KAFKA_RESP_ERR_NO_ERROR; /* Not the request we know: leave it as it is. */
        }
        request->rkbuf_cb     = nka_handle_response;
        request->rkbuf_opaque = handler;
        return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t nka_on_new(rd_kafka_t *rk,
                                      const rd_kafka_conf_t *conf,
                                      void *ic_opaque,
                                      char *errstr,
                                      size_t errstr_size) {
        nka_client_t *client = ic_opaque;

        client->rk = rk;
        return rd_kafka_interceptor_add_on_request_sent(rk, nka_name, nka_on_request_sent, client);
}

static rd_kafka_resp_err_t nka_on_conf_destroy(void *ic_opaque) {
        nka_client_t *client = ic_opaque;

        if (client->release)
                client->release(client->owner);
        client->release_watch(client->watch);
        mtx_destroy(&client->lock);
        rd_free(client);
        return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Adds the interceptors to a configuration, which owns the returned client and the watch from then on. NULL: the
 * configuration has them already, and the watch remains the caller's. */
nka_client_t *nka_prepare(rd_kafka_conf_t *conf,
                          nka_joined_t *joined,
                          nka_answered_t *answered,
                          void *watch,
                          nka_release_t *release_watch) {
        nka_client_t *client = rd_calloc(1, sizeof(*client));

        client->joined        = joined;
        client->answered      = answered;
        client->watch         = watch;
        client->release_watch = release_watch;
        if (rd_kafka_conf_interceptor_add_on_new(conf, nka_name, nka_on_new, client)) {
                rd_free(client);
                return NULL;
        }
        mtx_init(&client->lock, mtx_plain);
        rd_kafka_conf_interceptor_add_on_conf_destroy(conf, nka_name, nka_on_conf_destroy, client);
        return client;
}
