# NUL bytes, text behind the literal, bare line ends.
S: /^\* OK \[CAPABILITY IMAP4rev1 IMAP4rev2 /
C: l LOGIN alice secret
S: /^l OK \[CAPABILITY /
C: a1 APPEND INBOX {8}
S: /^\+ /
C+ a: b\x00\r\n\n\r\n
S: /^a1 NO \[UNKNOWN-CTE\]/
C: a2 APPEND INBOX {5}
S: /^\+ /
C+ a: b\n more\r\n
S: /^a2 BAD /
C: a3 APPEND INBOX {9}
S: /^\+ /
C+ a: b\n\nxy\n\r\n
S: /^a3 OK \[APPENDUID [0-9]+ 1\]/
C: a4 STATUS INBOX (MESSAGES SIZE)
S: * STATUS INBOX (MESSAGES 1 SIZE 9)
S: a4 OK Status completed
