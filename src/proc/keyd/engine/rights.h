/* rights.h: which process may do what with which keys: the table that DESIGN section 2 describes.
 */
#ifndef KEYD_RIGHTS_H
#define KEYD_RIGHTS_H

#include "ipc/role.h"
#include "pki/keyd_msg.h"

bool right_to_sign(enum role who, unsigned purpose); /* purpose: exactly one bit */
/* Label, purposes and their combination. */
bool right_to_create(enum role who, const struct key_create_request *r);
bool right_to_delete(enum role who, const char *label);
/* One bit → "tls-server", …; NULL: none or several. */
const char *purpose_name(unsigned purpose);

#endif
