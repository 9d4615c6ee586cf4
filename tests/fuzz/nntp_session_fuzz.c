/* What a reader of news says who may read and post. */
#include "session_fuzz.h"

FUZZ_SESSION(.protocol = "nntp", .policy = "opportunistic",
             .options = {"anonymous_read = true;", "anonymous_post = true;",
                         "allow = [\"127.0.0.0/8\"];", "limits.errors = 1000;"},
             .before = "GROUP local.test\r\n", .after = "\r\n.\r\nQUIT\r\n")
