# Modified UTF-7 before ENABLE IMAP4rev2, UTF-8 after it.
S: /^\* OK \[CAPABILITY IMAP4rev1 IMAP4rev2 /
C: l LOGIN alice secret
S: /^l OK \[CAPABILITY /
C: a1 CREATE "Entw&APw-rfe & more"
S: /^a1 NO /
C: a2 CREATE "Entw&APw-rfe &- more"
S: /^a2 OK \[MAILBOXID \(F[0-9a-f]+\)\] Mailbox created/
C: a3 LIST "" Entw*
S: * LIST (\HasNoChildren) "/" "Entw&APw-rfe &- more"
S: a3 OK List completed
C: a4 ENABLE IMAP4rev2
S: * ENABLED IMAP4rev2
S: a4 OK Enabled
C: a5 LIST "" "Entw*"
S: * LIST (\HasNoChildren) "/" "Entwürfe & more"
S: a5 OK List completed
C: a6 CREATE "日本"
S: /^a6 OK \[MAILBOXID \(F[0-9a-f]+\)\] Mailbox created/
C: a7 STATUS "日本" (MESSAGES)
S: * STATUS "日本" (MESSAGES 0)
S: a7 OK Status completed
C: a8 CREATE &APw-
S: /^a8 OK \[MAILBOXID \(F[0-9a-f]+\)\] Mailbox created/
C: a9 LIST "" &%
S: * LIST (\HasNoChildren) "/" &APw-
S: a9 OK List completed
C: a10 DELETE "Entwürfe & more"
S: a10 OK Mailbox deleted
