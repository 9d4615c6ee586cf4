# CONDSTORE (RFC 7162 3.1): who has asked is told modification sequences, and STORE can be made conditional.
S1: /^\* OK \[CAPABILITY /
C1: l LOGIN alice secret
S1: /^l OK \[CAPABILITY /
S2: /^\* OK \[CAPABILITY /
C2: l LOGIN alice secret
S2: /^l OK \[CAPABILITY /
C1: q1 CAPABILITY
S1: /^\* CAPABILITY .* CONDSTORE QRESYNC /
S1: q1 OK Capability completed
C1: f1 APPEND INBOX {44}
S1: /^\+ /
C1: From: c@example.org
C1: Subject: third
C1:
C1: bye
C1:
S1: /^f1 OK \[APPENDUID [0-9]+ 1\]/
C1: f2 APPEND INBOX {44}
S1: /^\+ /
C1: From: c@example.org
C1: Subject: third
C1:
C1: bye
C1:
S1: /^f2 OK \[APPENDUID [0-9]+ 2\]/
C1: f3 APPEND INBOX {44}
S1: /^\+ /
C1: From: c@example.org
C1: Subject: third
C1:
C1: bye
C1:
S1: /^f3 OK \[APPENDUID [0-9]+ 3\]/
# Without the parameter, and before any enabling command, nothing is said of modseqs.
C1: s1 SELECT INBOX
S1: /^\* FLAGS /
S1: /^\* OK \[PERMANENTFLAGS /
S1: * 3 EXISTS
S1: * 0 RECENT
S1: * OK [UNSEEN 1] First unseen
S1: /^\* OK \[UIDVALIDITY ([0-9]+)\]/
S1: * OK [UIDNEXT 4] Predicted next UID
S1: /^\* OK \[MAILBOXID \(F[0-9a-f]+\)\]/
S1: /^s[0-9]* OK \[READ-WRITE\]/
C1: a1 STORE 1 +FLAGS (\Flagged)
S1: * 1 FETCH (FLAGS (\Flagged))
S1: a1 OK Store completed
# SELECT (CONDSTORE) in the other session.
C2: s2 SELECT INBOX (CONDSTORE)
S2: /^\* FLAGS /
S2: /^\* OK \[PERMANENTFLAGS /
S2: * 3 EXISTS
S2: * 0 RECENT
S2: * OK [UNSEEN 1] First unseen
S2: /^\* OK \[UIDVALIDITY ([0-9]+)\]/
S2: * OK [UIDNEXT 4] Predicted next UID
S2: /^\* OK \[MAILBOXID \(F[0-9a-f]+\)\]/
S2: * OK [HIGHESTMODSEQ 5] Highest
S2: /^s[0-9]* OK \[READ-WRITE\]/
C2: b1 FETCH 1:3 (MODSEQ)
S2: * 1 FETCH (MODSEQ (5))
S2: * 2 FETCH (MODSEQ (3))
S2: * 3 FETCH (MODSEQ (4))
S2: b1 OK Fetch completed
C2: b2 FETCH 1:3 (UID FLAGS) (CHANGEDSINCE 3)
S2: * 1 FETCH (UID 1 FLAGS (\Flagged) MODSEQ (5))
S2: * 3 FETCH (UID 3 FLAGS () MODSEQ (4))
S2: b2 OK Fetch completed
C2: b3 UID FETCH 2:* FAST (CHANGEDSINCE 3)
S2: /^\* 3 FETCH \(UID 3 FLAGS \(\) INTERNALDATE .* RFC822.SIZE 44 MODSEQ \(4\)\)$/
S2: b3 OK Fetch completed
C2: b4 FETCH 1:* UID (CHANGEDSINCE 5)
S2: b4 OK Fetch completed
# STORE tells the new modseq, .SILENT only that; a flag that is there already changes nothing.
C2: b5 STORE 2 +FLAGS (\Seen)
S2: * 2 FETCH (UID 2 FLAGS (\Seen) MODSEQ (6))
S2: b5 OK Store completed
C2: b6 STORE 2 +FLAGS.SILENT (\Seen \Draft)
S2: * 2 FETCH (UID 2 MODSEQ (7))
S2: b6 OK Store completed
C2: b7 STORE 2 +FLAGS.SILENT (\Seen)
S2: * 2 FETCH (UID 2 MODSEQ (7))
S2: b7 OK Store completed
# The first session has not asked: FETCH without MODSEQ; it asks by FETCH MODSEQ and hears HIGHESTMODSEQ.
C1: a2 NOOP
S1: * 2 FETCH (UID 2 FLAGS (\Seen \Draft))
S1: a2 OK Completed
C1: a3 FETCH 2 MODSEQ
S1: /^\* OK \[HIGHESTMODSEQ 7\] /
S1: * 2 FETCH (MODSEQ (7))
S1: a3 OK Fetch completed
C1: a4 STORE 3 FLAGS (\Answered)
S1: * 3 FETCH (UID 3 FLAGS (\Answered) MODSEQ (8))
S1: a4 OK Store completed
C2: b8 NOOP
S2: * 3 FETCH (UID 3 FLAGS (\Answered) MODSEQ (8))
S2: b8 OK Completed
# UNCHANGEDSINCE: what others have changed later stays as it is, and is told.
C2: c1 STORE 1:3 (UNCHANGEDSINCE 7) +FLAGS.SILENT (\Deleted)
S2: * 1 FETCH (UID 1 MODSEQ (9))
S2: * 2 FETCH (UID 2 MODSEQ (9))
S2: * 3 FETCH (UID 3 FLAGS (\Answered) MODSEQ (8))
S2: c1 OK [MODIFIED 3] Some have been changed by others
C2: c2 UID STORE 3,1 (UNCHANGEDSINCE 8) -FLAGS (\Answered)
S2: * 1 FETCH (UID 1 FLAGS (\Flagged \Deleted) MODSEQ (9))
S2: * 3 FETCH (UID 3 FLAGS () MODSEQ (10))
S2: c2 OK [MODIFIED 1] Some have been changed by others
C2: c3 STORE 3 (UNCHANGEDSINCE 0) +FLAGS.SILENT ($MDNSent)
S2: /^\* FLAGS /
S2: /^\* OK \[PERMANENTFLAGS /
S2: * 3 FETCH (UID 3 FLAGS () MODSEQ (10))
S2: c3 OK [MODIFIED 3] Some have been changed by others
C2: c4 STORE 3,3,3 (UNCHANGEDSINCE 10) +FLAGS.SILENT (\Seen)
S2: * 3 FETCH (UID 3 MODSEQ (11))
S2: c4 OK Store completed
# .SILENT hides one's own change, not that of another.
C1: d1 STORE 3 +FLAGS.SILENT (\Draft)
S1: * 3 FETCH (UID 3 MODSEQ (12))
S1: /^\* FLAGS /
S1: /^\* OK \[PERMANENTFLAGS /
S1: * 1 FETCH (UID 1 FLAGS (\Flagged \Deleted) MODSEQ (9))
S1: * 2 FETCH (UID 2 FLAGS (\Seen \Deleted \Draft) MODSEQ (9))
S1: * 3 FETCH (UID 3 FLAGS (\Seen \Draft) MODSEQ (12))
S1: d1 OK Store completed
# A change that was none is not taken for that of another (nor the other's for it).
C2: d2 STORE 1 +FLAGS (\Answered)
S2: * 1 FETCH (UID 1 FLAGS (\Answered \Flagged \Deleted) MODSEQ (13))
S2: * 3 FETCH (UID 3 FLAGS (\Seen \Draft) MODSEQ (12))
S2: d2 OK Store completed
C1: d3 STORE 2 +FLAGS (\Seen)
S1: * 2 FETCH (UID 2 FLAGS (\Seen \Deleted \Draft) MODSEQ (9))
S1: * 1 FETCH (UID 1 FLAGS (\Answered \Flagged \Deleted) MODSEQ (13))
S1: d3 OK Store completed
# Reading sets \Seen: flags, UID and modseq are told.
C1: e1 FETCH 1 BODY[TEXT]
S1: * 1 FETCH (UID 1 FLAGS (\Seen \Answered \Flagged \Deleted) MODSEQ (14) BODY[TEXT] {5}
S1: bye
S1: )
S1: e1 OK Fetch completed
# SEARCH MODSEQ
C1: g1 SEARCH MODSEQ 10
S1: * SEARCH 1 3 (MODSEQ 14)
S1: g1 OK Search completed
C1: g2 UID SEARCH MODSEQ "/flags/\\draft" all 12 NOT UID 1
S1: * SEARCH 3 (MODSEQ 12)
S1: g2 OK Search completed
C1: g3 SEARCH MODSEQ 15
S1: * SEARCH
S1: g3 OK Search completed
C1: g4 SEARCH RETURN (ALL) MODSEQ 1
S1: * ESEARCH (TAG "g4") ALL 1:3 MODSEQ 14
S1: g4 OK Search completed
C1: g5 SEARCH RETURN (MAX) MODSEQ 1
S1: * ESEARCH (TAG "g5") MAX 3 MODSEQ 12
S1: g5 OK Search completed
C1: g6 SEARCH RETURN (MIN MAX) MODSEQ 1 2:3
S1: * ESEARCH (TAG "g6") MIN 2 MAX 3 MODSEQ 12
S1: g6 OK Search completed
C1: g7 SEARCH RETURN (COUNT) SEEN
S1: * ESEARCH (TAG "g7") COUNT 3
S1: g7 OK Search completed
# STATUS, and the errors of syntax.
C1: h1 STATUS INBOX (HIGHESTMODSEQ UIDNEXT)
S1: * STATUS INBOX (UIDNEXT 4 HIGHESTMODSEQ 14)
S1: h1 OK Status completed
C1: i0 FETCH 1 FLAGS (CHANGEDSINCE)
S1: /^i0 BAD Syntax: /
C1: i1 FETCH 1 FLAGS (CHANGEDSINCE 1 CHANGEDSINCE 2)
S1: /^i1 BAD Syntax: /
C1: i2 STORE 1 (UNCHANGEDSINCE) +FLAGS (\Seen)
S1: /^i2 BAD Syntax: /
C1: i3 STORE 1 (UNCHANGEDSINCE 9223372036854775808) +FLAGS (\Seen)
S1: /^i3 BAD Syntax: /
