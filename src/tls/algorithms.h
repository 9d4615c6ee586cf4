/*
 * algorithms.h: what every handshake computes, faster than OpenSSL 3.0's own provider does it and with
 * the same results: X25519 key pairs (by libsodium) and the key schedule of TLS 1.3. Contexts made with
 * the property query use them; everybody else in the process gets OpenSSL's own.
 */
#ifndef TLS_ALGORITHMS_H
#define TLS_ALGORITHMS_H

/* Loads them at the first call; the property query that prefers them. */
const char *tls_algorithms(void);

#endif
