# Commands of any state; what is refused before login.
S: /^\* OK \[CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL\+ SASL-IR ID ENABLE .*AUTH=.*\] sealpost IMAP4 /
C: a1 CAPABILITY
S: /^\* CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL\+ /
S: a1 OK Capability completed
C: a2 NOOP
S: a2 OK Completed
C: a3 ID NIL
S: /^\* ID \("name" "sealpost" "version" "/
S: a3 OK ID completed
C: a4 ID ("name" "x" "version" NIL)
S: /^\* ID /
S: a4 OK ID completed
C: a5 ID ("name")
S: /^a5 BAD Syntax: ID /
C: a6 SELECT INBOX
S: a6 BAD Log in first
C: a7 FETCH 1 FLAGS
S: a7 BAD Log in first
C: a8 NONSENSE
S: a8 BAD Unknown command
C: a9 STARTTLS
S: a9 BAD TLS is on already
C: a10 CAPABILITY please
S: /^a10 BAD Syntax: CAPABILITY/
C: a11 logout
S: /^\* BYE /
S: a11 OK Logout completed
