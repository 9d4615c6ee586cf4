# Passwords, literals, SASL.
S: /^\* OK /
C: a1 LOGIN alice wrong
S: /^a1 NO \[AUTHENTICATIONFAILED\]/
C: a2 LOGIN alice
S: /^a2 BAD Syntax: LOGIN user password/
C: a3 LOGIN {5}
S: /^\+ /
C: alice {5}
S: /^\+ /
C: wrong
S: /^a3 NO \[AUTHENTICATIONFAILED\]/
C: a4 AUTHENTICATE NOSUCH
S: /^a4 NO \[CANNOT\]/
C: a5 AUTHENTICATE PLAIN
S: /^\+ ?$/
C: *
S: /^a5 BAD /
C: a6 AUTHENTICATE PLAIN !!!
S: /^a6 BAD /
C: a6 AUTHENTICATE PLAIN ab=c
S: /^a6 BAD /
C: a6 LOGIN alice down
S: /^a6 NO \[UNAVAILABLE\]/
C: a7 LOGIN {5+}
C: alice {6+}
C: secret
S: /^a7 OK \[CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL\+ ID ENABLE IDLE NAMESPACE UIDPLUS MOVE CONDSTORE QRESYNC ESEARCH SEARCHRES UNSELECT CHILDREN LIST-EXTENDED LIST-STATUS SPECIAL-USE CREATE-SPECIAL-USE STATUS=SIZE SAVEDATE WITHIN APPENDLIMIT=[0-9]+ BINARY\] /
C: a8 LOGIN alice secret
S: a8 BAD You are logged in already
C: a9 FETCH 1 FLAGS
S: a9 BAD Select a mailbox first
C: a10 NAMESPACE
S: * NAMESPACE (("" "/")) NIL (("Public/" "/"))
S: a10 OK Namespace completed
