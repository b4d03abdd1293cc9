/*
 * The state of one client that assignors were carried into: join.c owns it, and assignors.c gives it the assignors.
 *
 * No state is global: everything hangs off one nka_client_t per configuration, and so per client. It is freed
 * by the configuration's own destructor, which librdkafka runs at the end of rd_kafka_destroy().
 */
#ifndef NKA_CLIENT_H
#define NKA_CLIENT_H

#include "rdkafka_int.h"
#include "rdkafka_buf.h"

/* ---- Shared with ffi.rs: keep the two in step. ---------------------------------------------------------- */

/* Learns what a request of the join was answered with: an error code of the protocol or of librdkafka, or 0. */
typedef void(nka_answered_t)(void *watch, int16_t api_key, int code);

/* Sees a JoinGroup response, and corrects it in place. Returns 1 when it is to be held until nka_let_go(). */
typedef int(nka_joined_t)(void *watch, unsigned char *payload, size_t len, int16_t version);

/* Frees what nka_prepare() or nka_bind() was given. */
typedef void(nka_release_t)(void *owner);

/* ---- C's alone. ----------------------------------------------------------------------------------------- */

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

#endif
