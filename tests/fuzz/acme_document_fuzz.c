/* What an ACME CA or whoever answers in its place may send: each reader gets the same bytes; the first chooses what else is read. */
#include "acme/document.h"
#include "acme/jws.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t n);

static void problem(struct span s)
{
    struct acme_problem p;
    struct err e;
    json_t *j;

    if (acme_json_read(s, &j, &e) < 0)
        return;
    if (acme_problem_read(j, &p)) {
        acme_problem_words(&p, "a.example", &e);
        for (const char *c = e.text; *c; c++)
            if ((unsigned char)*c < 32 || (unsigned char)*c >= 127)
                abort(); /* the CA's words are for terminals */
    }
    json_decref(j);
}

static void jws(struct span s)
{
    EVP_PKEY *key = NULL;
    struct jws j;
    struct err e;

    if (jws_read(s, &j, &e) < 0)
        return;
    if (j.jwk && jwk_read(j.jwk, &key, &e) == 0)
        jws_verify(&j, key);
    EVP_PKEY_free(key);
    jws_done(&j);
}

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
    struct span s = span_of(in, n);
    struct acme_directory d;
    struct acme_order o;
    struct acme_authorization a;
    struct acme_window w;
    struct web_url u;
    int64_t t;
    struct err e;

    acme_directory_read(s, &d, &e);
    if (acme_order_read(s, &o, &e) == 0)
        acme_order_done(&o);
    if (acme_authorization_read(s, &a, &e) == 0)
        acme_authorization_done(&a);
    acme_window_read(s, &w, &e);
    problem(s);
    jws(s);
    web_url_parse(s, &u);
    web_retry_after(s, 1795498140);
    acme_json_time(s, &t);
    return 0;
}
