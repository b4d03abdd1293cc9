/*
 * Consumer group assignors of our own in a statically linked librdkafka.
 *
 * librdkafka has no public API for a custom assignor: its own three are registered with the internal
 * rd_kafka_assignor_add(), which is an ordinary function of the static library. This file calls it, and is
 * compiled against librdkafka's private headers for it. It only translates; every decision is Rust's (ffi.rs).
 *
 * What is used beyond rdkafka.h, and so has to be compared when librdkafka is upgraded:
 *
 *  - rd_kafka_assignor_add(), rd_kafka_assignor_find(), the fields of an assignor, and the signatures and
 *    threads of its callbacks (all run on the client's main thread);
 *  - rk_conf.partition_assignors and rk_conf.enabled_assignor_cnt, which rd_kafka_JoinGroupRequest() goes
 *    through on the main thread, and so only after subscribe();
 *  - rd_kafka_group_member_t, rd_kafka_assignor_topic_t and
 *    rd_kafka_consumer_protocol_member_metadata_new();
 *  - that the leader adjusts a cooperative assignment by the members' rkgm_owned after the assignor has run, and
 *    sends a member's rkgm_userdata along with its assignment;
 *  - for the repair of JoinGroup responses, and for watching the other responses of a join: rd_kafka_curr_transport, rktrans_rkb, rkb_outbufs and of a
 *    request rkbuf_corrid, rkbuf_reqhdr, rkbuf_cb, rkbuf_opaque and rkbuf_reader; that rd_kafka_send() calls
 *    the on_request_sent interceptors while the request is still in rkb_outbufs; and that a response lies in
 *    one piece of memory;
 *  - for holding such a response: that librdkafka sends no other JoinGroup request and answers no other one before
 *    its handler was called (rkcg_wait_resp), that the handler drops a response that has become outdated, that an
 *    op of type RD_KAFKA_OP_RECV_BUF with a request whose rkbuf_response is set calls the request's rkbuf_cb on the
 *    main thread, with ERR__DESTROY should the queue be closed, and that it then lets both buffers go;
 *  - that rd_kafka_destroy() runs the on_conf_destroy interceptors last, after all threads are joined, all
 *    assignors freed and all queues purged.
 *
 * Why responses are repaired: NestJS's reply assigner announces member metadata of version 1 without the
 * owned partitions that version 1 implies. A librdkafka leader drops such a member from the assignment, and
 * says so in a debug log only. The response is corrected before librdkafka parses it (join_response.rs).
 * librdkafka's own handler for it is static, so it is taken from the request itself: once the request has been
 * written, its callback and its opaque are exchanged, as a pair, for ours.
 *
 * Why responses are watched: librdkafka tries without end to join, and tells nobody why it does not get on.
 *
 * Why responses are held: an assignor that is a JavaScript function cannot answer on librdkafka's main thread. So
 * the leader's response, which names the members, is kept back as if it were still on its way, while JavaScript
 * assigns the partitions; then librdkafka gets it, and runs an assignor that has the answer already. The main thread
 * waits for nothing meanwhile.
 *
 * No state is global: everything hangs off one nka_client_t per configuration, and so per client. It is freed
 * by the configuration's own destructor, which librdkafka runs at the end of rd_kafka_destroy().
 */
#include "rdkafka_int.h"
#include "rdkafka_assignor.h"
#include "rdkafka_broker.h"
#include "rdkafka_buf.h"
#include "rdkafka_cgrp.h"
#include "rdkafka_transport_int.h"
#include "../private.h"

NKA_FUNCTION(rd_kafka_assignor_find, rd_kafka_assignor_t *(*)(rd_kafka_t *, const char *));
NKA_FIELD(rd_kafka_assignor_t, rkas_protocol_name, rd_kafkap_str_t *);
NKA_FIELD(rd_kafka_assignor_t, rkas_opaque, void *);
NKA_FIELD(rd_kafka_assignor_t, rkas_enabled, int);
NKA_FIELD(rd_kafka_assignor_t, rkas_index, int);
NKA_FIELD(rd_kafka_conf_t, partition_assignors, rd_list_t);
NKA_FIELD(rd_kafka_conf_t, enabled_assignor_cnt, int);
NKA_FIELD(rd_kafka_conf_t, group_protocol_type, rd_kafkap_str_t *);
NKA_FIELD(rd_kafka_group_member_t, rkgm_member_id, rd_kafkap_str_t *);
NKA_FIELD(rd_kafka_group_member_t, rkgm_userdata, rd_kafkap_bytes_t *);
NKA_FIELD(rd_kafka_group_member_t, rkgm_owned, rd_kafka_topic_partition_list_t *);
NKA_FIELD(rd_kafka_group_member_t, rkgm_assignment, rd_kafka_topic_partition_list_t *);
NKA_FIELD(rd_kafka_group_member_t, rkgm_eligible, rd_list_t);
NKA_FIELD(rd_kafka_assignor_topic_t, metadata, const rd_kafka_metadata_topic_t *);
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
NKA_FIELD(rd_kafka_t, rk_cgrp, rd_kafka_cgrp_t *);

static const char nka_name[] = "nestjs-kafka-native";

/* ---- Shared with ffi.rs: keep the two in step. ---------------------------------------------------------- */

typedef struct nka_member_s {
        const char *id;
        size_t id_len;
        const void *user_data;
        size_t user_data_len;
        /* The existing topics its subscription matches. */
        const rd_kafka_metadata_topic_t *const *topics;
        size_t topic_cnt;
        /* Out: what the assignor gives it. */
        rd_kafka_topic_partition_list_t *assignment;
        /* Out: where nka_give_user_data() puts what goes with it. */
        rd_kafkap_bytes_t **given_user_data;
} nka_member_t;

/* Receives an assignor's user data, which is copied before the call returns. */
typedef void(nka_user_data_sink_t)(void *sink, const void *data, size_t len);

typedef struct nka_assignor_s {
        /* Emits the member metadata as a whole, or nothing when it is to be made of the user data. */
        void (*metadata)(const struct nka_assignor_s *self, nka_user_data_sink_t *emit, void *sink);
        void (*user_data)(const struct nka_assignor_s *self, nka_user_data_sink_t *emit, void *sink);
        /* Returns 0, or -1 with errstr written. */
        int (*assign)(const struct nka_assignor_s *self,
                      const char *leader,
                      const nka_member_t *members,
                      size_t member_cnt,
                      const rd_kafka_metadata_topic_t *const *topics,
                      size_t topic_cnt,
                      char *errstr,
                      size_t errstr_size);
        void (*on_assignment)(const struct nka_assignor_s *self,
                              const rd_kafka_topic_partition_list_t *assignment);
        /* Members keep what they own during a rebalance. */
        int keeps;
        /* Rust's fields follow. */
} nka_assignor_t;

/* Learns what a request of the join was answered with: an error code of the protocol or of librdkafka, or 0. */
typedef void(nka_answered_t)(void *watch, int16_t api_key, int code);

/* Sees a JoinGroup response, and corrects it in place. Returns 1 when it is to be held until nka_let_go(). */
typedef int(nka_joined_t)(void *watch, unsigned char *payload, size_t len, int16_t version);

/* Frees what nka_prepare() or nka_bind() was given. */
typedef void(nka_release_t)(void *owner);

enum { NKA_OK = 0, NKA_FOREIGN = 1, NKA_LAYOUT = 2, NKA_NO_CLASSIC_GROUP = 3 };

/* ---- The state of one client. ---------------------------------------------------------------------------- */

/* The requests of a join that are watched. */
enum { NKA_FIND_COORDINATOR, NKA_JOIN_GROUP, NKA_SYNC_GROUP, NKA_HEARTBEAT, NKA_WATCHED };

/* librdkafka's handler of the responses to a request, and its opaque, for which nka_handle_response() stands in.
 * Written once, by a broker thread before the first exchanged request is answered; read by the main thread when it is.
 * The queue that carries the answer orders the two, and a coordinator changes only when its requests are over. */
typedef struct nka_handler_s {
        struct nka_client_s *client;
        rd_kafka_resp_cb_t *cb;
        void *opaque;
} nka_handler_t;

typedef struct nka_client_s {
        nka_joined_t *joined;
        nka_answered_t *answered;
        /* What both are called with. */
        void *watch;
        nka_release_t *release_watch;
        /* Set by on_new: the client made from the configuration. */
        rd_kafka_t *rk;
        /* The assignors, owned from nka_bind() on. */
        void *owner;
        nka_release_t *release;
        nka_handler_t handlers[NKA_WATCHED];
        /* Guards the rest, which the main thread sets and any thread takes. */
        mtx_t lock;
        /* The JoinGroup request whose response is held, and that response. */
        rd_kafka_buf_t *held_request;
        rd_kafka_buf_t *held_response;
        /* Nothing is held any more. */
        int closed;
} nka_client_t;

/* ---- Responses. ------------------------------------------------------------------------------------------ */

/* Main thread: keeps a response back. Returns 0 when it is too late for that. */
static int nka_hold(nka_client_t *client, rd_kafka_buf_t *request, rd_kafka_buf_t *response) {
        int holds;

        mtx_lock(&client->lock);
        holds = !client->closed && !client->held_request;
        if (holds) {
                /* The second time the response goes to librdkafka's own handler. */
                request->rkbuf_cb     = client->handlers[NKA_JOIN_GROUP].cb;
                request->rkbuf_opaque = client->handlers[NKA_JOIN_GROUP].opaque;
                rd_kafka_buf_keep(request);
                rd_kafka_buf_keep(response);
                client->held_request  = request;
                client->held_response = response;
        }
        mtx_unlock(&client->lock);
        return holds;
}

/* Any thread, while the client is alive: gives a held response to librdkafka, if there is one. */
void nka_let_go(nka_client_t *client, int for_good) {
        rd_kafka_buf_t *request, *response;
        rd_kafka_op_t *op;

        mtx_lock(&client->lock);
        request               = client->held_request;
        response              = client->held_response;
        client->held_request  = NULL;
        client->held_response = NULL;
        if (for_good)
                client->closed = 1;
        mtx_unlock(&client->lock);
        if (!request)
                return;
        op                      = rd_kafka_op_new(RD_KAFKA_OP_RECV_BUF);
        request->rkbuf_response = response;
        op->rko_u.xbuf.rkbuf    = request;
        rd_kafka_q_enq(client->rk->rk_ops, op);
}

/* The error code of a response: its first field, but for the throttle time of all but the oldest versions. */
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
                    client->joined(client->watch, (unsigned char *)payload, len, version) &&
                    nka_hold(client, request, response))
                        return;
        }

        handler->cb(rk, rkb, err, response, request, handler->opaque);
}

/* The place of a watched request's handler; negative for other requests. */
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

/* Broker thread: a request has been written in full. A retried request comes here again, still exchanged. */
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
        /* Thread-local, set when the connection was made: the broker this thread serves. The coordinator could
         * also be had from rk_cgrp, but the main thread clears that one while this thread may read it. */
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

/* Adds the interceptors to a configuration, which owns the returned client and the watch from then on. NULL: it has
 * them, and the watch remains the caller's. */
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

/* ---- The assignors. -------------------------------------------------------------------------------------- */

static rd_kafka_resp_err_t nka_assign_cb(rd_kafka_t *rk,
                                         const rd_kafka_assignor_t *rkas,
                                         const char *member_id,
                                         const rd_kafka_metadata_t *metadata,
                                         rd_kafka_group_member_t *members,
                                         size_t member_cnt,
                                         rd_kafka_assignor_topic_t **eligible_topics,
                                         size_t eligible_topic_cnt,
                                         char *errstr,
                                         size_t errstr_size,
                                         void *opaque) {
        const nka_assignor_t *assignor = opaque;
        /* One more than needed: calloc(0) may return NULL, which librdkafka's wrapper takes for out of memory. */
        nka_member_t *views                      = rd_calloc(member_cnt + 1, sizeof(*views));
        const rd_kafka_metadata_topic_t **topics = rd_calloc(eligible_topic_cnt + 1, sizeof(*topics));
        size_t i;
        int failed;

        for (i = 0; i < member_cnt; i++) {
                rd_kafka_group_member_t *member = &members[i];
                nka_member_t *view              = &views[i];

                /* librdkafka's leader would give a partition that moves to nobody for one round, so that its old
                 * owner can stop reading it first: the new owner would wait for a second round. Two readers do
                 * no harm where members keep, so nobody is said to own anything. A list it must be: librdkafka
                 * goes through it, and a member whose metadata has no owned partitions, as stock's, has none. */
                if (assignor->keeps) {
                        if (member->rkgm_owned)
                                rd_kafka_topic_partition_list_destroy(member->rkgm_owned);
                        member->rkgm_owned = rd_kafka_topic_partition_list_new(0);
                }
                view->id     = member->rkgm_member_id->str;
                view->id_len = RD_KAFKAP_STR_LEN(member->rkgm_member_id);
                if (member->rkgm_userdata && !RD_KAFKAP_BYTES_IS_NULL(member->rkgm_userdata)) {
                        view->user_data     = member->rkgm_userdata->data;
                        view->user_data_len = RD_KAFKAP_BYTES_LEN(member->rkgm_userdata);
                }
                view->topics     = (const rd_kafka_metadata_topic_t *const *)member->rkgm_eligible.rl_elems;
                view->topic_cnt  = (size_t)rd_list_cnt(&member->rkgm_eligible);
                view->assignment      = member->rkgm_assignment;
                view->given_user_data = &member->rkgm_userdata;
        }
        for (i = 0; i < eligible_topic_cnt; i++)
                topics[i] = eligible_topics[i]->metadata;

        failed = assignor->assign(assignor, member_id, views, member_cnt, topics, eligible_topic_cnt, errstr,
                                  errstr_size);
        rd_free(views);
        rd_free(topics);
        return failed ? RD_KAFKA_RESP_ERR__FAIL : RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* During assign: replaces the user data that goes with a member's assignment, which is its own otherwise. */
void nka_give_user_data(const nka_member_t *view, const void *user_data, size_t len) {
        rd_kafkap_bytes_t *given = rd_kafkap_bytes_new(user_data, (int32_t)len);

        if (*view->given_user_data)
                rd_kafkap_bytes_destroy(*view->given_user_data);
        *view->given_user_data = given;
}

/* What member metadata is made of besides the user data. */
typedef struct nka_metadata_s {
        const rd_list_t *topics;
        const rd_kafka_topic_partition_list_t *owned;
        const rd_kafkap_str_t *rack;
        rd_kafkap_bytes_t *bytes; /* Out */
} nka_metadata_t;

static void nka_write_metadata(void *sink, const void *user_data, size_t len) {
        nka_metadata_t *metadata = sink;

        if (metadata->bytes)
                return;
        metadata->bytes = rd_kafka_consumer_protocol_member_metadata_new(metadata->topics, user_data, len,
                                                                         metadata->owned, -1, metadata->rack);
}

static void nka_copy_metadata(void *sink, const void *bytes, size_t len) {
        nka_metadata_t *metadata = sink;

        if (!metadata->bytes)
                metadata->bytes = rd_kafkap_bytes_new(bytes, (int32_t)len);
}

static rd_kafkap_bytes_t *nka_get_metadata_cb(const rd_kafka_assignor_t *rkas,
                                              void *assignor_state,
                                              const rd_list_t *topics,
                                              const rd_kafka_topic_partition_list_t *owned_partitions,
                                              const rd_kafkap_str_t *rack_id) {
        const nka_assignor_t *assignor = rkas->rkas_opaque;
        nka_metadata_t metadata        = {topics, owned_partitions, rack_id, NULL};

        assignor->metadata(assignor, nka_copy_metadata, &metadata);
        if (metadata.bytes)
                return metadata.bytes;
        assignor->user_data(assignor, nka_write_metadata, &metadata);
        /* librdkafka needs metadata, whatever became of the user data. */
        nka_write_metadata(&metadata, NULL, 0);
        return metadata.bytes;
}

static void nka_on_assignment_cb(const rd_kafka_assignor_t *rkas,
                                 void **assignor_state,
                                 const rd_kafka_topic_partition_list_t *assignment,
                                 const rd_kafkap_bytes_t *userdata,
                                 const rd_kafka_consumer_group_metadata_t *rkcgm) {
        const nka_assignor_t *assignor = rkas->rkas_opaque;

        assignor->on_assignment(assignor, assignment);
}

/* Checks the client and disables the assignors it has, before nka_add(). Takes owner when it returns NKA_OK. */
int nka_bind(nka_client_t *client, rd_kafka_t *rk, void *owner, nka_release_t *release) {
        rd_kafka_assignor_t *rkas;
        int i;

        if (client->rk != rk || client->owner)
                return NKA_FOREIGN;
        /* Where the library's view of its structures can be compared with ours, it is: a config.h that is not
         * the one the library was built with would move the fields. */
        if (rd_kafka_conf(rk) != &rk->rk_conf || rd_kafka_name(rk) != rk->rk_name ||
            rd_kafka_type(rk) != rk->rk_type)
                return NKA_LAYOUT;
        RD_LIST_FOREACH(rkas, &rk->rk_conf.partition_assignors, i) {
                if (rd_kafka_assignor_find(rk, rkas->rkas_protocol_name->str) != rkas)
                        return NKA_LAYOUT;
        }
        if (!rk->rk_cgrp || rk->rk_conf.group_protocol != RD_KAFKA_GROUP_PROTOCOL_CLASSIC)
                return NKA_NO_CLASSIC_GROUP;
        if (rk->rk_cgrp->rkcg_rk != rk)
                return NKA_LAYOUT;

        RD_LIST_FOREACH(rkas, &rk->rk_conf.partition_assignors, i) {
                rkas->rkas_enabled = 0;
        }
        rk->rk_conf.enabled_assignor_cnt = 0;
        client->owner                    = owner;
        client->release                  = release;
        return NKA_OK;
}

/* Registers and enables an assignor, after those added before it; one of librdkafka's own of that name gives way.
 * The name is copied. */
rd_kafka_resp_err_t nka_add(rd_kafka_t *rk, const char *name, nka_assignor_t *assignor) {
        const rd_kafka_rebalance_protocol_t protocol =
            assignor->keeps ? RD_KAFKA_REBALANCE_PROTOCOL_COOPERATIVE : RD_KAFKA_REBALANCE_PROTOCOL_EAGER;
        rd_kafka_assignor_t *rkas = rd_kafka_assignor_find(rk, name);
        rd_kafka_resp_err_t err;

        if (rkas && rkas->rkas_assign_cb != nka_assign_cb) {
                /* It has run for nobody, so it has no state. */
                rkas->rkas_protocol         = protocol;
                rkas->rkas_assign_cb        = nka_assign_cb;
                rkas->rkas_get_metadata_cb  = nka_get_metadata_cb;
                rkas->rkas_on_assignment_cb = nka_on_assignment_cb;
                rkas->rkas_destroy_state_cb = NULL;
                rkas->rkas_opaque           = assignor;
        } else {
                err = rd_kafka_assignor_add(rk, rk->rk_conf.group_protocol_type->str, name, protocol,
                                            nka_assign_cb, nka_get_metadata_cb, nka_on_assignment_cb, NULL,
                                            NULL, assignor);
                if (err)
                        return err;
                rkas = rd_kafka_assignor_find(rk, name);
                if (!rkas || rkas->rkas_opaque != assignor)
                        return RD_KAFKA_RESP_ERR__BAD_MSG;
        }
        rkas->rkas_enabled = 1;
        rkas->rkas_index   = rk->rk_conf.enabled_assignor_cnt++;
        return RD_KAFKA_RESP_ERR_NO_ERROR;
}
