# A reload that changes what TLS must be at least: those connected stay, the next are served as before.
! policy opportunistic
S: /^220 /
C: EHLO x
S* 250-STARTTLS
S: 250 CHUNKING
R tls_min = "1.3";
C: STARTTLS
S: 220 2.0.0 Begin TLS
T
C: EHLO x
S* 250 CHUNKING
C2: EHLO x
S2* 250-STARTTLS
S2: 250 CHUNKING
C2: STARTTLS
S2: 220 2.0.0 Begin TLS
T2
C2: NOOP
S2: 250 2.0.0 Ok
R
C3: NOOP
S3* 250 2.0.0 Ok
C: QUIT
S: /^221 /
S!
