/*
 * The state of one client with custom assignors: join.c owns it, and assignors.c adds the assignors to it.
 *
 * No state is global: all of it belongs to one nka_client_t per configuration, and so per client. It is freed by the
 * configuration's own destructor, which librdkafka runs at the end of rd_kafka_destroy().
 */
#ifndef NKA_CLIENT_H
#define NKA_CLIENT_H

#include "rdkafka_int.h"
#include "rdkafka_buf.h"

/* ---- Shared with ffi.rs: keep the two in step. ---------------------------------------------------------- */

/* Is told the answer to a request of the join: an error code of the protocol or of librdkafka, or 0. */
typedef void(nka_answered_t)(void *watch, int16_t api_key, int code);

/* Sees a JoinGroup response and corrects it in place. Returns 1 when it is to be held until nka_let_go(). */
typedef int(nka_joined_t)(void *watch, unsigned char *payload, size_t len, int16_t version);

/* Frees what nka_prepare() or nka_bind() was given. */
typedef void(nka_release_t)(void *owner);

/* ---- Used by C only. ----------------------------------------------------------------------------------------- */

/* The requests of a join that are watched. */
enum { NKA_FIND_COORDINATOR, NKA_JOIN_GROUP, NKA_SYNC_GROUP, NKA_HEARTBEAT, NKA_WATCHED };

/* librdkafka's handler of the responses to a request, and its opaque, which nka_handle_response() replaces. Written
 * once, by a broker thread before the first exchanged request is answered; read by the main thread when it is. The
 * queue that carries the answer orders the two accesses, and the coordinator changes only when its requests have
 * ended. */
typedef struct nka_handler_s {
        struct nka_client_s *client;
        rd_kafka_resp_cb_t *cb;
        void *opaque;
} nka_handler_t;

typedef struct nka_client_s {
        nka_joined_t *joined;
        nka_answered_t *answered;
        /* The argument of both callbacks. */
        void *watch;
        nka_release_t *release_watch;
        /* Set by on_new: the client made from the configuration. */
        rd_kafka_t *rk;
        /* The assignors, owned from nka_bind() on. */
        void *owner;
        nka_release_t *release;
        nka_handler_t handlers[NKA_WATCHED];
        /* Guards the fields below, which the main thread sets and any thread takes. */
        mtx_t lock;
        /* The JoinGroup request whose response is held, and that response. */
        rd_kafka_buf_t *held_request;
        rd_kafka_buf_t *held_response;
        /* Responses are no longer held. */
        int closed;
} nka_client_t;

#endif
