/* settings.h: the file that ./start writes for clients: lines NAME=value, as a shell would read
 * simple ones. */
#ifndef MANAGER_SETTINGS_H
#define MANAGER_SETTINGS_H

#include "base/buf.h"
#include "base/err.h"

enum {
    SETTINGS_MAX = 64,
    SETTINGS_FILE_MAX = 65536,
    SETTINGS_NAME_MAX = 63,
    SETTINGS_VALUE_MAX = 1024
};

struct settings {
    struct setting {
        char name[SETTINGS_NAME_MAX + 1], value[SETTINGS_VALUE_MAX + 1];
    } v[SETTINGS_MAX];
    unsigned n;
};

/* Empty lines and lines that begin with '#' count for nothing; `export NAME=…` is taken; a value in
 * quotes loses them. -EINVAL with the line. */
int settings_parse(struct span text, const char *file, struct settings *ret, struct err *e);
int settings_read(const char *file, struct settings *ret, struct err *e);
const char *settings_get(const struct settings *s,
                         const char *name); /* NULL: not there. The last of several counts. */
void settings_wipe(struct settings *s);     /* there are passwords in it */

#endif
