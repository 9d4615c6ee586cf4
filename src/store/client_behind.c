/*
 * stored may answer before a change is in the index, and commits some milliseconds later, for many
 * together. Whoever reads must not miss what anybody was told: the page that is shared with stored
 * says up to which record changes were answered, and up to which they are visible. If the second is
 * less, the reader asks for a commit and waits. It waits with its thread, since a reader does not
 * suspend: for a commit, and for one sync of the log if one is under way. stored does not commit
 * late while somebody reads, so this is the first look after a time of quiet.
 */
#include "store/client.h"

#include "base/clock.h"
#include "base/log.h"
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { WAIT_MAX_MS = 5000, LOOK_MS = 5 };

static bool is_visible(const struct pin_page *pin, uint64_t told)
{
    return __atomic_load_n(&pin->visible, __ATOMIC_SEQ_CST) >= told;
}

static void wait_for_bell(struct pin_page *pin, uint32_t bell)
{
    struct timespec t = {0, LOOK_MS * 1000000L};

    syscall(SYS_futex, &pin->bell, FUTEX_WAIT, bell, &t, NULL, 0);
}

static int ask_and_wait(struct store *s, uint64_t told)
{
    uint64_t until = clock_mono_ms() + WAIT_MAX_MS;
    struct pin_page *pin = s->pin;
    int err = 0;

    if (!s->attached || link_send(s->link, MSG_STORE_CATCH_UP, SPAN_EMPTY, NULL, 0) != 0)
        return -EAGAIN;
    __atomic_store_n(&pin->waiting, 1, __ATOMIC_SEQ_CST);
    for (;;) {
        uint32_t bell = __atomic_load_n(&pin->bell, __ATOMIC_SEQ_CST);
        if (is_visible(pin, told))
            break;
        link_push(s->link);
        if (link_hung_up(s->link) || clock_mono_ms() >= until) {
            err = -EAGAIN;
            break;
        }
        wait_for_bell(pin, bell);
    }
    __atomic_store_n(&pin->waiting, 0, __ATOMIC_SEQ_CST);
    return err;
}

int client_catch_up(struct store *s)
{
    uint64_t told;

    /* First this: stored sees that somebody reads, or we see what it has told before it looked. */
    __atomic_store_n(&s->pin->read_ms, clock_mono_ms(), __ATOMIC_SEQ_CST);
    told = __atomic_load_n(&s->pin->told, __ATOMIC_SEQ_CST);
    return is_visible(s->pin, told) ? 0 : ask_and_wait(s, told);
}
