# A message with line ends of its own, as IMAP may have left it: a dot behind a bare LF does not end it.
D 16 Subject: bare\n\n.\nx\n
S: /^\+OK /
C: USER alice
S: +OK Send PASS
C: PASS secret
S: /^\+OK 1 /
C: RETR 1
S+ +OK 19 octets\r\nSubject: bare\n\n..\nx\n\r\n.\r\n
C: QUIT
S: +OK Bye
S!
