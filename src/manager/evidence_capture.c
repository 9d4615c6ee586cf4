#include "manager/evidence_capture.h"

#include "base/check.h"
#include "manager/view.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void evidence_time(int64_t at, char ret[32])
{
    time_t t = (time_t)at;
    struct tm tm;

    gmtime_r(&t, &tm);
    strftime(ret, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

void evidence_capture_hash(const json_t *capture, char ret[65])
{
    char *text = json_dumps(capture, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII);
    unsigned char digest[32];

    CHECK(text != NULL);
    CHECK(EVP_Digest(text, strlen(text), digest, NULL, EVP_sha256(), NULL) == 1);
    for (unsigned i = 0; i < sizeof digest; i++)
        snprintf(ret + 2 * i, 3, "%02x", digest[i]);
    free(text);
}

static const json_t *entry_of(const json_t *entries, const char *hash)
{
    size_t i;
    json_t *one;

    json_array_foreach(entries, i, one)
    {
        if (strcmp(view_string(one, "kind"), EVIDENCE_AUDIT) == 0 &&
            strcmp(view_string(one, "by"), "sealpost") == 0 &&
            strcmp(view_string(one, "sha256"), hash) == 0)
            return one;
    }
    return NULL;
}

/* Members in the order that a report keeps, so that two reports can be compared. */
static json_t *sorted(json_t *take)
{
    char *text = json_dumps(take, JSON_COMPACT | JSON_SORT_KEYS);
    json_t *again = json_loads(text != NULL ? text : "", 0, NULL);

    CHECK(again != NULL);
    free(text);
    json_decref(take);
    return again;
}

int evidence_capture_take(json_t *take_capture, const json_t *entries, json_t **ret, struct err *e)
{
    const json_t *entry;
    char hash[65];

    if (!json_is_object(take_capture) || !json_is_string(json_object_get(take_capture, "mode")) ||
        !json_is_string(json_object_get(take_capture, "verdict")) ||
        !json_is_array(view_get(take_capture, "totals.endpoints")) ||
        !json_is_array(json_object_get(take_capture, "offences"))) {
        json_decref(take_capture);
        return err_set(e, -EBADMSG, "it is not what `sealpost capture --audit --json` prints");
    }
    evidence_capture_hash(take_capture, hash);
    take_capture = sorted(take_capture);
    entry = entry_of(entries, hash);
    if (entry != NULL) {
        json_object_set_new(take_capture, "attested",
                            json_pack("{s:O,s:O,s:O}", "entry", json_object_get(entry, "n"), "at",
                                      json_object_get(entry, "at"), "asked",
                                      json_object_get(entry, "asked")));
        *ret = take_capture;
        return 0;
    }
    *ret = json_pack("{s:b,s:b,s:s,s:s,s:s,s:o}", "proved", false, "attested", false, "result",
                     EVIDENCE_NOT_ATTESTED, "verdict", EVIDENCE_NOT_ATTESTED, "sha256", hash,
                     "given", take_capture);
    CHECK(*ret != NULL);
    return 0;
}

const char *evidence_capture_word(const json_t *capture)
{
    if (!json_is_object(capture))
        return "";
    if (!json_is_object(json_object_get(capture, "attested")))
        return EVIDENCE_NOT_ATTESTED;
    if (strcmp(view_string(capture, "result"), "proved for the server") == 0)
        return "proved for the server, not for its clients";
    return json_is_true(json_object_get(capture, "proved"))
               ? "proved: no marked secret and nothing beyond the plain grammar can be read"
               : "not proved";
}
