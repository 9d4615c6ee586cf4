# Commands put behind STARTTLS in clear never reach the session under TLS.
! policy opportunistic
S: /^220 /
C: EHLO there
S* 250 CHUNKING
C+ STARTTLS\r\nMAIL FROM:<evil@remote.test>\r\n
S: 220 2.0.0 Begin TLS
S!
C2+ STARTTLS\r\nX
S2: /^220 /
S2: 220 2.0.0 Begin TLS
S2!
