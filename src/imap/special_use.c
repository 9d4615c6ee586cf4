#include "imap/special_use.h"

#include "base/check.h"

static const struct {
    const char *name;
    uint32_t bit;
} uses[] = {
    {"All",       MAILBOX_ALL      },
    {"Archive",   MAILBOX_ARCHIVE  },
    {"Drafts",    MAILBOX_DRAFTS   },
    {"Flagged",   MAILBOX_FLAGGED  },
    {"Important", MAILBOX_IMPORTANT},
    {"Junk",      MAILBOX_JUNK     },
    {"Sent",      MAILBOX_SENT     },
    {"Trash",     MAILBOX_TRASH    },
};

bool special_use_bit(struct span name, uint32_t *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(uses); i++)
        if (span_is(name, uses[i].name)) {
            *ret = uses[i].bit;
            return true;
        }
    return false;
}

void special_use_print(uint32_t attributes, struct buf *out)
{
    for (size_t i = 0; i < ARRAY_LEN(uses); i++)
        if (attributes & uses[i].bit) {
            buf_put_cstr(out, " \\");
            buf_put_cstr(out, uses[i].name);
        }
}
