#include "pki/profile.h"
#include "base/check.h"

static const struct profile profiles[PROFILE_COUNT] = {
#define PROFILE(id, name, days, days_max, path, use, eku, names, doc)                              \
    {PROFILE_##id, name, days, days_max, path, use, eku, names, doc},
#include "pki/profiles.def"
#undef PROFILE
};

const struct profile *cert_profile_get(enum profile_id id)
{
    CHECK((unsigned)id < PROFILE_COUNT);
    return &profiles[id];
}

const struct profile *cert_profile_by_name(struct span name)
{
    for (unsigned i = 0; i < PROFILE_COUNT; i++)
        if (span_eq_cstr(name, profiles[i].name))
            return &profiles[i];
    return NULL;
}
