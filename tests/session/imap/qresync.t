# QRESYNC (RFC 7162 3.2): VANISHED instead of EXPUNGE, and what was missed at once.
S1: /^\* OK \[CAPABILITY /
C1: l LOGIN alice secret
S1: /^l OK \[CAPABILITY /
S2: /^\* OK \[CAPABILITY /
C2: l LOGIN alice secret
S2: /^l OK \[CAPABILITY /
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
C1: f4 APPEND INBOX {44}
S1: /^\+ /
C1: From: c@example.org
C1: Subject: third
C1:
C1: bye
C1:
S1: /^f4 OK \[APPENDUID [0-9]+ 4\]/
C1: f5 APPEND INBOX {44}
S1: /^\+ /
C1: From: c@example.org
C1: Subject: third
C1:
C1: bye
C1:
S1: /^f5 OK \[APPENDUID [0-9]+ 5\]/
C1: f6 APPEND INBOX {44}
S1: /^\+ /
C1: From: c@example.org
C1: Subject: third
C1:
C1: bye
C1:
S1: /^f6 OK \[APPENDUID [0-9]+ 6\]/
C1: e1 ENABLE QRESYNC
S1: * ENABLED QRESYNC
S1: e1 OK Enabled
C1: s1 SELECT INBOX
S1: /^\* FLAGS /
S1: /^\* OK \[PERMANENTFLAGS /
S1: * 6 EXISTS
S1: * 0 RECENT
S1: * OK [UNSEEN 1] First unseen
S1: /^\* OK \[UIDVALIDITY ([0-9]+)\]/
S1: * OK [UIDNEXT 7] Predicted next UID
S1: /^\* OK \[MAILBOXID \(F[0-9a-f]+\)\]/
S1: * OK [HIGHESTMODSEQ 7] Highest
S1: /^s[0-9]* OK \[READ-WRITE\]/
C2: s2 SELECT INBOX
S2: /^\* FLAGS /
S2: /^\* OK \[PERMANENTFLAGS /
S2: * 6 EXISTS
S2: * 0 RECENT
S2: * OK [UNSEEN 1] First unseen
S2: /^\* OK \[UIDVALIDITY ([0-9]+)\]/
S2: * OK [UIDNEXT 7] Predicted next UID
S2: /^\* OK \[MAILBOXID \(F[0-9a-f]+\)\]/
S2: /^s[0-9]* OK \[READ-WRITE\]/
# Expunges here and there.
C1: a1 STORE 2:3 +FLAGS.SILENT (\Deleted)
S1: * 2 FETCH (UID 2 MODSEQ (8))
S1: * 3 FETCH (UID 3 MODSEQ (8))
S1: a1 OK Store completed
C1: a2 EXPUNGE
S1: * VANISHED 2:3
S1: a2 OK [HIGHESTMODSEQ 9] Expunge completed
C1: a3 EXPUNGE
S1: a3 OK Expunge completed
C2: b1 NOOP
S2: * 3 EXPUNGE
S2: * 2 EXPUNGE
S2: b1 OK Completed
C2: b2 UID STORE 5 +FLAGS (\Deleted)
S2: * 3 FETCH (UID 5 FLAGS (\Deleted))
S2: b2 OK Store completed
C2: b3 UID EXPUNGE 5
S2: * 3 EXPUNGE
S2: b3 OK Expunge completed
C2: b4 UID STORE 6 +FLAGS (\Flagged)
S2: * 3 FETCH (UID 6 FLAGS (\Flagged))
S2: b4 OK Store completed
# FETCH may not tell the expunge: HIGHESTMODSEQ stays below it, though later modseqs are shown.
C1: a4 FETCH 4 MODSEQ
S1: * 4 FETCH (MODSEQ (12))
S1: * 4 FETCH (UID 6 FLAGS (\Flagged) MODSEQ (12))
S1: * OK [HIGHESTMODSEQ 9] Expunges are told later
S1: a4 OK Fetch completed
C1: a5 STORE 1 +FLAGS.SILENT (\Seen)
S1: * 1 FETCH (UID 1 MODSEQ (13))
S1: * OK [HIGHESTMODSEQ 9] Expunges are told later
S1: a5 OK Store completed
# UID SEARCH with a sequence number may not either, NOOP may.
C1: a6 UID SEARCH 1
S1: * SEARCH 1
S1: * OK [HIGHESTMODSEQ 9] Expunges are told later
S1: a6 OK Search completed
C1: a7 UID SEARCH ALL
S1: * SEARCH 1 4 6
S1: * VANISHED 5
S1: a7 OK Search completed
C1: a8 NOOP
S1: a8 OK Completed
# MOVE
C1: m0 CREATE box
S1: /^m0 OK \[MAILBOXID \(F[0-9a-f]+\)\] Mailbox created/
C1: m1 UID MOVE 4 box
S1: /^\* OK \[COPYUID /
S1: * VANISHED 4
S1: m1 OK [HIGHESTMODSEQ 14] Move completed
# CLOSE says nothing of modseqs.
C2: b5 NOOP
S2: * 2 EXPUNGE
S2: * 1 FETCH (UID 1 FLAGS (\Seen))
S2: b5 OK Completed
C2: f7 APPEND INBOX (\Deleted) {44}
S2: /^\+ /
C2: From: c@example.org
C2: Subject: third
C2:
C2: bye
C2:
S2: * 3 EXISTS
S2: /^f7 OK \[APPENDUID [0-9]+ 7\]/
C1: c1 NOOP
S1: * 3 EXISTS
S1: c1 OK Completed
C1: c2 CLOSE
S1: c2 OK Mailbox closed
# UIDs 1 and 6 are left; 2, 3, 4, 5 and 7 went; the log is at 16.
C1: s3 SELECT INBOX (QRESYNC (1 7))
S1: /^\* FLAGS /
S1: /^\* OK \[PERMANENTFLAGS /
S1: * 2 EXISTS
S1: * 0 RECENT
S1: * OK [UNSEEN 2] First unseen
S1: /^\* OK \[UIDVALIDITY ([0-9]+)\]/
S1: * OK [UIDNEXT 8] Predicted next UID
S1: /^\* OK \[MAILBOXID \(F[0-9a-f]+\)\]/
S1: * OK [HIGHESTMODSEQ 16] Highest
S1: /^s[0-9]* OK \[READ-WRITE\]/
# That UIDVALIDITY is another's: nothing is told. Now with the right one.
C1: u1 STATUS INBOX (UIDVALIDITY)
S1: /^\* STATUS INBOX \(UIDVALIDITY ([0-9]+)\)$/
S1: u1 OK Status completed
C1: s1 SELECT INBOX (QRESYNC ($1 7))
S1: /^\* OK \[CLOSED\] /
S1: /^\* FLAGS /
S1: /^\* OK \[PERMANENTFLAGS /
S1: * 2 EXISTS
S1: * 0 RECENT
S1: * OK [UNSEEN 2] First unseen
S1: /^\* OK \[UIDVALIDITY ([0-9]+)\]/
S1: * OK [UIDNEXT 8] Predicted next UID
S1: /^\* OK \[MAILBOXID \(F[0-9a-f]+\)\]/
S1: * OK [HIGHESTMODSEQ 16] Highest
S1: * VANISHED (EARLIER) 2:5,7
S1: * 1 FETCH (UID 1 FLAGS (\Seen) MODSEQ (13))
S1: * 2 FETCH (UID 6 FLAGS (\Flagged) MODSEQ (12))
S1: /^s[0-9]* OK \[READ-WRITE\]/
C1: u2 STATUS INBOX (UIDVALIDITY)
S1: /^\* STATUS INBOX \(UIDVALIDITY ([0-9]+)\)$/
S1: u2 OK Status completed
C1: s2 SELECT INBOX (QRESYNC ($1 9))
S1: /^\* OK \[CLOSED\] /
S1: /^\* FLAGS /
S1: /^\* OK \[PERMANENTFLAGS /
S1: * 2 EXISTS
S1: * 0 RECENT
S1: * OK [UNSEEN 2] First unseen
S1: /^\* OK \[UIDVALIDITY ([0-9]+)\]/
S1: * OK [UIDNEXT 8] Predicted next UID
S1: /^\* OK \[MAILBOXID \(F[0-9a-f]+\)\]/
S1: * OK [HIGHESTMODSEQ 16] Highest
S1: * VANISHED (EARLIER) 4:5,7
S1: * 1 FETCH (UID 1 FLAGS (\Seen) MODSEQ (13))
S1: * 2 FETCH (UID 6 FLAGS (\Flagged) MODSEQ (12))
S1: /^s[0-9]* OK \[READ-WRITE\]/
C1: u3 STATUS INBOX (UIDVALIDITY)
S1: /^\* STATUS INBOX \(UIDVALIDITY ([0-9]+)\)$/
S1: u3 OK Status completed
C1: s3 SELECT INBOX (QRESYNC ($1 12))
S1: /^\* OK \[CLOSED\] /
S1: /^\* FLAGS /
S1: /^\* OK \[PERMANENTFLAGS /
S1: * 2 EXISTS
S1: * 0 RECENT
S1: * OK [UNSEEN 2] First unseen
S1: /^\* OK \[UIDVALIDITY ([0-9]+)\]/
S1: * OK [UIDNEXT 8] Predicted next UID
S1: /^\* OK \[MAILBOXID \(F[0-9a-f]+\)\]/
S1: * OK [HIGHESTMODSEQ 16] Highest
S1: * VANISHED (EARLIER) 4,7
S1: * 1 FETCH (UID 1 FLAGS (\Seen) MODSEQ (13))
S1: /^s[0-9]* OK \[READ-WRITE\]/
C1: u4 STATUS INBOX (UIDVALIDITY)
S1: /^\* STATUS INBOX \(UIDVALIDITY ([0-9]+)\)$/
S1: u4 OK Status completed
C1: s4 SELECT INBOX (QRESYNC ($1 16))
S1: /^\* OK \[CLOSED\] /
S1: /^\* FLAGS /
S1: /^\* OK \[PERMANENTFLAGS /
S1: * 2 EXISTS
S1: * 0 RECENT
S1: * OK [UNSEEN 2] First unseen
S1: /^\* OK \[UIDVALIDITY ([0-9]+)\]/
S1: * OK [UIDNEXT 8] Predicted next UID
S1: /^\* OK \[MAILBOXID \(F[0-9a-f]+\)\]/
S1: * OK [HIGHESTMODSEQ 16] Highest
S1: /^s[0-9]* OK \[READ-WRITE\]/
# Only UIDs that the client knows of.
C1: u5 STATUS INBOX (UIDVALIDITY)
S1: /^\* STATUS INBOX \(UIDVALIDITY ([0-9]+)\)$/
S1: u5 OK Status completed
C1: s5 SELECT INBOX (QRESYNC ($1 7 1:4))
S1: /^\* OK \[CLOSED\] /
S1: /^\* FLAGS /
S1: /^\* OK \[PERMANENTFLAGS /
S1: * 2 EXISTS
S1: * 0 RECENT
S1: * OK [UNSEEN 2] First unseen
S1: /^\* OK \[UIDVALIDITY ([0-9]+)\]/
S1: * OK [UIDNEXT 8] Predicted next UID
S1: /^\* OK \[MAILBOXID \(F[0-9a-f]+\)\]/
S1: * OK [HIGHESTMODSEQ 16] Highest
S1: * VANISHED (EARLIER) 2:4
S1: * 1 FETCH (UID 1 FLAGS (\Seen) MODSEQ (13))
S1: /^s[0-9]* OK \[READ-WRITE\]/
C1: u6 STATUS INBOX (UIDVALIDITY)
S1: /^\* STATUS INBOX \(UIDVALIDITY ([0-9]+)\)$/
S1: u6 OK Status completed
C1: s6 SELECT INBOX (QRESYNC ($1 9 6:8))
S1: /^\* OK \[CLOSED\] /
S1: /^\* FLAGS /
S1: /^\* OK \[PERMANENTFLAGS /
S1: * 2 EXISTS
S1: * 0 RECENT
S1: * OK [UNSEEN 2] First unseen
S1: /^\* OK \[UIDVALIDITY ([0-9]+)\]/
S1: * OK [UIDNEXT 8] Predicted next UID
S1: /^\* OK \[MAILBOXID \(F[0-9a-f]+\)\]/
S1: * OK [HIGHESTMODSEQ 16] Highest
S1: * VANISHED (EARLIER) 7
S1: * 2 FETCH (UID 6 FLAGS (\Flagged) MODSEQ (12))
S1: /^s[0-9]* OK \[READ-WRITE\]/
# Message 1 is UID 1 still; that 2 is UID 6 says that all went up to there is known.
C1: u7 STATUS INBOX (UIDVALIDITY)
S1: /^\* STATUS INBOX \(UIDVALIDITY ([0-9]+)\)$/
S1: u7 OK Status completed
C1: s7 SELECT INBOX (QRESYNC ($1 7 1:7 (1 1)))
S1: /^\* OK \[CLOSED\] /
S1: /^\* FLAGS /
S1: /^\* OK \[PERMANENTFLAGS /
S1: * 2 EXISTS
S1: * 0 RECENT
S1: * OK [UNSEEN 2] First unseen
S1: /^\* OK \[UIDVALIDITY ([0-9]+)\]/
S1: * OK [UIDNEXT 8] Predicted next UID
S1: /^\* OK \[MAILBOXID \(F[0-9a-f]+\)\]/
S1: * OK [HIGHESTMODSEQ 16] Highest
S1: * VANISHED (EARLIER) 2:5,7
S1: * 1 FETCH (UID 1 FLAGS (\Seen) MODSEQ (13))
S1: * 2 FETCH (UID 6 FLAGS (\Flagged) MODSEQ (12))
S1: /^s[0-9]* OK \[READ-WRITE\]/
C1: u8 STATUS INBOX (UIDVALIDITY)
S1: /^\* STATUS INBOX \(UIDVALIDITY ([0-9]+)\)$/
S1: u8 OK Status completed
C1: s8 SELECT INBOX (QRESYNC ($1 7 1:7 (1:2,6 1,6,9)))
S1: /^\* OK \[CLOSED\] /
S1: /^\* FLAGS /
S1: /^\* OK \[PERMANENTFLAGS /
S1: * 2 EXISTS
S1: * 0 RECENT
S1: * OK [UNSEEN 2] First unseen
S1: /^\* OK \[UIDVALIDITY ([0-9]+)\]/
S1: * OK [UIDNEXT 8] Predicted next UID
S1: /^\* OK \[MAILBOXID \(F[0-9a-f]+\)\]/
S1: * OK [HIGHESTMODSEQ 16] Highest
S1: * VANISHED (EARLIER) 7
S1: * 1 FETCH (UID 1 FLAGS (\Seen) MODSEQ (13))
S1: * 2 FETCH (UID 6 FLAGS (\Flagged) MODSEQ (12))
S1: /^s[0-9]* OK \[READ-WRITE\]/
C1: u9 STATUS INBOX (UIDVALIDITY)
S1: /^\* STATUS INBOX \(UIDVALIDITY ([0-9]+)\)$/
S1: u9 OK Status completed
C1: s9 SELECT INBOX (QRESYNC ($1 7 (1:6 1:6)))
S1: /^\* OK \[CLOSED\] /
S1: /^\* FLAGS /
S1: /^\* OK \[PERMANENTFLAGS /
S1: * 2 EXISTS
S1: * 0 RECENT
S1: * OK [UNSEEN 2] First unseen
S1: /^\* OK \[UIDVALIDITY ([0-9]+)\]/
S1: * OK [UIDNEXT 8] Predicted next UID
S1: /^\* OK \[MAILBOXID \(F[0-9a-f]+\)\]/
S1: * OK [HIGHESTMODSEQ 16] Highest
S1: * VANISHED (EARLIER) 2:5,7
S1: * 1 FETCH (UID 1 FLAGS (\Seen) MODSEQ (13))
S1: * 2 FETCH (UID 6 FLAGS (\Flagged) MODSEQ (12))
S1: /^s[0-9]* OK \[READ-WRITE\]/
C1: u10 STATUS INBOX (UIDVALIDITY)
S1: /^\* STATUS INBOX \(UIDVALIDITY ([0-9]+)\)$/
S1: u10 OK Status completed
C1: s10 SELECT INBOX (QRESYNC ($1 7 (2 5)))
S1: /^\* OK \[CLOSED\] /
S1: /^\* FLAGS /
S1: /^\* OK \[PERMANENTFLAGS /
S1: * 2 EXISTS
S1: * 0 RECENT
S1: * OK [UNSEEN 2] First unseen
S1: /^\* OK \[UIDVALIDITY ([0-9]+)\]/
S1: * OK [UIDNEXT 8] Predicted next UID
S1: /^\* OK \[MAILBOXID \(F[0-9a-f]+\)\]/
S1: * OK [HIGHESTMODSEQ 16] Highest
S1: * VANISHED (EARLIER) 2:5,7
S1: * 1 FETCH (UID 1 FLAGS (\Seen) MODSEQ (13))
S1: * 2 FETCH (UID 6 FLAGS (\Flagged) MODSEQ (12))
S1: /^s[0-9]* OK \[READ-WRITE\]/
C1: x0 SELECT INBOX (QRESYNC)
S1: /^x0 BAD Syntax: /
C1: x1 SELECT INBOX (QRESYNC (0 1))
S1: /^x1 BAD Syntax: /
C1: x2 SELECT INBOX (QRESYNC (1 0))
S1: /^x2 BAD Syntax: /
C1: x3 SELECT INBOX (QRESYNC (1 1 1:*))
S1: /^x3 BAD Syntax: /
C1: x4 SELECT INBOX (QRESYNC (1 1 1:2 (1:2 1:3)))
S1: /^x4 BAD Syntax: /
C1: x5 SELECT INBOX (QRESYNC (1 1 1:2 (1:2)))
S1: /^x5 BAD Syntax: /
C1: x6 SELECT INBOX (QRESYNC (1 1) QRESYNC (1 1))
S1: /^x6 BAD Syntax: /
C1: x7 SELECT INBOX (FOO)
S1: /^x7 BAD Syntax: /
C1: x8 SELECT INBOX ()
S1: /^x8 BAD Syntax: /
# The mailbox is open still. UID FETCH with VANISHED:
C1: y1 UID FETCH 1:* (FLAGS) (CHANGEDSINCE 9 VANISHED)
S1: * VANISHED (EARLIER) 4:5,7
S1: * 1 FETCH (UID 1 FLAGS (\Seen) MODSEQ (13))
S1: * 2 FETCH (UID 6 FLAGS (\Flagged) MODSEQ (12))
S1: y1 OK Fetch completed
C1: y2 UID FETCH 1:5 UID (CHANGEDSINCE 13 VANISHED)
S1: * VANISHED (EARLIER) 4
S1: y2 OK Fetch completed
C1: y3 UID FETCH 1:5 UID (VANISHED)
S1: /^y3 BAD Syntax: /
C1: y4 FETCH 1 UID (CHANGEDSINCE 1 VANISHED)
S1: /^y4 BAD VANISHED /
# What the client still counts is no earlier matter.
