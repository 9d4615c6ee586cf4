# COPY, MOVE and COPYUID.
S: /^\* OK \[CAPABILITY IMAP4rev1 IMAP4rev2 /
C: l LOGIN alice secret
S: /^l OK \[CAPABILITY /
C: f0 APPEND INBOX {155}
S: /^\+ /
C: From: Ann <ann@example.org>
C: To: Bob <bob@example.net>
C: Subject: first
C: Date: Wed, 17 Jul 1996 02:23:25 -0700
C: Message-ID: <1@example.org>
C:
C: hello world
C:
S: /^f0 OK \[APPENDUID [0-9]+ 1\]/
C: f1 APPEND INBOX {118}
S: /^\+ /
C: From: Zoe <zoe@example.org>
C: Subject: second
C: Date: Thu, 18 Jul 1996 02:23:25 -0700
C:
C: caf=C3=A9 is not decoded here
C:
S: /^f1 OK \[APPENDUID [0-9]+ 2\]/
C: f2 APPEND INBOX {44}
S: /^\+ /
C: From: c@example.org
C: Subject: third
C:
C: bye
C:
S: /^f2 OK \[APPENDUID [0-9]+ 3\]/
C: a0 CREATE box
S: /^a0 OK \[MAILBOXID \(F[0-9a-f]+\)\] Mailbox created/
C: s SELECT INBOX
S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft)
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft \*)] Flags that are kept
S: * 3 EXISTS
S: * 0 RECENT
S: * OK [UNSEEN 1] First unseen
S: /^\* OK \[UIDVALIDITY [0-9]+\]/
S: * OK [UIDNEXT 4] Predicted next UID
S: /^\* OK \[MAILBOXID \(F[0-9a-f]+\)\]/
S: /^s OK \[READ-WRITE\]/
C: a1 COPY 1:2 box
S: /^a1 OK \[COPYUID [0-9]+ 1:2 1:2\] Copy completed$/
C: a2 UID COPY 3 nowhere
S: /^a2 NO \[TRYCREATE\]/
C: a3 UID COPY 99 box
S: a3 OK Copy completed
C: a4 MOVE 2 box
S: /^\* OK \[COPYUID [0-9]+ 2 3\] Moved$/
S: * 2 EXPUNGE
S: a4 OK Move completed
C: a5 UID MOVE 3 box
S: /^\* OK \[COPYUID [0-9]+ 3 4\] Moved$/
S: * 2 EXPUNGE
S: a5 OK Move completed
C: a6 FETCH 1:* UID
S: * 1 FETCH (UID 1)
S: a6 OK Fetch completed
C: a7 COPY 2 box
S: /^a7 BAD /
C: a8 COPY 1
S: /^a8 BAD /
C: a9 EXAMINE INBOX
S: * OK [CLOSED] Previous mailbox closed
S: /^\* FLAGS /
S: /^\* OK \[PERMANENTFLAGS \(\)\]/
S: * 1 EXISTS
S: * 0 RECENT
S: * OK [UNSEEN 1] First unseen
S: /^\* OK \[UIDVALIDITY /
S: * OK [UIDNEXT 4] Predicted next UID
S: /^\* OK \[MAILBOXID \(F[0-9a-f]+\)\]/
S: /^a9 OK \[READ-ONLY\]/
C: a10 MOVE 1 box
S: /^a10 NO /
C: a11 STATUS box (MESSAGES UIDNEXT)
S: * STATUS box (MESSAGES 4 UIDNEXT 5)
S: a11 OK Status completed
