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
