# Too many connections: said, then closed; many more: closed.
! policy opportunistic
! set limits.connections = 2;
S: /^220 /
C2: NOOP
S2: /^220 /
S2: /^250 /
C3: NOOP
S3: 421 4.3.2 mail.example.test Too many connections, try again later
S3!
X
X2
V sessions 0
C4: NOOP
S4: /^220 /
S4: /^250 /
V refused 1
