# A command behind STARTTLS in the clear buffer ends the session.
! policy starttls
S: /^\* OK /
C+ a1 STARTTLS\r\na2 NOOP\r\n
S: /^a1 OK /
S!
