/* Certificates of other sources, removal, and the ways back. */
#include "pki/life_world_test.h"

static int ask_other(struct life *l, const char *words, bool same_key, struct buf *der,
                     struct err *e)
{
    struct cert_names names = CERT_NAMES_EMPTY;
    struct life_request q = {
        .name = "News",
        .key_type = "p256",
        .subject = {.common_name = "mail.example.org", .country = "DE"},
        .names = &names,
        .same_key = same_key
    };
    int rc;

    world_names(&names, words);
    rc = life_request(l, &q, der, e);
    cert_names_done(&names);
    return rc;
}

/* The other CA's answer; the world's CA plays it, its root is given with it. */
static int answer_other(struct life *l, struct span request, bool look_only, struct err *e)
{
    struct buf bytes BUF_AUTO = BUF(65536), roots BUF_AUTO = BUF(65536);
    struct chain c = CHAIN_NONE;
    struct life_offer o = {.source = IDENTITY_EXTERNAL, .certificates = &c};
    struct request *r = NULL;
    int rc;

    CHECK(request_parse(request, &r, e) == 0);
    make_answer(request, &r->names, &bytes);
    request_free(r);
    CHECK(chain_parse(buf_span(&bytes), &c, e) == 0);
    wr_span(&roots, certificate_der(f.world.root));
    o.roots = buf_span(&roots);
    rc = look_only ? life_look(l, &o, e) : life_take(l, &o, "installed", e);
    chain_done(&c);
    return rc;
}

TEST(life_refuses_an_answer_without_any_name_of_the_virtual_server)
{
    struct buf der BUF_AUTO = BUF(REQUEST_DER_MAX);
    struct err e = {""};
    struct life l;

    begin();
    boot(&l);
    EXPECT_INT(work(&l), 0);
    EXPECT_INT(ask_other(&l, "foo.example.org", false, &der, &e), 0);
    EXPECT_INT(answer_other(&l, buf_span(&der), true, &e), -EKEYREJECTED);
    EXPECT(strstr(e.text, "none of the names of") != NULL);
    EXPECT_INT(answer_other(&l, buf_span(&der), false, &e), -EKEYREJECTED);
    EXPECT_STR(identity_state_name(l.id.current.state), "live");
    EXPECT(l.id.current.source == IDENTITY_OWN_CA);
    life_done(&l);
    end();
}

TEST(life_request_waits)
{
    struct buf der BUF_AUTO = BUF(REQUEST_DER_MAX), other BUF_AUTO = BUF(REQUEST_DER_MAX);
    char serial[CERTIFICATE_SERIAL_MAX];
    struct err e = {""};
    struct life l;

    begin();
    boot(&l);
    EXPECT_INT(work(&l), 0);
    EXPECT_INT(ask_other(&l, "mail.example.org", false, &der, &e), 0);
    EXPECT_INT(ask_other(&l, "mail.example.org", false, &other, &e), -EEXIST);
    EXPECT_INT(f.key_count, 2);
    life_done(&l);
    boot(&l);
    EXPECT_INT(work(&l), 0); /* a restart changes nothing */
    EXPECT_STR(identity_state_name(l.id.pending.state), "pending");
    EXPECT_SPAN(identity_request(&l.id.pending), buf_span(&der));
    memcpy(serial, l.id.current.serial, sizeof(serial));
    EXPECT_INT(life_renew(&l, "own CA meanwhile", &e), 0);
    EXPECT(strcmp(serial, l.id.current.serial) != 0 && f.key_count == 3);
    /* refused: another key, another name; everything stays */
    memcpy(serial, l.id.current.serial, sizeof(serial));
    for (f.foreign = 1; f.foreign <= 2; f.foreign++) {
        EXPECT_INT(answer_other(&l, buf_span(&der), false, &e), -EKEYREJECTED);
        EXPECT(strstr(e.text, f.foreign == 1 ? "another key" : "mail.example.org"));
        EXPECT_STR(l.id.current.serial, serial);
        EXPECT_STR(identity_state_name(l.id.pending.state), "pending");
    }
    f.foreign = 0;
    EXPECT_INT(answer_other(&l, buf_span(&der), true, &e), 0);
    EXPECT_STR(l.id.current.serial, serial);
    EXPECT_INT(answer_other(&l, buf_span(&der), false, &e), 0);
    EXPECT(strcmp(serial, l.id.current.serial) != 0);
    EXPECT_INT(l.id.current.source, IDENTITY_EXTERNAL);
    EXPECT_STR(l.id.current.name, "News");
    check_settled(&l);
    EXPECT_INT(answer_other(&l, buf_span(&der), false, &e), -ENOENT);
    /* it is never replaced by itself, but it says when it ends */
    EXPECT(life_due(&l, WORLD_NOW + 80 * WORLD_DAY) == NULL);
    EXPECT(life_notice(&l, WORLD_NOW + 80 * WORLD_DAY, e.text) && strstr(e.text, "cert renew"));
    EXPECT(!life_notice(&l, WORLD_NOW + WORLD_DAY, e.text));
    /* renewed with the key in use: it is kept once, and goes with its last user */
    EXPECT_INT(ask_other(&l, "mail.example.org", true, &der, &e), 0);
    EXPECT_STR(l.id.pending.key_id, l.id.current.key_id);
    EXPECT_INT(life_cancel(&l, &e), 0);
    EXPECT(find_key(l.id.current.key_id) != NULL);
    EXPECT_INT(life_cancel(&l, &e), -ENOENT);
    life_done(&l);
    end();
}

TEST(life_removed_and_back)
{
    char serial[CERTIFICATE_SERIAL_MAX];
    struct err e = {""};
    struct life l;

    begin();
    boot(&l);
    EXPECT_INT(work(&l), 0);
    EXPECT_INT(life_rollback(&l, &e), -ENOENT);
    memcpy(serial, l.id.current.serial, sizeof(serial));
    f.removed = true;
    EXPECT_INT(life_remove(&l, &e), 0);
    EXPECT(f.shown[0].n == 0 && f.key_count == 1);
    EXPECT_INT(life_remove(&l, &e), -ENOENT);
    life_done(&l);
    boot(&l);
    EXPECT_INT(work(&l), 0); /* none is made by itself */
    EXPECT_STR(identity_state_name(l.id.current.state), "none");
    EXPECT_INT(life_rollback(&l, &e), 0);
    f.removed = false;
    EXPECT_STR(l.id.current.serial, serial);
    check_settled(&l);
    EXPECT_INT(life_renew(&l, "asked for", &e), 0);
    drop_key(l.id.retired[0].key_id);
    EXPECT_INT(life_rollback(&l, &e), -ENOENT);
    EXPECT(strstr(e.text, "is gone") && strcmp(l.id.current.serial, serial) != 0);
    life_done(&l);
    end();
}

/* Dies in each operation of a request, its answer and the way back: one state, with all its keys. */
static bool source_dies_at(unsigned fuse, bool after)
{
    struct buf der BUF_AUTO = BUF(REQUEST_DER_MAX);
    struct err e = {""};
    bool died;
    struct life l;

    begin();
    boot(&l);
    EXPECT_INT(work(&l), 0);
    f.fuse = fuse;
    f.after = after;
    if (ask_other(&l, "mail.example.org", false, &der, &e) == 0 &&
        answer_other(&l, buf_span(&der), false, &e) == 0)
        life_rollback(&l, &e);
    died = f.dead;
    f.fuse = 0;
    life_done(&l);
    boot(&l);
    EXPECT_INT(work(&l), 0);
    EXPECT_STR(identity_state_name(l.id.current.state), "live");
    EXPECT_STR(f.shown_key[0], l.id.current.key_id);
    EXPECT(find_key(l.id.current.key_id) != NULL);
    EXPECT(l.id.pending.state == IDENTITY_NONE || l.id.pending.state == IDENTITY_PENDING);
    EXPECT_INT(f.key_count, 1 + l.id.retired_count + (l.id.pending.state == IDENTITY_PENDING));
    life_done(&l);
    end();
    return died;
}

TEST(life_sources_killed_at_any_moment)
{
    for (int after = 0; after < 2; after++)
        for (unsigned fuse = 1; source_dies_at(fuse, after); fuse++) {
            char name[40];
            snprintf(name, sizeof(name), "operation %u, %s it", fuse, after ? "after" : "before");
            unit_case(name);
            EXPECT(fuse < 200);
        }
    unit_case(NULL);
}

/* Another virtual server's certificate as its own: it knows its CA, and its path of renewal. */
TEST(life_takes_a_copy)
{
    struct buf bytes BUF_AUTO = BUF(65536);
    struct chain c = CHAIN_NONE;
    struct life_offer o = {.source = IDENTITY_OWN_CA,
                           .key_type = "p256",
                           .note = "copied from pop3-default",
                           .certificates = &c};
    char key[IDENTITY_KEY_ID_MAX + 1];
    struct err e = {""};
    struct life l;

    begin();
    boot(&l);
    EXPECT_INT(work(&l), 0);
    buf_put_span(&bytes, identity_chain(&l.id.current));
    memcpy(key, l.id.current.key_id, sizeof(key));
    EXPECT_INT(life_renew(&l, "asked for", &e), 0); /* a key of its own, which is replaced */
    o.key_id = key;
    CHECK(chain_parse(buf_span(&bytes), &c, &e) == 0);
    EXPECT_INT(life_take(&l, &o, o.note, &e), 0);
    EXPECT_STR(l.id.current.key_id, key);
    EXPECT_STR(identity_source_name(l.id.current.source), "own CA");
    EXPECT(history_has(&l, "copied from pop3-default"));
    EXPECT(life_due(&l, WORLD_NOW) == NULL);
    EXPECT_STR(life_due(&l, WORLD_NOW + 70 * WORLD_DAY), "renewal in time");
    EXPECT_INT(life_renew(&l, "renewal in time", &e), 0);
    EXPECT(strcmp(l.id.current.key_id, key) != 0);
    /* names that this virtual server needs and the certificate has not */
    want(&l, "mail.example.org localhost 127.0.0.1 ::1 news.example.org");
    EXPECT_INT(life_take(&l, &o, o.note, &e), -EKEYREJECTED);
    EXPECT(strstr(e.text, "not for the DNS name news.example.org") != NULL);
    EXPECT(strcmp(l.id.current.key_id, key) != 0);
    chain_done(&c);
    life_done(&l);
    end();
}
