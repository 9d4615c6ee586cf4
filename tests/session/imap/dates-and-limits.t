# SAVEDATE (RFC 8514), WITHIN (RFC 5032), APPENDLIMIT (RFC 7889).
! set limits.message_bytes = 4096;
S1: /^\* OK \[CAPABILITY /
C1: l LOGIN alice secret
S1: /^l OK \[CAPABILITY /
C1: c CAPABILITY
S1: /^\* CAPABILITY .* SAVEDATE WITHIN APPENDLIMIT=4096 /
S1: c OK Capability completed
C1: f1 APPEND INBOX "17-Jul-1996 02:23:25 -0700" {44}
S1: /^\+ /
C1: From: c@example.org
C1: Subject: third
C1:
C1: bye
C1:
S1: /^f1 OK /
C1: f2 APPEND INBOX {44}
S1: /^\+ /
C1: From: c@example.org
C1: Subject: third
C1:
C1: bye
C1:
S1: /^f2 OK \[APPENDUID [0-9]+ 2\]/
C1: st STATUS INBOX (APPENDLIMIT MESSAGES)
S1: * STATUS INBOX (MESSAGES 2 APPENDLIMIT 4096)
S1: st OK Status completed
C1: s SELECT INBOX
S* /^s OK /
# Both were saved just now, though one was received long ago.
C1: a1 FETCH 1:2 SAVEDATE
S1: /^\* 1 FETCH \(SAVEDATE "[ 0-9][0-9]-[A-Z][a-z][a-z]-20[0-9][0-9] [0-9:]+ \+0000"\)$/
S1: /^\* 2 FETCH \(SAVEDATE "/
S1: a1 OK Fetch completed
C1: a2 SEARCH SAVEDSINCE 1-Jan-2020
S1: * SEARCH 1 2
S1: a2 OK Search completed
C1: a3 SEARCH SINCE 1-Jan-2020
S1: * SEARCH 2
S1: a3 OK Search completed
C1: a4 SEARCH SAVEDBEFORE 1-Jan-2020
S1: * SEARCH
S1: a4 OK Search completed
C1: a5 SEARCH SAVEDON 17-Jul-1996
S1: * SEARCH
S1: a5 OK Search completed
C1: a6 SEARCH SAVEDATESUPPORTED
S1: * SEARCH 1 2
S1: a6 OK Search completed
C1: b1 SEARCH YOUNGER 86400
S1: * SEARCH 2
S1: b1 OK Search completed
C1: b2 SEARCH OLDER 86400
S1: * SEARCH 1
S1: b2 OK Search completed
C1: b3 SEARCH OLDER 4294967295
S1: * SEARCH
S1: b3 OK Search completed
C1: b4 SEARCH YOUNGER 0
S1: /^b4 BAD /
C1: d1 APPEND INBOX {4097}
S1: /^d1 NO \[TOOBIG\] /
