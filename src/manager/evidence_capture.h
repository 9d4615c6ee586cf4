/*
 * evidence_capture.h: how an audit gets into a report. `capture --audit --json` prints it, and has its hash written into the log of evidence; the
 * report takes for proved what stands in there, and anything else for a file that somebody gave.
 */
#ifndef MANAGER_EVIDENCE_CAPTURE_H
#define MANAGER_EVIDENCE_CAPTURE_H

#include "base/err.h"

#include <jansson.h>
#include <stdint.h>

#define EVIDENCE_AUDIT "audit" /* kind of the entry: sha256, result, mode, from, about */
#define EVIDENCE_CAPTURE_FORMAT "sealpost-capture-1"
#define EVIDENCE_NOT_ATTESTED "as given by file, not attested"

/* Of the JSON, however it is laid out. */
void evidence_capture_hash(const json_t *capture, char ret[65]);
/* 2026-11-24T17:00:00Z */
void evidence_time(int64_t at, char ret[32]);
/* What a report says of it: as it is, with the entry of the log that attests it; or inside "given", and nothing of it is the report's own word.
 * -EBADMSG: it is of another form. */
int evidence_capture_take(json_t *take_capture, const json_t *entries, json_t **ret, struct err *e);
/* "proved: …" and the like, for people. "": there is none. */
const char *evidence_capture_word(const json_t *capture);

#endif
