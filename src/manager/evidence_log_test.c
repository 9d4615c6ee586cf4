#include "manager/evidence_log.h"

#include "unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void fill(struct evidence_log *l, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        evidence_log_add(l, "issue", 1700000000 + i,
                         json_pack("{s:s,s:i}", "serial", "0a0b", "i", (int)i));
}

TEST(chain)
{
    struct evidence_log l;
    struct err e = {""};

    evidence_log_init(&l);
    fill(&l, 5);
    EXPECT_INT(evidence_log_check(l.entries, l.head, &e), 0);
    /* changed, taken out, put in, cut at the end */
    json_object_set_new(json_array_get(l.entries, 2), "serial", json_string("ffff"));
    EXPECT(evidence_log_check(l.entries, l.head, &e) != 0);
    EXPECT_STR(e.text, "entry 3 was changed");
    json_object_set_new(json_array_get(l.entries, 2), "serial", json_string("0a0b"));
    EXPECT_INT(evidence_log_check(l.entries, l.head, &e), 0);
    json_t *out = json_incref(json_array_get(l.entries, 1));
    json_array_remove(l.entries, 1);
    EXPECT(evidence_log_check(l.entries, l.head, &e) != 0);
    EXPECT_STR(e.text, "entry 2 does not follow the one before it");
    json_array_insert_new(l.entries, 1, out);
    EXPECT_INT(evidence_log_check(l.entries, l.head, &e), 0);
    json_array_remove(l.entries, 4);
    EXPECT(evidence_log_check(l.entries, l.head, &e) != 0);
    evidence_log_done(&l);
}

TEST(file)
{
    char path[] = "/tmp/evidence_log_test.XXXXXX";
    struct evidence_log l, again;
    struct err e = {""};

    close(mkstemp(path));
    evidence_log_init(&l);
    fill(&l, 3);
    EXPECT_INT(evidence_log_write(&l, 0, path, &e), 0);
    fill(&l, 2);
    EXPECT_INT(evidence_log_write(&l, 3, path, &e), 0);
    evidence_log_init(&again);
    EXPECT_INT(evidence_log_read(&again, path, &e), 0);
    EXPECT_INT(json_array_size(again.entries), 5);
    EXPECT_STR(again.head, l.head);
    EXPECT(evidence_log_continues(again.entries, l.entries));
    evidence_log_done(&again);
    /* another history of the same length */
    evidence_log_init(&again);
    fill(&again, 4);
    evidence_log_add(&again, "revoke", 1, json_object());
    EXPECT(!evidence_log_continues(again.entries, l.entries));
    evidence_log_done(&again);
    evidence_log_done(&l);
    FILE *f = fopen(path, "a");
    fputs("{\"n\":6}\n", f);
    fclose(f);
    evidence_log_init(&again);
    EXPECT(evidence_log_read(&again, path, &e) != 0);
    evidence_log_done(&again);
    unlink(path);
    evidence_log_init(&again);
    EXPECT_INT(evidence_log_read(&again, "/nonexistent/log", &e), 0);
    EXPECT_INT(json_array_size(again.entries), 0);
    evidence_log_done(&again);
}

TEST(more_than_can_be_read_is_not_called_changed)
{
    char path[] = "/tmp/evidence_log_test.XXXXXX";
    FILE *f = fdopen(mkstemp(path), "w");
    struct evidence_log l;
    struct err e = {""};

    for (int i = 0; i <= EVIDENCE_ENTRIES_MAX; i++)
        fputs("{}\n", f);
    fclose(f);
    evidence_log_init(&l);
    EXPECT_INT(evidence_log_read(&l, path, &e), -EFBIG);
    evidence_log_done(&l);
    unlink(path);
}
