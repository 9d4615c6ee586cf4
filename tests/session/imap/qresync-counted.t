# QRESYNC: an expunge that the open session has not been told of is no VANISHED (EARLIER).
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
C1: e1 ENABLE CONDSTORE QRESYNC
S1: * ENABLED CONDSTORE QRESYNC
S1: e1 OK Enabled
C1: s1 SELECT INBOX
S1: /^\* FLAGS /
S1: /^\* OK \[PERMANENTFLAGS /
S1: * 3 EXISTS
S1: * 0 RECENT
S1: * OK [UNSEEN 1] First unseen
S1: /^\* OK \[UIDVALIDITY ([0-9]+)\]/
S1: * OK [UIDNEXT 4] Predicted next UID
S1: /^\* OK \[MAILBOXID \(F[0-9a-f]+\)\]/
S1: * OK [HIGHESTMODSEQ 4] Highest
S1: /^s[0-9]* OK \[READ-WRITE\]/
C2: s2 SELECT INBOX
S2: /^\* FLAGS /
S2: /^\* OK \[PERMANENTFLAGS /
S2: * 3 EXISTS
S2: * 0 RECENT
S2: * OK [UNSEEN 1] First unseen
S2: /^\* OK \[UIDVALIDITY ([0-9]+)\]/
S2: * OK [UIDNEXT 4] Predicted next UID
S2: /^\* OK \[MAILBOXID \(F[0-9a-f]+\)\]/
S2: /^s[0-9]* OK \[READ-WRITE\]/
C2: b1 UID STORE 2 FLAGS (\Deleted)
S2: * 2 FETCH (UID 2 FLAGS (\Deleted))
S2: b1 OK Store completed
C2: b2 EXPUNGE
S2: * 2 EXPUNGE
S2: b2 OK Expunge completed
C2: f4 APPEND INBOX {44}
S2: /^\+ /
C2: From: c@example.org
C2: Subject: third
C2:
C2: bye
C2:
S2: * 3 EXISTS
S2: /^f4 OK \[APPENDUID [0-9]+ 4\]/
C1: a1 UID FETCH 1:* (UID) (CHANGEDSINCE 3 VANISHED)
S1: * 3 FETCH (UID 3 MODSEQ (4))
S1: * VANISHED 2
S1: * 3 EXISTS
S1: a1 OK Fetch completed
C1: a2 UID FETCH 1:* (UID) (CHANGEDSINCE 3 VANISHED)
S1: * VANISHED (EARLIER) 2
S1: * 2 FETCH (UID 3 MODSEQ (4))
S1: * 3 FETCH (UID 4 MODSEQ (7))
S1: a2 OK Fetch completed
# Came and went without being seen: nothing. IDLE says VANISHED too.
C1: a3 IDLE
S1: + idling
C2: f5 APPEND INBOX (\Deleted) {44}
S2: /^\+ /
C2: From: c@example.org
C2: Subject: third
C2:
C2: bye
C2:
S2: * 4 EXISTS
S2: /^f5 OK \[APPENDUID [0-9]+ 5\]/
S1: * 4 EXISTS
C2: b4 EXPUNGE
S2: * 4 EXPUNGE
S2: b4 OK Expunge completed
S1: * VANISHED 5
C1: DONE
S1: a3 OK Idle done
