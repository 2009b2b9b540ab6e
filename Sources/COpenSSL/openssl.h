// The headers that ReplicaLink uses of OpenSSL 1.1.1 or 3, and those of its macros that Swift cannot
// see, as functions of the same meaning.

#ifndef MIGR8SYNC_OPENSSL_H
#define MIGR8SYNC_OPENSSL_H

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

static inline int migr8sync_error_is_ssl(unsigned long code) {
  return ERR_GET_LIB(code) == ERR_LIB_SSL;
}

static inline int migr8sync_error_reason(unsigned long code) {
  return ERR_GET_REASON(code);
}

static inline int migr8sync_require_tls12(SSL_CTX *context) {
  return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
}

static inline void migr8sync_refuse_renegotiation(SSL_CTX *context) {
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
}

static inline void migr8sync_set_mode(SSL_CTX *context, long mode) {
  SSL_CTX_set_mode(context, mode);
}

static inline void migr8sync_read_ahead(SSL_CTX *context, size_t bytes) {
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_default_read_buffer_len(context, bytes);
}

static inline int migr8sync_set_server_name(SSL *session, const char *name) {
  return (int)SSL_set_tlsext_host_name(session, name);
}

#endif
