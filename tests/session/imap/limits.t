# Lines and literals over their limits; message over its limit.
! set limits.line_bytes = 1024;
! set limits.literal_bytes = 4096;
! set limits.message_bytes = 100000;
! set limits.errors = 100;
S: /^\* OK \[CAPABILITY IMAP4rev1 IMAP4rev2 /
C: l LOGIN alice secret
S: /^l OK \[CAPABILITY /
C* 2000 x
C: 
S: /^\* BAD \[TOOBIG\]|^x+ BAD \[TOOBIG\]/
C+ a1 LIST "" 
C* 2000 a
C: 
S: /^a1 BAD \[TOOBIG\]/
C: a2 SELECT {6000}
S: /^a2 BAD \[TOOBIG\]/
C: a3 SELECT {6000+}
C* 6000 x
C: 
S: /^a3 BAD \[TOOBIG\]/
C: a4 APPEND INBOX {100001}
S: /^a4 NO \[TOOBIG\]/
C: a5 APPEND INBOX {100001+}
C* 100001 x
C: 
S: /^a5 NO \[TOOBIG\]/
C: a6 APPEND INBOX {100000}
S: /^\+ /
C* 100000 x
C: 
S: /^a6 OK \[APPENDUID [0-9]+ 1\]/
C: a7 NOOP
S: a7 OK Completed
# in IDLE such a line is no command with a tag: it ends IDLE, and the next command is one
C: b1 IDLE
S: /^\+ /
C+ y DONE 
C* 2000 x
C: 
S: b1 BAD DONE expected
C: b2 NOOP
S: b2 OK Completed
