# OBJECTID (RFC 8474): names of mailboxes, messages and threads that stay.
S: /^\* OK \[CAPABILITY /
C: l LOGIN alice secret
S: /^l OK \[CAPABILITY .* OBJECTID /
C: a1 STATUS INBOX (MAILBOXID MESSAGES)
S: * STATUS INBOX (MESSAGES 0 MAILBOXID (F1))
S: a1 OK Status completed
C: a2 CREATE Work
S: /^a2 OK \[MAILBOXID \(F[0-9a-f]+\)\] Mailbox created/
C: a3 RENAME Drafts Later
S: a3 OK Mailbox renamed
C: a4 STATUS Later (MAILBOXID)
S: * STATUS Later (MAILBOXID (F2))
S: a4 OK Status completed
C: a5 LIST "" Later RETURN (STATUS (MAILBOXID))
S: * LIST (\HasNoChildren \Drafts) "/" Later
S: * STATUS Later (MAILBOXID (F2))
S: a5 OK List completed
C: b1 APPEND INBOX {48}
S: /^\+ /
C: Message-ID: <1@example.org>
C: Subject: one
C:
C: y
C:
S: /^b1 OK /
C: b2 APPEND INBOX {77}
S: /^\+ /
C: Message-ID: <2@example.org>
C: References: <1@example.org>
C: Subject: two
C:
C: 1
C:
S: /^b2 OK /
C: b3 APPEND INBOX {17}
S: /^\+ /
C: Subject: x
C:
C: 1
C:
S: /^b3 OK /
C: b4 SELECT INBOX
S* /^b4 OK /
C: b5 FETCH 1:3 (THREADID)
S: /^\* 1 FETCH \(THREADID \(T([0-9a-f]{16})\)\)/
S: /^\* 2 FETCH \(THREADID \(T[0-9a-f]{16}\)\)/
S: * 3 FETCH (THREADID NIL)
S: b5 OK Fetch completed
C: b6 FETCH 1:3 EMAILID
S: /^\* 1 FETCH \(EMAILID \(M[0-9a-f]{16}\)\)/
S: /^\* 2 FETCH \(EMAILID \(M[0-9a-f]{16}\)\)/
S: /^\* 3 FETCH \(EMAILID \(M[0-9a-f]{16}\)\)/
S: b6 OK Fetch completed
C: b7 COPY 1 Work
S: /^b7 OK /
C: b8 SEARCH EMAILID M0000000000000000
S: * SEARCH
S: b8 OK Search completed
C: b9 SEARCH THREADID T0000000000000000
S: * SEARCH
S: b9 OK Search completed
C: b10 SEARCH EMAILID
S: /^b10 BAD /
