# \Seen of public folders is each reader's own; other flags are shared, and changed by those with the right. CONDSTORE counts both.
S1: /^\* OK \[CAPABILITY /
C1: l LOGIN alice secret
S1: /^l OK \[CAPABILITY /
C1: a1 APPEND Public/local.test {46}
S1: /^\+ /
C1: Message-ID: <1@example.org>
C1: Subject: x
C1:
C1: y
C1:
S1: /^a1 OK \[APPENDUID [0-9]+ 1\]/
# what one posts as seen is seen by oneself
C1: a2 APPEND Public/local.test (\Seen \Flagged) {46}
S1: /^\+ /
C1: Message-ID: <2@example.org>
C1: Subject: x
C1:
C1: z
C1:
S1: /^a2 OK \[APPENDUID [0-9]+ 2\]/
C1: a3 APPEND Public/local.test {46}
S1: /^\+ /
C1: Message-ID: <3@example.org>
C1: Subject: x
C1:
C1: z
C1:
S1: /^a3 OK \[APPENDUID [0-9]+ 3\]/
C1: a4 STATUS Public/local.test (MESSAGES UNSEEN)
S1: * STATUS Public/local.test (MESSAGES 3 UNSEEN 2)
S1: a4 OK Status completed
C1: a5 SELECT Public/local.test (CONDSTORE)
S1: /^\* FLAGS /
S1: * OK [PERMANENTFLAGS (\Seen)] Flags that are kept
S1: * 3 EXISTS
S1: * 0 RECENT
S1: * OK [UNSEEN 1] First unseen
S1: /^\* OK \[UIDVALIDITY /
S1: * OK [UIDNEXT 4] Predicted next UID
S1: /^\* OK \[MAILBOXID \(F[0-9a-f]+\)\]/
S1: /^\* OK \[HIGHESTMODSEQ /
S1: /^a5 OK \[READ-WRITE\]/
C1: a6 FETCH 1:3 FLAGS
S1: * 1 FETCH (FLAGS ())
S1: * 2 FETCH (FLAGS (\Seen))
S1: * 3 FETCH (FLAGS ())
S1: a6 OK Fetch completed
# bob reads the first: alice hears nothing of it
S2: /^\* OK \[CAPABILITY /
C2: l LOGIN bob hunter2
S2: /^l OK \[CAPABILITY /
C2: b1 STATUS Public/local.test (MESSAGES UNSEEN)
S2: * STATUS Public/local.test (MESSAGES 3 UNSEEN 3)
S2: b1 OK Status completed
C2: b2 SELECT Public/local.test
S2* /^b2 OK \[READ-WRITE\]/
C2: b3 FETCH 1 BODY[TEXT]
S2: * 1 FETCH (FLAGS (\Seen) BODY[TEXT] {3}
S2: y
S2: )
S2: b3 OK Fetch completed
C2: b4 SEARCH UNSEEN
S2: * SEARCH 2 3
S2: b4 OK Search completed
C1: a7 NOOP
S1: a7 OK Completed
C1: a8 SEARCH UNSEEN
S1: * SEARCH 1 3
S1: a8 OK Search completed
# the other session of the same reader is told
S3: /^\* OK \[CAPABILITY /
C3: l LOGIN bob hunter2
S3: /^l OK \[CAPABILITY /
C3: c1 SELECT Public/local.test (CONDSTORE)
S3* /^c1 OK /
C3: c2 IDLE
S3: + idling
C2: b5 STORE 2:3 +FLAGS (\Seen)
S2: * 2 FETCH (FLAGS (\Seen))
S2: * 3 FETCH (FLAGS (\Seen))
S2: b5 OK Store completed
S3: /^\* 2 FETCH \(UID 2 FLAGS \(\\Seen\) MODSEQ \([0-9]+\)\)/
S3: /^\* 3 FETCH \(UID 3 FLAGS \(\\Seen\) MODSEQ \([0-9]+\)\)/
C3: DONE
S3: c2 OK Idle done
# a condition on the modseq counts one's own marks
C3: c3 STORE 3 (UNCHANGEDSINCE 4) -FLAGS (\Seen)
S3: /^\* 3 FETCH \(UID 3 FLAGS \(\\Seen\) MODSEQ /
S3: /^c3 OK \[MODIFIED 3\] /
C3: c4 STORE 3 -FLAGS.SILENT (\Seen)
S3: /^\* 3 FETCH \(UID 3 MODSEQ \([0-9]+\)\)/
S3: c4 OK Store completed
C3: c5 STATUS Public/local.test (UNSEEN)
S3: * STATUS Public/local.test (UNSEEN 1)
S3: c5 OK Status completed
# shared flags: not without the right; mixed ones leave out what one may not
C3: c6 STORE 3 +FLAGS (\Flagged)
S3: /^c6 NO \[NOPERM\] /
C3: c7 STORE 3 +FLAGS (\Flagged \Seen)
S3: /^\* 3 FETCH \(UID 3 FLAGS \(\\Seen\) MODSEQ /
S3: c7 OK Store completed
C3: c8 EXPUNGE
S3: /^c8 NO \[NOPERM\] /
S4: /^\* OK \[CAPABILITY /
C4: l LOGIN admin secret
S4: /^l OK \[CAPABILITY /
C4: d1 SELECT Public/local.test
S4* /^d1 OK /
C4: d2 STORE 3 +FLAGS (\Flagged)
S4: * 3 FETCH (FLAGS (\Flagged))
S4: d2 OK Store completed
C1: a9 NOOP
S1: /^\* 3 FETCH \(UID 3 FLAGS \(\\Flagged\) MODSEQ /
S1: a9 OK Completed
# a copy is as seen as its original was to who copies
C2: b6 COPY 2:3 INBOX
S2: /^\* 3 FETCH \(UID 3 FLAGS \(\\Seen \\Flagged\)\)/
S2: /^b6 OK \[COPYUID /
C2: b7 STATUS INBOX (MESSAGES UNSEEN)
S2: * STATUS INBOX (MESSAGES 2 UNSEEN 0)
S2: b7 OK Status completed
C1: e1 COPY 3 INBOX
S1: /^e1 OK \[COPYUID /
C1: e2 STATUS INBOX (MESSAGES UNSEEN)
S1: * STATUS INBOX (MESSAGES 1 UNSEEN 1)
S1: e2 OK Status completed
# EXAMINE leaves the marks alone
C1: e3 EXAMINE Public/local.test
S1* /^e3 OK \[READ-ONLY\]/
C1: e4 FETCH 1 BODY[TEXT]
S1: /^\* 1 FETCH \(BODY\[TEXT\] \{3\}/
S1: /^y/
S1: /^\)/
S1: e4 OK Fetch completed
C1: e5 LIST "" Public/local.test RETURN (STATUS (UNSEEN))
S1: /^\* LIST /
S1: * STATUS Public/local.test (UNSEEN 2)
S1: e5 OK List completed
