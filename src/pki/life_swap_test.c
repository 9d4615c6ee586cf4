/* From staged to live: it is looked at before and behind, may be held, and goes back. */
#include "pki/life_world_test.h"

/* A new certificate that does not work as clients see it: before the swap it is given up, after it
 * the one before comes back; the history says why. The first of all is not looked at. */
TEST(life_proves_what_it_shows)
{
    for (int live = 0; live < 2; live++) {
        char serial[CERTIFICATE_SERIAL_MAX];
        struct err e = {""};
        struct life l;

        unit_case(live ? "over TCP" : "before the swap");
        begin();
        boot(&l);
        f.bad_proof[live] = true;
        EXPECT_INT(work(&l), 0);
        EXPECT_INT(f.proofs[0] + f.proofs[1], 0);
        memcpy(serial, l.id.current.serial, sizeof(serial));
        EXPECT_INT(life_renew(&l, "asked for", &e), -EKEYREJECTED);
        EXPECT_INT(f.proofs[0], 1);
        EXPECT_INT(f.proofs[1], live);
        EXPECT(strstr(e.text, "another certificate") != NULL);
        EXPECT_STR(l.id.current.serial, serial);
        EXPECT(history_has(&l, "it shows another certificate"));
        EXPECT_INT(history_has(&l, "went back: port 993"), live);
        EXPECT(l.failures == 1 && life_due(&l, clock_seconds()) == NULL);
        l.failure[0] = '\0';
        check_settled(&l);
        f.bad_proof[live] = false;
        EXPECT_INT(life_renew(&l, "asked for", &e), 0);
        EXPECT(strcmp(l.id.current.serial, serial) != 0);
        check_settled(&l);
        life_done(&l);
        end();
    }
    unit_case(NULL);
}

/* Dies in each operation of a swap that is taken back: one state, with all its keys. */
static bool going_back_dies_at(unsigned fuse, bool after)
{
    struct err e = {""};
    struct life l;
    bool died;

    begin();
    boot(&l);
    EXPECT_INT(work(&l), 0);
    f.bad_proof[1] = true;
    f.fuse = fuse;
    f.after = after;
    life_renew(&l, "asked for", &e);
    died = f.dead;
    f.fuse = 0;
    f.bad_proof[1] = false;
    life_done(&l);
    boot(&l);
    EXPECT_INT(work(&l), 0);
    check_settled(&l);
    life_done(&l);
    end();
    return died;
}

/* We die when a swap is on the disk, and before it was looked at over TCP. */
static void die_unproved(struct life *l, char ret_serial[CERTIFICATE_SERIAL_MAX])
{
    struct err e = {""};
    struct identity id;

    begin();
    boot(l);
    EXPECT_INT(work(l), 0);
    memcpy(ret_serial, l->id.current.serial, CERTIFICATE_SERIAL_MAX);
    for (unsigned fuse = 1;; fuse++) {
        f.fuse = fuse;
        f.after = true;
        f.proofs[1] = 0;
        EXPECT(life_renew(l, "asked for", &e) < 0 || !f.dead);
        REQUIRE(f.dead);
        REQUIRE(identity_read(buf_span(&f.disk), &id, &e) == 0);
        bool found = strcmp(id.current.serial, ret_serial) != 0;
        EXPECT_INT(id.unproved, found);
        identity_done(&id);
        life_done(l);
        f.fuse = 0;
        boot(l);
        if (found)
            break;
    }
    EXPECT_INT(f.proofs[1], 0);
    EXPECT(l->id.unproved);
}

TEST(life_makes_up_for_a_look_that_was_missed)
{
    for (int bad = 0; bad < 2; bad++) {
        char serial[CERTIFICATE_SERIAL_MAX];
        struct err e = {""};
        struct identity id;
        struct life l;

        unit_case(bad ? "it does not work" : "it works");
        die_unproved(&l, serial);
        EXPECT_INT(life_reconcile(&l, &e), 0);
        f.bad_proof[1] = bad;
        EXPECT_INT(life_make_up(&l, &e), bad ? -EKEYREJECTED : 0);
        EXPECT_INT(f.proofs[1], 1);
        EXPECT_INT(strcmp(l.id.current.serial, serial) == 0, bad);
        EXPECT_INT(history_has(&l, "went back: port 993"), bad);
        EXPECT_INT(l.failures, bad);
        l.failure[0] = '\0';
        check_settled(&l);
        /* once is enough, also after another start */
        EXPECT_INT(life_make_up(&l, &e), 0);
        EXPECT_INT(f.proofs[1], 1);
        REQUIRE(identity_read(buf_span(&f.disk), &id, &e) == 0);
        EXPECT(!id.unproved);
        identity_done(&id);
        life_done(&l);
        end();
    }
    unit_case(NULL);
}

/* What cannot be seen is looked at a few times more, and is no reason to go back. */
TEST(life_looks_again_where_nothing_was_seen)
{
    struct err e = {""};
    struct life l;

    begin();
    boot(&l);
    EXPECT_INT(work(&l), 0);
    f.blind = true;
    EXPECT_INT(life_renew(&l, "asked for", &e), 0);
    EXPECT(l.id.unproved);
    life_done(&l);
    boot(&l);
    EXPECT_INT(life_reconcile(&l, &e), 0);
    for (unsigned i = 0; i < 3; i++)
        EXPECT_INT(life_make_up(&l, &e), 0);
    EXPECT(l.id.unproved);
    /* one that is begun meanwhile is given up where the look then fails */
    f.fail_issue = -EPIPE;
    EXPECT_INT(life_renew(&l, "asked for", &e), -EPIPE);
    EXPECT_STR(identity_state_name(l.id.next.state), "requested");
    f.blind = false;
    f.bad_proof[1] = true;
    EXPECT_INT(life_make_up(&l, &e), -EKEYREJECTED);
    EXPECT(history_has(&l, "went back: port 993"));
    f.bad_proof[1] = false;
    l.failure[0] = '\0';
    check_settled(&l);
    /* not for ever */
    f.blind = true;
    EXPECT_INT(life_renew(&l, "asked for", &e), 0);
    for (unsigned i = 0; i < 10 && l.id.unproved; i++)
        EXPECT_INT(life_make_up(&l, &e), 0);
    EXPECT(!l.id.unproved);
    life_done(&l);
    end();
}

/* A new key stays staged until it may go live; that is no failure, and service goes on. */
TEST(life_staged_waits)
{
    struct life l;
    struct err e = {""};
    char first[IDENTITY_KEY_ID_MAX + 1];
    unsigned events;

    begin();
    f.waits = true;
    boot(&l);
    EXPECT_INT(work(&l), 0); /* nothing is served yet: nobody is asked */
    check_settled(&l);
    EXPECT_INT(f.asked, 0);
    memcpy(first, l.id.current.key_id, sizeof(first));

    EXPECT_INT(life_renew(&l, "asked for", &e), -EINPROGRESS);
    EXPECT_STR(e.text, "not seen everywhere");
    EXPECT(l.held && l.failures == 0 && l.failure[0] == '\0');
    EXPECT_STR(identity_state_name(l.id.next.state), "staged");
    EXPECT_STR(f.shown_key[0], first);
    EXPECT_STR(last_event(&l)->note, "waits: not seen everywhere");
    EXPECT(life_due(&l, WORLD_NOW) == NULL);
    events = l.id.event_count;
    life_release(&l);
    EXPECT_STR(life_due(&l, WORLD_NOW), "going on with what was begun");
    EXPECT_INT(life_swap(&l, false, &e), -EINPROGRESS);
    EXPECT(l.id.event_count <= events + 1);

    /* a restart does not forget it */
    life_done(&l);
    boot(&l);
    EXPECT_INT(work(&l), -EINPROGRESS);
    EXPECT(l.held);
    EXPECT_STR(l.id.current.key_id, first);
    f.waits = false;
    EXPECT(life_due(&l, WORLD_NOW) == NULL);
    life_release(&l);
    EXPECT_INT(work(&l), 0);
    check_settled(&l);
    EXPECT(strcmp(l.id.current.key_id, first) != 0);
    EXPECT_STR(last_event(&l)->note, "seen everywhere");
    EXPECT_INT(life_swap(&l, true, &e), -ENOENT);
    life_done(&l);
    end();
}

TEST(life_staged_need_not_wait)
{
    struct life l;
    struct err e = {""};

    begin();
    boot(&l);
    EXPECT_INT(work(&l), 0);
    f.waits = true;
    /* the administrator does not want to */
    EXPECT_INT(life_renew(&l, "asked for", &e), -EINPROGRESS);
    EXPECT_INT(life_swap(&l, true, &e), 0);
    check_settled(&l);
    EXPECT_STR(last_event(&l)->note, "put into service without waiting");
    /* the same key */
    f.asked = 0;
    l.same_key = true;
    EXPECT_INT(life_renew(&l, "asked for", &e), 0);
    EXPECT_INT(f.asked, 0);
    /* what is in use was revoked, while the next one waits */
    EXPECT_INT(life_renew(&l, "asked for", &e), -EINPROGRESS);
    EXPECT(life_revoked(&l, l.id.current.serial));
    EXPECT_INT(work(&l), 0);
    EXPECT_STR(identity_state_name(l.id.next.state), "none");
    EXPECT(!l.held);
    life_done(&l);
    end();
}

TEST(life_dies_while_going_back)
{
    for (int after = 0; after < 2; after++)
        for (unsigned fuse = 1; going_back_dies_at(fuse, after); fuse++) {
            char name[40];
            snprintf(name, sizeof(name), "operation %u, %s it", fuse, after ? "after" : "before");
            unit_case(name);
        }
    unit_case(NULL);
}
