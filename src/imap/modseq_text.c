/* modseq_text.c: a modseq as text; alone, since FETCH needs it without all the rest. */
#include "imap/modseq.h"

bool modseq_parse(struct span *c, uint64_t *ret)
{
    return parse_u64(c, INT64_MAX, ret);
}

void modseq_put(uint64_t modseq, struct buf *out)
{
    buf_put_cstr(out, "MODSEQ (");
    buf_put_u64(out, modseq);
    buf_putc(out, ')');
}
