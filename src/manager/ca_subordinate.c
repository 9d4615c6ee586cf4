/* ca_subordinate.c: the own issuing CA below another CA: its request out, the answer in. */
#include "base/check.h"
#include "base/fd.h"
#include "manager/ca.h"
#include "manager/text.h"
#include "pki/container.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

/* --- the request */

static int field(const struct call *c, enum option_id o, char *dst, size_t size, struct err *e)
{
    if (!has_option(c, o) || span_to_cstr(span_cstr(c->option[o]), dst, size))
        return 0;
    return usage_error(e, "--%s is too long", manager_options[o].name);
}

static int fields(const struct call *c, struct cert_fields *f, struct err *e)
{
    const struct {
        enum option_id option;
        char *dst;
    } all[] = {
        {OPT_COMMON_NAME,  f->common_name },
        {OPT_ORGANIZATION, f->organization},
        {OPT_UNIT,         f->unit        },
        {OPT_COUNTRY,      f->country     },
        {OPT_STATE,        f->state       },
        {OPT_CITY,         f->locality    },
    };
    int r = 0;

    for (size_t i = 0; r == 0 && i < ARRAY_LEN(all); i++)
        r = field(c, all[i].option, all[i].dst, CERT_FIELD_BYTES + 1, e);
    return r;
}

int cmd_ca_request(struct call *c, struct err *e)
{
    struct buf body BUF_AUTO = BUF(4096), reply BUF_AUTO = BUF(LINK_PAYLOAD_MAX),
                    pem BUF_AUTO = BUF(65536);
    const char *file = has_option(c, OPT_OUT) ? c->option[OPT_OUT] : "careq.pem";
    struct ca_ask_msg m = {.anew = has_option(c, OPT_ANEW)};
    struct control *control;
    struct span der;
    struct rd rd;
    bool made;
    int r = fields(c, &m.subject, e);

    if (r != 0)
        return r;
    if ((control = call_control(c, e)) == NULL)
        return -ENOTCONN;
    wr_ca_ask(&body, &m);
    r = control_call(control, ROLE_CAD, 0, MSG_CA_ASK, buf_span(&body), &reply, e);
    if (r < 0)
        return r;
    rd = rd_of(buf_span(&reply));
    made = rd_bool(&rd);
    der = rd_span(&rd, LINK_PAYLOAD_MAX);
    if (!rd_done(&rd))
        return err_set(e, -EPROTO, "cad's answer has another form");
    pem_write("CERTIFICATE REQUEST", der, &pem);
    r = file_write(AT_FDCWD, file, buf_span(&pem), 0644, e);
    if (r != 0)
        return r;
    return view_done(c, json_pack("{s:s,s:b}", "file", file, "new", made),
                     "%s is in %s. Have it certified as a CA (basicConstraints, keyCertSign and "
                     "cRLSign as it asks for); then `sealpost ca install ANSWER --chain FILE`.",
                     made ? "The request for a new issuing CA"
                          : "The request that waits already (--anew: another key, another request)",
                     file);
}

/* --- the answer */

static int add_file(const char *path, struct chain *add, struct err *e)
{
    struct buf bytes BUF_AUTO = BUF(CONTAINER_BYTES_MAX);
    int r = file_read(AT_FDCWD, path, CONTAINER_BYTES_MAX, &bytes, e);

    if (r == 0)
        r = container_certificates(buf_span(&bytes), add, e);
    return r < 0 ? err_wrap(e, r, "%s", text_quote(span_cstr(path))) : r;
}

/* What signs itself was given as the root to trust. */
static void part(const struct chain *all, bool roots_only, struct chain *answer,
                 struct chain *roots)
{
    for (size_t i = 0; i < all->n; i++) {
        struct chain *to = all->v[i]->self_issued || roots_only ? roots : answer;
        if (to->n < CERTIFICATE_CHAIN_MAX)
            to->v[to->n++] = all->v[i];
    }
}

static int tell_cad(struct call *c, const struct chain *answer, const struct chain *roots,
                    struct buf *reply, struct err *e)
{
    struct buf body BUF_AUTO = BUF(131072), a BUF_AUTO = BUF(CERTIFICATE_CHAIN_BYTES),
                    r BUF_AUTO = BUF(CERTIFICATE_CHAIN_BYTES);
    struct control *control = call_control(c, e);

    if (control == NULL)
        return -ENOTCONN;
    if (!chain_write(answer, &a) || !chain_write(roots, &r))
        return err_set(e, -E2BIG, "too many certificates; give those above the new CA only");
    wr_ca_install(&body, &(struct ca_install_msg){buf_span(&a), buf_span(&r)});
    return control_call(control, ROLE_CAD, 0, MSG_CA_INSTALL, buf_span(&body), reply, e);
}

static int install(struct call *c, const struct chain *given, const struct chain *trusted,
                   struct err *e)
{
    struct buf reply BUF_AUTO = BUF(LINK_PAYLOAD_MAX);
    struct chain answer = CHAIN_NONE, roots = CHAIN_NONE; /* borrowed */
    char subject[300];
    json_t *info;
    int r;

    part(trusted, true, &answer, &roots);
    part(given, false, &answer, &roots);
    r = tell_cad(c, &answer, &roots, &reply, e);
    if (r < 0)
        return r;
    if ((info = view_parse(buf_span(&reply), "cad", e)) == NULL)
        return -EIO;
    snprintf(subject, sizeof(subject), "%s",
             view_string(ca_in_use(info, "issuing"), "certificate.subject"));
    return view_done(c, info,
                     "%s issues from now on, below the other CA. What the one before has issued "
                     "stays good; virtual servers get theirs anew when they are renewed.",
                     text_quote(span_cstr(subject)));
}

int cmd_ca_install(struct call *c, struct err *e)
{
    struct chain given = CHAIN_NONE, trusted = CHAIN_NONE;
    int r = add_file(c->args[0], &given, e);

    if (r == 0 && has_option(c, OPT_CHAIN))
        r = add_file(c->option[OPT_CHAIN], &given, e);
    if (r == 0 && has_option(c, OPT_ROOT))
        r = add_file(c->option[OPT_ROOT], &trusted, e);
    if (r == 0)
        r = install(c, &given, &trusted, e);
    chain_done(&given);
    chain_done(&trusted);
    return r;
}
