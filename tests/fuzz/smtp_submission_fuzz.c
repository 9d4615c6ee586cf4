/* What somebody who has logged in says to submission. */
#include "session_fuzz.h"

FUZZ_SESSION(.protocol = "smtp", .policy = "tls", .kind = "submission",
             .options = {"limits.message_bytes = 65536;", "limits.errors = 1000;"},
             .before = "EHLO x\r\nAUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n",
             .after = "\r\n.\r\nQUIT\r\n")
