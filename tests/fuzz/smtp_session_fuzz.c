/* What a stranger says to port 25. */
#include "session_fuzz.h"

FUZZ_SESSION(.protocol = "smtp", .policy = "opportunistic",
             .options = {"limits.message_bytes = 65536;", "limits.errors = 1000;"},
             .before = "EHLO x\r\n", .after = "\r\n.\r\nQUIT\r\n")
