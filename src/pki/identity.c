#include "pki/identity.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"

#include <stdlib.h>

#define TO(state) (1u << IDENTITY_##state)
static const struct {
    const char *name;
    unsigned next;
} states[IDENTITY_STATE_COUNT] = {
#define STATE(id, text, follow, doc) [IDENTITY_##id] = {text, follow},
#include "pki/identity_states.def"
#undef STATE
};
#undef TO

const char *identity_state_name(enum identity_state s)
{
    CHECK((unsigned)s < IDENTITY_STATE_COUNT);
    return states[s].name;
}

const char *identity_source_name(enum identity_source s)
{
    static const char *const names[IDENTITY_SOURCE_COUNT] = {"own CA", "external CA", "import",
                                                             "assigned"};
    CHECK((unsigned)s < IDENTITY_SOURCE_COUNT);
    return names[s];
}

bool identity_may_follow(enum identity_state from, enum identity_state to)
{
    CHECK((unsigned)from < IDENTITY_STATE_COUNT && (unsigned)to < IDENTITY_STATE_COUNT);
    return (states[from].next & (1u << to)) != 0;
}

void identity_init(struct identity *id, const char *vserver)
{
    memset(id, 0, sizeof(*id));
    CHECK(span_to_cstr(span_cstr(vserver), id->vserver, sizeof(id->vserver)));
}

static void slot_free(struct identity_slot *s)
{
    free(s->chain);
    free(s->roots);
    free(s->request);
}

static void slot_clear(struct identity_slot *s)
{
    slot_free(s);
    *s = (struct identity_slot){.state = s->state, .since = s->since};
}

void identity_done(struct identity *id)
{
    slot_free(&id->current);
    slot_free(&id->next);
    slot_free(&id->pending);
    for (unsigned i = 0; i < id->retired_count; i++)
        slot_free(&id->retired[i]);
    free(id->events);
    memset(id, 0, sizeof(*id));
}

unsigned identity_uses(const struct identity *id, const char *key)
{
    unsigned n = 0;

    n += strcmp(id->current.key_id, key) == 0;
    n += strcmp(id->next.key_id, key) == 0;
    n += strcmp(id->pending.key_id, key) == 0;
    for (unsigned i = 0; i < id->retired_count; i++)
        n += strcmp(id->retired[i].key_id, key) == 0;
    return n;
}

/* --- the one setter */

static uint8_t slot_number(const struct identity *id, const struct identity_slot *s)
{
    return s == &id->current ? 0 : s == &id->next ? 1 : s == &id->pending ? 3 : 2;
}

static void add_event(struct identity *id, const struct identity_slot *s, enum identity_state to,
                      const char *note)
{
    struct identity_event *e;

    if (!id->events) {
        id->events = calloc(IDENTITY_EVENTS_MAX, sizeof(*id->events));
        CHECK(id->events);
    }
    if (id->event_count == IDENTITY_EVENTS_MAX)
        memmove(id->events, id->events + 1, --id->event_count * sizeof(*id->events));
    e = &id->events[id->event_count++];
    *e = (struct identity_event){.time = clock_seconds(),
                                 .slot = slot_number(id, s),
                                 .from = (uint8_t)s->state,
                                 .to = (uint8_t)to};
    memcpy(e->serial, s->serial, sizeof(e->serial));
    span_to_cstr(span_head(span_cstr(note), IDENTITY_NOTE_MAX), e->note, sizeof(e->note));
}

void identity_set(struct identity *id, struct identity_slot *s, enum identity_state to,
                  const char *note)
{
    static const char *const slots[] = {"current", "next", "retired", "pending"};

    CHECK(identity_may_follow(s->state, to));
    log_info("certificate of %s: %s %s -> %s%s%s%s%s", id->vserver, slots[slot_number(id, s)],
             states[s->state].name, states[to].name, s->serial[0] ? ", serial " : "", s->serial,
             note[0] ? ": " : "", note);
    add_event(id, s, to, note);
    s->state = to;
    s->since = clock_seconds();
}

void identity_note(struct identity *id, const struct identity_slot *s, const char *note)
{
    log_info("certificate of %s: %s%s%s: %s", id->vserver, states[s->state].name,
             s->serial[0] ? ", serial " : "", s->serial, note);
    add_event(id, s, s->state, note);
}

void identity_issued(struct identity *id, struct identity_slot *s, struct span chain,
                     const struct certificate *leaf, const char *note)
{
    free(s->chain);
    s->chain = (unsigned char *)span_dup(chain);
    s->chain_bytes = chain.n;
    memcpy(s->serial, leaf->serial, sizeof(s->serial));
    s->not_before = leaf->not_before;
    s->not_after = leaf->not_after;
    identity_set(id, s, IDENTITY_ISSUED, note);
}

void identity_swap(struct identity *id, const char *note)
{
    identity_set(id, &id->next, IDENTITY_LIVE, "in service");
    if (id->current.state != IDENTITY_NONE) {
        CHECK(id->retired_count < IDENTITY_RETIRED_MAX);
        identity_set(id, &id->current, IDENTITY_RETIRED, note);
        id->retired[id->retired_count++] = id->current;
    }
    id->current = id->next;
    id->next = (struct identity_slot){.state = IDENTITY_NONE, .since = id->current.since};
    id->off = false;
}

void identity_await(struct identity *id, struct identity_slot *s, struct span request,
                    const char *note)
{
    free(s->request);
    s->request = (unsigned char *)span_dup(request);
    s->request_bytes = request.n;
    identity_set(id, s, IDENTITY_PENDING, note);
}

void identity_take_pending(struct identity *id)
{
    CHECK(id->next.state == IDENTITY_NONE && id->pending.state == IDENTITY_PENDING);
    id->next = id->pending;
    id->pending = (struct identity_slot){.state = IDENTITY_NONE, .since = clock_seconds()};
}

static void take_from_retired(struct identity *id, unsigned i)
{
    id->retired_count--;
    memmove(&id->retired[i], &id->retired[i + 1], (id->retired_count - i) * sizeof(id->retired[0]));
}

void identity_restore(struct identity *id, unsigned i, const char *note)
{
    CHECK(i < id->retired_count && id->next.state == IDENTITY_NONE);
    identity_set(id, &id->retired[i], IDENTITY_STAGED, note);
    id->next = id->retired[i];
    take_from_retired(id, i);
}

void identity_retire(struct identity *id, const char *note)
{
    CHECK(id->retired_count < IDENTITY_RETIRED_MAX);
    identity_set(id, &id->current, IDENTITY_RETIRED, note);
    id->retired[id->retired_count++] = id->current;
    id->current = (struct identity_slot){.state = IDENTITY_NONE, .since = clock_seconds()};
    id->unproved = false;
}

void identity_forget_retired(struct identity *id, unsigned i, const char *note)
{
    CHECK(i < id->retired_count);
    identity_set(id, &id->retired[i], IDENTITY_NONE, note);
    slot_free(&id->retired[i]);
    take_from_retired(id, i);
}

void identity_drop(struct identity *id, struct identity_slot *s, const char *note)
{
    if (identity_is_served(s))
        identity_set(id, s, IDENTITY_RETIRED, note);
    identity_set(id, s, IDENTITY_NONE, note);
    slot_clear(s);
    id->unproved = id->unproved && s != &id->current;
}
