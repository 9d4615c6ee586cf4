/* fd.h: descriptors that close with their scope, and whole reads and writes. */
#ifndef BASE_FD_H
#define BASE_FD_H

#include "base/buf.h"
#include "base/err.h"

void fd_close(int *fd); /* closes if >= 0 and sets -1; keeps errno */
#define FD_AUTO __attribute__((cleanup(fd_close))) int
int fd_steal(int *fd);                             /* returns it and sets -1 */
int fd_write_all(int fd, const void *p, size_t n); /* 0 or negative errno */
int fd_read_all(int fd, void *p, size_t n);        /* 0, -ENODATA at an early end, negative errno */
int file_read(int dir, const char *path, size_t max, struct buf *out, struct err *e);
/* Appears whole or not at all: temporary file, fsync, rename, fsync of the folder. dir may be AT_FDCWD. */
int file_write(int dir, const char *path, struct span data, unsigned mode, struct err *e);
int fd_nonblock(int fd);
int fd_cloexec(int fd, bool on);

#endif
