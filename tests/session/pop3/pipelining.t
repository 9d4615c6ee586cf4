# A whole session in one packet.
D 16 a\r\n\r\n1\r\n
C+ USER alice\r\nPASS secret\r\nSTAT\r\nRETR 1\r\nDELE 1\r\nQUIT\r\nNOOP\r\n
S: /^\+OK sealpost/
S: +OK Send PASS
S: +OK 1 messages (8 octets)
S: +OK 1 8
S: +OK 8 octets
S: a
S: 
S: 1
S: .
S: +OK Marked for removal
S: +OK Bye
S!
