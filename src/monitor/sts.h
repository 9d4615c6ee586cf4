/*
 * sts.h: MTA-STS (RFC 8461) as a sender reads it: the TXT record that says that there is a policy,
 * and the policy. Both come from the network.
 */
#ifndef MONITOR_STS_H
#define MONITOR_STS_H

#include "conf/mta_sts.h"

enum { STS_POLICY_MAX = 65536, STS_MX_MAX = 100 };

/* "v=STSv1; id=20240101;" False: another kind of record, or one that breaks RFC 8461 section 3.1
 * (*ret_broken). */
bool sts_record_parse(struct span txt, char ret_id[MTA_STS_ID_MAX + 1], bool *ret_broken);

struct sts_policy {
    enum conf_mta_sts_mode mode;
    uint32_t max_age;
    struct span mx[STS_MX_MAX]; /* of the text */
    unsigned mx_count;
};
/* NULL, or what is wrong with it. */
const char *sts_policy_parse(struct span text, struct sts_policy *ret);
bool sts_policy_names(const struct sts_policy *p, struct span host);

#endif
