# A session that knows the mailbox learns from the answer of the store what its STORE made, and reads nothing; all that others did
# meanwhile is told as ever.
S1: /^\* OK \[CAPABILITY /
C1: l LOGIN alice secret
S1: /^l OK \[CAPABILITY /
S2: /^\* OK \[CAPABILITY /
C2: l LOGIN alice secret
S2: /^l OK \[CAPABILITY /
C1: f1 APPEND INBOX {9}
S1: /^\+ /
C1: A: b
C1:
C1: x
S1: /^f1 OK \[APPENDUID [0-9]+ 1\]/
C1: f2 APPEND INBOX {9}
S1: /^\+ /
C1: A: b
C1:
C1: x
S1: /^f2 OK \[APPENDUID [0-9]+ 2\]/
C1: f3 APPEND INBOX {9}
S1: /^\+ /
C1: A: b
C1:
C1: x
S1: /^f3 OK \[APPENDUID [0-9]+ 3\]/
C1: s SELECT INBOX
S1: /^\* FLAGS /
S1: /^\* OK \[PERMANENTFLAGS /
S1: * 3 EXISTS
S1: * 0 RECENT
S1: /^\* OK \[UNSEEN 1\]/
S1: /^\* OK \[UIDVALIDITY [0-9]+\]/
S1: /^\* OK \[UIDNEXT 4\]/
S1: /^\* OK \[MAILBOXID /
S1: /^s OK \[READ-WRITE\]/
C2: s SELECT INBOX
S2: /^\* FLAGS /
S2: /^\* OK \[PERMANENTFLAGS /
S2: * 3 EXISTS
S2: * 0 RECENT
S2: /^\* OK \[UNSEEN 1\]/
S2: /^\* OK \[UIDVALIDITY [0-9]+\]/
S2: /^\* OK \[UIDNEXT 4\]/
S2: /^\* OK \[MAILBOXID /
S2: /^s OK \[READ-WRITE\]/
# again and again, and what was so already
C1: a1 STORE 1 +FLAGS (\Seen)
S1: * 1 FETCH (FLAGS (\Seen))
S1: a1 OK Store completed
C1: a2 UID STORE 1:2 +FLAGS (\Seen)
S1: * 1 FETCH (UID 1 FLAGS (\Seen))
S1: * 2 FETCH (UID 2 FLAGS (\Seen))
S1: a2 OK Store completed
C1: a3 UID STORE 1:2,9 -FLAGS.SILENT (\Draft)
S1: a3 OK Store completed
C1: a4 NOOP
S1: a4 OK Completed
# the other one hears of it, and is not taken for one who knows
C2: b1 STORE 3 +FLAGS (\Flagged)
S2: * 3 FETCH (FLAGS (\Flagged))
S2: * 1 FETCH (UID 1 FLAGS (\Seen))
S2: * 2 FETCH (UID 2 FLAGS (\Seen))
S2: b1 OK Store completed
C2: b2 STORE 3 FLAGS.SILENT (\Answered)
S2: b2 OK Store completed
C1: c1 STORE 1 +FLAGS.SILENT (\Answered)
S1: * 3 FETCH (UID 3 FLAGS (\Answered))
S1: c1 OK Store completed
# keywords: a new one is announced first, then they are known by name
C1: d1 STORE 3 +FLAGS ($Work)
S1: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft $Work)
S1: /^\* OK \[PERMANENTFLAGS \(.* \$Work /
S1: * 3 FETCH (FLAGS (\Answered $Work))
S1: d1 OK Store completed
C1: d2 STORE 3 -FLAGS (\Answered)
S1: * 3 FETCH (FLAGS ($Work))
S1: d2 OK Store completed
# one goes: as long as a client has not been told, its numbers and its modseq are not those of the mailbox
C2: e1 STORE 1 +FLAGS.SILENT (\Deleted)
S2: /^\* FLAGS /
S2: /^\* OK \[PERMANENTFLAGS /
S2: * 1 FETCH (UID 1 FLAGS (\Seen \Answered \Deleted))
S2: * 3 FETCH (UID 3 FLAGS ($Work))
S2: e1 OK Store completed
C2: e2 EXPUNGE
S2: * 1 EXPUNGE
S2: e2 OK Expunge completed
C1: e3 STORE 2 +FLAGS (\Flagged)
S1: * 2 FETCH (FLAGS (\Seen \Flagged))
S1: e3 OK Store completed
C1: e4 STORE 1:2 +FLAGS (\Draft)
S1: * 2 FETCH (FLAGS (\Seen \Flagged \Draft))
S1: e4 NO [EXPUNGEISSUED] Some of the messages are gone
C1: e5 UID STORE 2 -FLAGS.SILENT (\Draft)
S1: * 1 EXPUNGE
S1: e5 OK Store completed
C1: e6 STORE 1 -FLAGS (\Flagged)
S1: * 1 FETCH (FLAGS (\Seen))
S1: e6 OK Store completed
# modseqs: those of the answer, and the mailbox's
C1: g1 STATUS INBOX (HIGHESTMODSEQ)
S1: /^\* OK \[HIGHESTMODSEQ ([0-9]+)\]/
S1: /^\* STATUS INBOX \(HIGHESTMODSEQ [0-9]+\)/
S1: g1 OK Status completed
C1: g2 STORE 1 +FLAGS.SILENT (\Flagged)
S1: /^\* 1 FETCH \(UID 2 MODSEQ \(([0-9]+)\)\)/
S1: g2 OK Store completed
C1: g3 STORE 1 (UNCHANGEDSINCE $1) -FLAGS (\Flagged)
S1: /^\* 1 FETCH \(UID 2 FLAGS \(\\Seen\) MODSEQ \(([0-9]+)\)\)/
S1: g3 OK Store completed
C1: g5 FETCH 1:2 (FLAGS) (CHANGEDSINCE $1)
S1: g5 OK Fetch completed
C1: g6 STATUS INBOX (HIGHESTMODSEQ)
S1: * STATUS INBOX (HIGHESTMODSEQ $1)
S1: g6 OK Status completed
C1: g7 STORE 2 (UNCHANGEDSINCE 1) -FLAGS (\Flagged)
S1: /^\* 2 FETCH \(UID 3 FLAGS \(\$Work\) MODSEQ /
S1: g7 OK [MODIFIED 2] Some have been changed by others
