#include "base/leftover.h"
#include "base/fd.h"
#include "base/span.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { TOKEN_BYTES = 12 };

/* "imap4-default.identity.4qom2v4cwr3o.tmp" */
static bool is_leftover(struct span name)
{
    const struct span end = SPAN(".tmp");
    struct span token;

    if (name.n < 2 + TOKEN_BYTES + end.n || !span_eq(span_skip(name, name.n - end.n), end))
        return false;
    token = span_skip(span_head(name, name.n - end.n), name.n - end.n - TOKEN_BYTES - 1);
    for (size_t i = 1; i < token.n; i++)
        if (!ascii_is_alpha(token.p[i]) && !ascii_is_digit(token.p[i]))
            return false;
    return token.p[0] == '.';
}

int leftovers_remove(int dir)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), removed = 0;
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    if (!d) {
        int r = -errno;
        fd_close(&fd);
        return r;
    }
    while ((entry = readdir(d)) != NULL)
        if (is_leftover(span_cstr(entry->d_name)) && unlinkat(dir, entry->d_name, 0) == 0)
            removed++;
    closedir(d);
    return removed;
}
