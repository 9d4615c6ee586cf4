/* Requests in clear. */
#include "session_fuzz.h"

FUZZ_SESSION(.protocol = "http", .policy = "public", .before = "", .after = "\r\n\r\n")
