# Each CONDSTORE enabling command tells HIGHESTMODSEQ once when a mailbox is open (RFC 7162 3.1).
S1: /^\* OK \[CAPABILITY /
C1: l LOGIN alice secret
S1: /^l OK \[CAPABILITY /
S2: /^\* OK \[CAPABILITY /
C2: l LOGIN alice secret
S2: /^l OK \[CAPABILITY /
S3: /^\* OK \[CAPABILITY /
C3: l LOGIN alice secret
S3: /^l OK \[CAPABILITY /
S4: /^\* OK \[CAPABILITY /
C4: l LOGIN alice secret
S4: /^l OK \[CAPABILITY /
S5: /^\* OK \[CAPABILITY /
C5: l LOGIN alice secret
S5: /^l OK \[CAPABILITY /
S6: /^\* OK \[CAPABILITY /
C6: l LOGIN alice secret
S6: /^l OK \[CAPABILITY /
C1: f1 APPEND INBOX {44}
S1: /^\+ /
C1: From: c@example.org
C1: Subject: third
C1:
C1: bye
C1:
S1: /^f1 OK \[APPENDUID [0-9]+ 1\]/
C1: s1 SELECT INBOX
S1: /^\* FLAGS /
S1: /^\* OK \[PERMANENTFLAGS /
S1: * 1 EXISTS
S1: * 0 RECENT
S1: * OK [UNSEEN 1] First unseen
S1: /^\* OK \[UIDVALIDITY ([0-9]+)\]/
S1: * OK [UIDNEXT 2] Predicted next UID
S1: /^\* OK \[MAILBOXID \(F[0-9a-f]+\)\]/
S1: /^s[0-9]* OK \[READ-WRITE\]/
C1: x1 STATUS INBOX (HIGHESTMODSEQ)
S1: /^\* OK \[HIGHESTMODSEQ 2\] /
S1: * STATUS INBOX (HIGHESTMODSEQ 2)
S1: /^x1 OK /
C1: x2 STATUS INBOX (HIGHESTMODSEQ)
S1: * STATUS INBOX (HIGHESTMODSEQ 2)
S1: /^x2 OK /
C2: s2 SELECT INBOX
S2: /^\* FLAGS /
S2: /^\* OK \[PERMANENTFLAGS /
S2: * 1 EXISTS
S2: * 0 RECENT
S2: * OK [UNSEEN 1] First unseen
S2: /^\* OK \[UIDVALIDITY ([0-9]+)\]/
S2: * OK [UIDNEXT 2] Predicted next UID
S2: /^\* OK \[MAILBOXID \(F[0-9a-f]+\)\]/
S2: /^s[0-9]* OK \[READ-WRITE\]/
C2: x1 SEARCH MODSEQ 1
S2: /^\* OK \[HIGHESTMODSEQ 2\] /
S2: * SEARCH 1 (MODSEQ 2)
S2: /^x1 OK /
C2: x2 SEARCH MODSEQ 1
S2: * SEARCH 1 (MODSEQ 2)
S2: /^x2 OK /
C3: s3 SELECT INBOX
S3: /^\* FLAGS /
S3: /^\* OK \[PERMANENTFLAGS /
S3: * 1 EXISTS
S3: * 0 RECENT
S3: * OK [UNSEEN 1] First unseen
S3: /^\* OK \[UIDVALIDITY ([0-9]+)\]/
S3: * OK [UIDNEXT 2] Predicted next UID
S3: /^\* OK \[MAILBOXID \(F[0-9a-f]+\)\]/
S3: /^s[0-9]* OK \[READ-WRITE\]/
C3: x1 FETCH 1 UID (CHANGEDSINCE 1)
S3: /^\* OK \[HIGHESTMODSEQ 2\] /
S3: * 1 FETCH (UID 1 MODSEQ (2))
S3: /^x1 OK /
C3: x2 FETCH 1 UID (CHANGEDSINCE 1)
S3: * 1 FETCH (UID 1 MODSEQ (2))
S3: /^x2 OK /
C4: s4 SELECT INBOX
S4: /^\* FLAGS /
S4: /^\* OK \[PERMANENTFLAGS /
S4: * 1 EXISTS
S4: * 0 RECENT
S4: * OK [UNSEEN 1] First unseen
S4: /^\* OK \[UIDVALIDITY ([0-9]+)\]/
S4: * OK [UIDNEXT 2] Predicted next UID
S4: /^\* OK \[MAILBOXID \(F[0-9a-f]+\)\]/
S4: /^s[0-9]* OK \[READ-WRITE\]/
C4: x1 STORE 1 (UNCHANGEDSINCE 1) FLAGS (\Seen)
S4: /^\* OK \[HIGHESTMODSEQ 2\] /
S4: * 1 FETCH (UID 1 FLAGS () MODSEQ (2))
S4: /^x1 OK /
C4: x2 STORE 1 (UNCHANGEDSINCE 1) FLAGS (\Seen)
S4: * 1 FETCH (UID 1 FLAGS () MODSEQ (2))
S4: /^x2 OK /
C5: s5 SELECT INBOX
S5: /^\* FLAGS /
S5: /^\* OK \[PERMANENTFLAGS /
S5: * 1 EXISTS
S5: * 0 RECENT
S5: * OK [UNSEEN 1] First unseen
S5: /^\* OK \[UIDVALIDITY ([0-9]+)\]/
S5: * OK [UIDNEXT 2] Predicted next UID
S5: /^\* OK \[MAILBOXID \(F[0-9a-f]+\)\]/
S5: /^s[0-9]* OK \[READ-WRITE\]/
C5: x1 LIST "" INBOX RETURN (STATUS (HIGHESTMODSEQ))
S5: /^\* OK \[HIGHESTMODSEQ 2\] /
S5: /^\* LIST /
S5: * STATUS INBOX (HIGHESTMODSEQ 2)
S5: /^x1 OK /
C5: x2 LIST "" INBOX RETURN (STATUS (HIGHESTMODSEQ))
S5: /^\* LIST /
S5: * STATUS INBOX (HIGHESTMODSEQ 2)
S5: /^x2 OK /
C6: e ENABLE CONDSTORE
S6: * ENABLED CONDSTORE
S6: e OK Enabled
C6: s6 SELECT INBOX
S6: /^\* FLAGS /
S6: /^\* OK \[PERMANENTFLAGS /
S6: * 1 EXISTS
S6: * 0 RECENT
S6: * OK [UNSEEN 1] First unseen
S6: /^\* OK \[UIDVALIDITY ([0-9]+)\]/
S6: * OK [UIDNEXT 2] Predicted next UID
S6: /^\* OK \[MAILBOXID \(F[0-9a-f]+\)\]/
S6: * OK [HIGHESTMODSEQ 2] Highest
S6: /^s[0-9]* OK \[READ-WRITE\]/
C6: x EXAMINE INBOX (QRESYNC (1 1))
S6: x BAD ENABLE QRESYNC first
C6: y UID FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)
S6: /^y BAD VANISHED /
# By STORE of another all of them hear the modseq.
C6: z STORE 1 FLAGS (\Seen)
S6: * 1 FETCH (UID 1 FLAGS (\Seen) MODSEQ (3))
S6: z OK Store completed
C1: n NOOP
S1: * 1 FETCH (UID 1 FLAGS (\Seen) MODSEQ (3))
S1: n OK Completed
C2: n NOOP
S2: * 1 FETCH (UID 1 FLAGS (\Seen) MODSEQ (3))
S2: n OK Completed
C3: n NOOP
S3: * 1 FETCH (UID 1 FLAGS (\Seen) MODSEQ (3))
S3: n OK Completed
C4: n NOOP
S4: * 1 FETCH (UID 1 FLAGS (\Seen) MODSEQ (3))
S4: n OK Completed
C5: n NOOP
S5: * 1 FETCH (UID 1 FLAGS (\Seen) MODSEQ (3))
S5: n OK Completed
