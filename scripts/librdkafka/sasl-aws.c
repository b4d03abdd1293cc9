

/**
 * @name SASL AWS, as kafkajs speaks it.
 *
 * One round: the identity, the id of the access key, its secret and the token
 * of the session (which may be empty), with a NUL between each; whatever a
 * broker answers without an error is success. Appended to
 * rdkafka_sasl_plain.c, as it is PLAIN with other parts.
 *
 * The identity is `sasl.username`. The others are `sasl.password`: properties
 * are texts that end at a NUL, so SASL_AWS_SEPARATOR stands for those between
 * them.
 * @{
 */

#define SASL_AWS_SEPARATOR '\x1f'

/** How often SASL_AWS_SEPARATOR is in `sasl.password`. */
#define SASL_AWS_SEPARATORS 2


static int rd_kafka_sasl_aws_client_new(rd_kafka_transport_t *rktrans,
                                        const char *hostname,
                                        char *errstr,
                                        size_t errstr_size) {
        rd_kafka_broker_t *rkb = rktrans->rktrans_rkb;
        rd_kafka_t *rk         = rkb->rkb_rk;
        const char *identity, *keys;
        size_t identity_len, keys_len, i;
        char *token;
        int r;

        mtx_lock(&rk->rk_conf.sasl.lock);
        identity     = rk->rk_conf.sasl.username;
        keys         = rk->rk_conf.sasl.password;
        identity_len = strlen(identity);
        keys_len     = strlen(keys);
        /* Tokens of sessions may be long: not on the stack. */
        token = rd_malloc(identity_len + 1 + keys_len);
        memcpy(token, identity, identity_len);
        token[identity_len] = '\0';
        memcpy(token + identity_len + 1, keys, keys_len);
        mtx_unlock(&rk->rk_conf.sasl.lock);

        for (i = identity_len + 1; i < identity_len + 1 + keys_len; i++)
                if (token[i] == SASL_AWS_SEPARATOR)
                        token[i] = '\0';

        rd_rkb_dbg(rkb, SECURITY, "SASLAWS",
                   "Sending SASL AWS authentication token");

        r = rd_kafka_sasl_send(rktrans, token,
                               (int)(identity_len + 1 + keys_len), errstr,
                               errstr_size);
        rd_free(token);
        if (r)
                return -1;

        /* As with PLAIN: what is left is the broker's answer. */
        rktrans->rktrans_sasl.complete = 1;
        return 0;
}


static int rd_kafka_sasl_aws_recv(struct rd_kafka_transport_s *rktrans,
                                  const void *buf,
                                  size_t size,
                                  char *errstr,
                                  size_t errstr_size) {
        rd_kafka_sasl_auth_done(rktrans);
        return 0;
}


static int rd_kafka_sasl_aws_conf_validate(rd_kafka_t *rk,
                                           char *errstr,
                                           size_t errstr_size) {
        const char *keys;
        int separators = 0;
        rd_bool_t is_set;

        mtx_lock(&rk->rk_conf.sasl.lock);
        is_set = rk->rk_conf.sasl.username && rk->rk_conf.sasl.password;
        for (keys = is_set ? rk->rk_conf.sasl.password : ""; *keys; keys++)
                if (*keys == SASL_AWS_SEPARATOR)
                        separators++;
        mtx_unlock(&rk->rk_conf.sasl.lock);

        if (!is_set || separators != SASL_AWS_SEPARATORS) {
                rd_snprintf(errstr, errstr_size,
                            "SASL AWS takes sasl.username, the authorization "
                            "identity, and sasl.password, the access key id, "
                            "the secret access key and the session token with "
                            "a byte 0x1f between each");
                return -1;
        }

        return 0;
}


const struct rd_kafka_sasl_provider rd_kafka_sasl_aws_provider = {
    .name          = "AWS (builtin)",
    .client_new    = rd_kafka_sasl_aws_client_new,
    .recv          = rd_kafka_sasl_aws_recv,
    .conf_validate = rd_kafka_sasl_aws_conf_validate};

/**@}*/
