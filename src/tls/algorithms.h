/*
 * algorithms.h: what every handshake computes, faster than OpenSSL 3.0's own provider does it and with
 * the same results: X25519 key pairs (by libsodium), the key schedule of TLS 1.3 and the HMACs of its
 * Finished messages. Contexts made with the property query use them; everybody else in the process gets
 * OpenSSL's own. Random bytes are the kernel's for all.
 */
#ifndef TLS_ALGORITHMS_H
#define TLS_ALGORITHMS_H

/* Loads them at the first call; the property query that prefers them. */
const char *tls_algorithms(void);

#endif
