# UTF8=ACCEPT (RFC 6855): names and headers in UTF-8 for a client of IMAP4rev1.
S: /^\* OK \[CAPABILITY /
C: l LOGIN alice secret
S: /^l OK \[CAPABILITY .* UTF8=ACCEPT /
C: a1 CREATE Entw&APw-rfe
S: /^a1 OK \[MAILBOXID \(F[0-9a-f]+\)\] Mailbox created/
C: a2 LIST "" Ent*
S: * LIST (\HasNoChildren) "/" Entw&APw-rfe
S: a2 OK List completed
C: a3 ENABLE UTF8=ACCEPT
S: * ENABLED UTF8=ACCEPT
S: a3 OK Enabled
C: a4 LIST "" Ent*
S: * LIST (\HasNoChildren) "/" "Entwürfe"
S: a4 OK List completed
C: a5 STATUS "Entwürfe" (MESSAGES)
S: * STATUS "Entwürfe" (MESSAGES 0)
S: a5 OK Status completed
C: a6 APPEND "Entwürfe" (\Seen) UTF8 (~{19+}
C: Subject: ü
C:
C: 1
C: )
S: /^a6 BAD /
C: a7 APPEND "Entwürfe" (\Seen) UTF8 (~{18+}
C: Subject: ü
C:
C: 1
C: )
S: /^a7 OK \[APPENDUID /
C: a8 APPEND "Entwürfe" UTF8 (~{18}
S: /^\+ /
C: Subject: ü
C:
C: 1
C: )
S: /^a8 OK \[APPENDUID /
C: a9 APPEND "Entwürfe" UTF8 ({18}
S: /^a9 BAD /
C: a10 SELECT "Entwürfe"
S* /^a10 OK /
C: a11 SEARCH CHARSET UTF-8 SUBJECT x
S: /^a11 BAD /
C: a12 SEARCH SUBJECT "Ü"
S: * SEARCH 1 2
S: a12 OK Search completed
C: a13 APPEND INBOX UTF8 (~{18+}
C: Subject: ü
C:
C: 1
C: ) {17+}
C: Subject: x
C:
C: 1
C:
S: /^a13 OK \[APPENDUID [0-9]+ 1:2\]/
