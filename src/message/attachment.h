/* attachment.h: would a person call this part an attachment? */
#ifndef MESSAGE_ATTACHMENT_H
#define MESSAGE_ATTACHMENT_H

#include "message/mime.h"

bool mime_is_attachment(const struct mime *m, uint32_t index, struct buf *scratch);
bool mime_has_attachment(const struct mime *m, struct buf *scratch);

#endif
