/* The life of a certificate of our own CA, and its death in every operation. */
#include "pki/life_world_test.h"

TEST(life_first_certificate)
{
    struct life l;
    struct buf json BUF_AUTO = BUF(65536);
    struct err e = {""};

    begin();
    boot(&l);
    EXPECT_STR(life_due(&l, WORLD_NOW), "no certificate");
    EXPECT_INT(work(&l), 0);
    check_settled(&l);
    EXPECT_INT(l.id.retired_count, 0);
    EXPECT_INT(l.id.event_count, 5); /* key, requested, issued, staged, live */
    EXPECT(life_due(&l, WORLD_NOW) == NULL);
    life_json(&l, WORLD_NOW, &json);
    EXPECT(strstr(buf_cstr(&json), "\"from\":\"staged\",\"to\":\"live\""));
    EXPECT_INT(life_renew(&l, "asked for", &e), 0);
    check_settled(&l);
    EXPECT_INT(l.id.retired_count, 1);
    /* the old key stays for a day */
    EXPECT_INT(life_tidy(&l, WORLD_NOW + 86399, &e), 0);
    EXPECT_INT(l.id.retired_count, 1);
    EXPECT_INT(life_tidy(&l, WORLD_NOW + 86400, &e), 0);
    EXPECT_INT(l.id.retired_count, 0);
    check_settled(&l);
    life_done(&l);
    end();
}

/* The process dies in every operation, before and after its effect, and a new one takes over. */
static void die_everywhere(unsigned prepared, int64_t later)
{
    for (int after = 0; after < 2; after++)
        for (unsigned fuse = 1;; fuse++) {
            struct life l;
            bool died;
            char name[60];

            snprintf(name, sizeof(name), "dies %s operation %u", after ? "after" : "before", fuse);
            unit_case(name);
            begin();
            boot(&l);
            for (unsigned i = 0; i < prepared; i++) {
                struct err e;
                EXPECT_INT(life_renew(&l, "before", &e), 0);
            }
            clock_fake((WORLD_NOW + later) * 1000);
            f.fuse = fuse;
            f.after = after;
            work(&l);
            died = f.dead;
            life_done(&l);
            f.fuse = 0;
            for (int again = 0; again < 2; again++) { /* and a start with nothing to do */
                boot(&l);
                if (prepared && f.disk.n) { /* what was live is shown before anything new is made */
                    struct err e;
                    EXPECT_INT(life_reconcile(&l, &e), 0);
                    EXPECT(f.shown[0].n > 0);
                }
                EXPECT_INT(work(&l), 0);
                check_settled(&l);
                EXPECT(l.id.retired_count <= prepared);
                if (again == 0)
                    life_done(&l);
            }
            EXPECT(f.issued <= prepared + 2);
            life_done(&l);
            end();
            if (!died)
                break;
        }
    unit_case(NULL);
}

TEST(life_dies_while_making_the_first)
{
    die_everywhere(0, 0);
}

TEST(life_dies_while_renewing)
{
    die_everywhere(1, INT64_C(70) * 86400);
}

TEST(life_dies_while_forgetting_the_oldest)
{
    die_everywhere(IDENTITY_RETIRED_MAX + 1, INT64_C(70) * 86400);
}

TEST(life_renews_in_time)
{
    char text[600];
    struct life l;
    int64_t at;

    begin();
    boot(&l);
    EXPECT_INT(work(&l), 0);
    at = life_renew_at(&l);
    EXPECT(at >= WORLD_NOW - 300 + 60 * WORLD_DAY && at <= WORLD_NOW + 65 * WORLD_DAY);
    EXPECT(life_due(&l, at - 1) == NULL);
    EXPECT_STR(life_due(&l, at), "renewal in time");
    /* the clock went back before it begins */
    EXPECT(life_due(&l, l.id.current.not_before) == NULL);
    EXPECT(!life_notice(&l, l.id.current.not_before, text));
    EXPECT_STR(life_due(&l, l.id.current.not_before - 1), "not yet valid: the clock went back");
    EXPECT(life_notice(&l, l.id.current.not_before - 1, text) && strstr(text, "not yet valid"));
    /* the date is the same after another start */
    life_done(&l);
    boot(&l);
    EXPECT_INT(life_renew_at(&l), at);
    want(&l, "mail.example.org imap.example.org");
    EXPECT_STR(life_due(&l, WORLD_NOW), "names changed");
    EXPECT_INT(work(&l), 0);
    check_settled(&l);
    EXPECT(!life_revoked(&l, "00"));
    EXPECT(life_due(&l, WORLD_NOW) == NULL);
    EXPECT(life_revoked(&l, l.id.current.serial));
    EXPECT_STR(life_due(&l, WORLD_NOW), "revoked by its CA");
    EXPECT_INT(work(&l), 0);
    check_settled(&l);
    EXPECT(life_due(&l, WORLD_NOW) == NULL);
    want(&l, "mail.example.org"); /* fewer are no reason */
    EXPECT(life_due(&l, WORLD_NOW) == NULL);
    life_done(&l);
    end();
}

TEST(life_failures)
{
    static const struct {
        const char *name;
        int key_make, key_get, issue, save, foreign;
        bool given_up; /* the next slot is empty afterwards */
    } cases[] = {
        {"keyd away",                    -EPIPE, 0,          0,            0,       0, true },
        {"keyd slow",                    0,      -ETIMEDOUT, 0,            0,       0, false},
        {"cad away",                     0,      0,          -EPIPE,       0,       0, false},
        {"cad refuses",                  0,      0,          -EPERM,       0,       0, false},
        {"key compromised",              0,      0,          -EKEYREVOKED, 0,       0, true },
        {"key lost",                     0,      -ENOENT,    0,            0,       0, true },
        {"disk full",                    0,      0,          0,            -ENOSPC, 0, false},
        {"certificate for another key",  0,      0,          0,            0,       1, true },
        {"certificate without the name", 0,      0,          0,            0,       2, true },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct life l;
        struct err e = {""};
        char live[CERTIFICATE_SERIAL_MAX];

        unit_case(cases[i].name);
        begin();
        boot(&l);
        EXPECT_INT(work(&l), 0);
        memcpy(live, l.id.current.serial, sizeof(live));
        f.fail_key_make = cases[i].key_make;
        f.fail_key_get = cases[i].key_get;
        f.fail_issue = cases[i].issue;
        f.fail_save = cases[i].save;
        f.foreign = cases[i].foreign;
        EXPECT(life_renew(&l, "test", &e) < 0);
        EXPECT_STR(l.id.current.serial, live); /* service goes on */
        EXPECT(identity_is_served(&l.id.current));
        EXPECT_INT(l.id.next.state == IDENTITY_NONE, cases[i].given_up);
        EXPECT(l.failure[0] && l.retry_at > WORLD_NOW);
        if (cases[i].given_up) {
            EXPECT_STR(identity_state_name(l.id.current.state), "live");
            EXPECT_INT(f.key_count, 1);
        }
        f.foreign = 0;
        EXPECT(life_due(&l, WORLD_NOW) == NULL); /* not at once again */
        EXPECT_INT(life_renew(&l, "again", &e), 0);
        check_settled(&l);
        EXPECT(strcmp(l.id.current.serial, live) != 0);
        life_done(&l);
        end();
    }
}

/* The disk fails in each of the writes of a renewal, once. */
TEST(life_survives_a_full_disk)
{
    for (unsigned writes = 0; writes < 5; writes++) {
        struct life l;
        struct err e = {""};
        int rc;

        begin();
        boot(&l);
        EXPECT_INT(work(&l), 0);
        f.fail_save = -ENOSPC;
        f.save_skip = writes;
        rc = life_renew(&l, "test", &e);
        EXPECT_INT(rc, -ENOSPC);
        EXPECT(l.unwritten);
        clock_fake((WORLD_NOW + 3600) * 1000);
        EXPECT(life_due(&l, clock_seconds()) != NULL);
        EXPECT_INT(life_renew(&l, "again", &e), 0);
        check_settled(&l);
        life_done(&l);
        boot(&l);
        EXPECT_INT(work(&l), 0);
        check_settled(&l);
        life_done(&l);
        end();
    }
}

TEST(life_without_roots_waits)
{
    struct life l;
    struct err e;

    begin();
    boot(&l);
    f.no_roots = true;
    EXPECT_INT(life_renew(&l, "x", &e), -EAGAIN);
    EXPECT_STR(identity_state_name(l.id.next.state), "issued");
    f.no_roots = false;
    EXPECT_INT(life_renew(&l, "x", &e), 0);
    check_settled(&l);
    EXPECT_INT(f.issued, 1); /* gone on with, not begun anew */
    life_done(&l);
    end();
}

TEST(life_key_lost_at_keyd)
{
    struct life l;

    begin();
    boot(&l);
    EXPECT_INT(work(&l), 0);
    drop_key(l.id.current.key_id);
    add_key("vserver/imap4-default"); /* one that nobody knows */
    add_key("vserver/imap4-default-2");
    life_done(&l);
    boot(&l);
    EXPECT_INT(work(&l), 0);
    EXPECT_INT(f.key_count, 2); /* the new one and that of another virtual server */
    EXPECT_STR(identity_state_name(l.id.current.state), "live");
    drop_key(f.keys[0].id[0] && strcmp(f.keys[0].label, "vserver/imap4-default-2") == 0
                 ? f.keys[0].id
                 : f.keys[1].id);
    check_settled(&l);
    life_done(&l);
    end();
}

/* A key that keyd made and could not tell of: it goes while we live, but not one that somebody may just be
 * about to tell of. */
TEST(life_sweeps_keys_that_nobody_remembers)
{
    struct err e = {""};
    struct life l;

    begin();
    boot(&l);
    EXPECT_INT(work(&l), 0);
    EXPECT_INT(life_renew(&l, "asked for", &e), 0);
    add_key("vserver/imap4-default");
    EXPECT_INT(life_sweep(&l, WORLD_NOW, &e), 0);
    EXPECT_INT(f.key_count, 3); /* with that of the retired one */
    l.keep_unknown_keys = true;
    EXPECT_INT(life_sweep(&l, WORLD_NOW + 1, &e), 0);
    EXPECT_INT(f.key_count, 3);
    l.keep_unknown_keys = false;
    EXPECT_INT(life_sweep(&l, WORLD_NOW + 1, &e), 0);
    check_settled(&l);
    life_done(&l);
    end();
}
