! policy opportunistic
! root trusted = ["127.0.0.0/8"];
! set limits.connections_per_address = 1;
S: /^220 /
C2: NOOP
S2: /^220 /
S2: /^250 /
