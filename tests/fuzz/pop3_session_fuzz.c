/* What somebody who has logged in says to POP3. */
#include "session_fuzz.h"

FUZZ_SESSION(.protocol = "pop3", .policy = "tls", .options = {"limits.errors = 1000;"},
             .before = "USER alice\r\nPASS secret\r\n", .after = "\r\nQUIT\r\n")
