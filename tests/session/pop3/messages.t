# RETR and TOP are dot-stuffed and end properly, whatever the message ends with.
D 16 Subject: one\r\n\r\n.\r\n..two\r\nthree\r\n
D 16 Subject: no end\r\n\r\nlast line
D 16 Subject: header only\r\n
D 16 Subject: bare\n\n.\nx\n
D 16 \r\nno header\r\n
D 17 Subject: of somebody else\r\n\r\nx\r\n
S: /^\+OK /
C: USER alice@example.test
S: +OK Send PASS
C: PASS secret
S: +OK 5 messages (115 octets)
C: STAT
S: +OK 5 115
C: LIST
S: +OK 5 messages (115 octets)
S: 1 33
S: 2 28
S: 3 22
S: 4 19
S: 5 13
S: .
C: LIST 2
S: +OK 2 28
C: RETR 1
S: +OK 33 octets
S: Subject: one
S: 
S: ..
S: ...two
S: three
S: .
C: TOP 1 0
S: +OK 33 octets
S: Subject: one
S: 
S: .
C: TOP 1 2
S: +OK 33 octets
S: Subject: one
S: 
S: ..
S: ...two
S: .
C: TOP 1 100
S: +OK 33 octets
S: Subject: one
S: 
S: ..
S: ...two
S: three
S: .
C: TOP 1 99999999999999999999999
S: +OK 33 octets
S: Subject: one
S: 
S: ..
S: ...two
S: three
S: .
C: RETR 2
S: +OK 28 octets
S: Subject: no end
S: 
S: last line
S: .
C: TOP 2 1
S: +OK 28 octets
S: Subject: no end
S: 
S: last line
S: .
C: RETR 3
S: +OK 22 octets
S: Subject: header only
S: .
C: TOP 3 5
S: +OK 22 octets
S: Subject: header only
S: .
C: RETR 5
S: +OK 13 octets
S: 
S: no header
S: .
C: TOP 5 0
S: +OK 13 octets
S: 
S: .
C: DELE 4
S: +OK Marked for removal
C: QUIT
S: +OK Bye
S!
M 16 4
S0: no such message
S0: .
M 16 5
S0: 
S0: no header
S0: .
