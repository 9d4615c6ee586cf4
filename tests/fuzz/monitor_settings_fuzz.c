/* Files that the command line reads: settings, and the line with the data folder. */
#include "base/check.h"
#include "manager/control.h"
#include "manager/settings.h"
#include "manager/text.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct settings s;
    struct span text = span_of(data, size);
    struct buf folder BUF_AUTO = BUF(4096), safe BUF_AUTO = BUF(1 << 20);
    struct err e;

    if (settings_parse(text, "f", &s, &e) == 0) {
        CHECK(s.n <= SETTINGS_MAX);
        for (unsigned i = 0; i < s.n; i++) {
            CHECK(s.v[i].name[0] != '\0' && settings_get(&s, s.v[i].name) != NULL);
            for (const char *p = s.v[i].value; *p; p++)
                CHECK((unsigned char)*p >= 32 && *p != 127);
        }
    }
    control_find_data(text, "/a/b", &folder);
    text_put_safe(&safe, text, false);
    for (size_t i = 0; i < safe.n; i++)
        CHECK((unsigned char)safe.p[i] >= 32 && safe.p[i] != 127);
    return 0;
}
