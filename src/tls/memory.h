/* memory.h: a worker's OpenSSL keeps freed blocks for the next handshake. */
#ifndef TLS_MEMORY_H
#define TLS_MEMORY_H

/* Before OpenSSL is used for anything. For processes whose only user of OpenSSL is the loop's thread. */
void tls_memory_pool(void);
/* No handshakes for a while: what was kept for them, and what else lies free in the process, goes back
 * to the system. */
void tls_memory_rest(void);

#endif
