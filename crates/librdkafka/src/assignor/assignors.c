/*
 * Consumer group assignors of our own in a statically linked librdkafka.
 *
 * librdkafka has no public API for a custom assignor: its own three are registered with the internal
 * rd_kafka_assignor_add(), which is an ordinary function of the static library. This file calls it, and is
 * compiled against librdkafka's private headers for it. It only translates; every decision is Rust's (callbacks.rs).
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
 *    sends a member's rkgm_userdata along with its assignment.
 */
#include "client.h"
#include "rdkafka_assignor.h"
#include "rdkafka_cgrp.h"
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
NKA_FIELD(rd_kafka_t, rk_cgrp, rd_kafka_cgrp_t *);

/* ---- Shared with ffi.rs: keep the two in step. ---------------------------------------------------------- */

typedef struct nka_member_s {
        const char *id;
        size_t id_len;
        const void *user_data;
        size_t user_data_len;
        /* The existing topics its subscription matches. */
        const rd_kafka_metadata_topic_t *const *topics;
        size_t topic_cnt;
        /* Out: the partitions that the assignor gives it. */
        rd_kafka_topic_partition_list_t *assignment;
        /* Out: where nka_give_user_data() puts the user data of the assignment. */
        rd_kafkap_bytes_t **given_user_data;
} nka_member_t;

/* Receives an assignor's user data, which is copied before the call returns. */
typedef void(nka_user_data_sink_t)(void *sink, const void *data, size_t len);

typedef struct nka_assignor_s {
        /* Emits the whole member metadata, or nothing when librdkafka is to build it from the user data. */
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

enum { NKA_OK = 0, NKA_FOREIGN = 1, NKA_LAYOUT = 2, NKA_NO_CLASSIC_GROUP = 3 };

/* ---- librdkafka's callbacks. ---------------------------------------------------------------------------- */

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

                /* librdkafka's leader would leave a partition that moves unassigned for one round, so that its old
                 * owner stops reading first, and the new owner would wait for a second round. These assignors allow
                 * two readers for a moment, so the members are shown as owning nothing. It has to be an empty list,
                 * not NULL, because librdkafka iterates over it; it is NULL for a member whose metadata has no owned
                 * partitions, like that of NestJS's own clients. */
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

/* During assign: replaces the user data of a member's assignment, which otherwise is the data that the member sent. */
void nka_give_user_data(const nka_member_t *view, const void *user_data, size_t len) {
        rd_kafkap_bytes_t *given = rd_kafkap_bytes_new(user_data, (int32_t)len);

        if (*view->given_user_data)
                rd_kafkap_bytes_destroy(*view->given_user_data);
        *view->given_user_data = given;
}

/* What member metadata contains besides the user data. */
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
        /* librdkafka needs metadata even when there is no user data. */
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
int nka_bind(nka_client_t *client, rd_kafka_t *rk, void *owner, nka_release_t *release, size_t shift) {
        /* Where the fields are looked for: layout.c. */
        const rd_kafka_t *at = (const void *)((const char *)rk + shift);
        rd_kafka_assignor_t *rkas;
        int i;

        if (client->rk != rk || client->owner)
                return NKA_FOREIGN;
        /* Compares the library's view of its structures with ours where that is possible: a config.h other than the
         * one the library was built with would move the fields. */
        if (rd_kafka_conf(rk) != &at->rk_conf || rd_kafka_name(rk) != at->rk_name ||
            rd_kafka_type(rk) != at->rk_type)
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

/* Registers and enables an assignor, after those added before it; it replaces one of librdkafka's own of that name.
 * The name is copied. */
rd_kafka_resp_err_t nka_add(rd_kafka_t *rk, const char *name, nka_assignor_t *assignor) {
        const rd_kafka_rebalance_protocol_t protocol =
            assignor->keeps ? RD_KAFKA_REBALANCE_PROTOCOL_COOPERATIVE : RD_KAFKA_REBALANCE_PROTOCOL_EAGER;
        rd_kafka_assignor_t *rkas = rd_kafka_assignor_find(rk, name);
        rd_kafka_resp_err_t err;

        if (rkas && rkas->rkas_assign_cb != nka_assign_cb) {
                /* It has not run yet, so it has no state. */
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
