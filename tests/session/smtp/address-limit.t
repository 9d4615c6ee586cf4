! policy opportunistic
! set limits.connections_per_address = 1;
S: /^220 /
C2: NOOP
S2: 421 4.3.2 mail.example.test Too many connections, try again later
S2!
C3: NOOP
S3!
