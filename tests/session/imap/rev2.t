# A session of IMAP4rev2.
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
C: a1 ENABLE X-NONE IMAP4rev2
S: * ENABLED IMAP4rev2
S: a1 OK Enabled
C: a2 SELECT INBOX
S: /^\* FLAGS /
S: /^\* OK \[PERMANENTFLAGS /
S: * 3 EXISTS
S: /^\* OK \[UIDVALIDITY /
S: * OK [UIDNEXT 4] Predicted next UID
S: /^\* OK \[MAILBOXID \(F[0-9a-f]+\)\]/
S: * LIST () "/" INBOX
S: /^a2 OK \[READ-WRITE\]/
C: a3 SEARCH SUBJECT third
S: * ESEARCH (TAG "a3") ALL 3
S: a3 OK Search completed
C: a4 UID SEARCH DELETED
S: * ESEARCH (TAG "a4") UID
S: a4 OK Search completed
C: a5 ENABLE IMAP4rev2
S: a5 BAD Not possible while a mailbox is selected
C: a6 EXAMINE inbox
S: * OK [CLOSED] Previous mailbox closed
S* * 3 EXISTS
S* * LIST () "/" INBOX ("OLDNAME" (inbox))
S: /^a6 OK \[READ-ONLY\]/
C: a7 CREATE inbox/sub/
S: * LIST () "/" INBOX/sub ("OLDNAME" (inbox/sub/))
S: /^a7 OK \[MAILBOXID \(F[0-9a-f]+\)\] Mailbox created/
C: a8 CREATE plain
S: /^a8 OK \[MAILBOXID \(F[0-9a-f]+\)\] Mailbox created/
