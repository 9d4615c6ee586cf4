# AUTHENTICATE with and without an initial response (RFC 4959), and a mechanism of two rounds.
S: /^\* OK /
C: a1 AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA==
S: /^a1 OK \[CAPABILITY /
S2: /^\* OK /
C2: a1 AUTHENTICATE PLAIN
S2: /^\+ ?$/
C2: AGFsaWNlAHNlY3JldA==
S2: /^a1 OK \[CAPABILITY /
S3: /^\* OK /
C3: a1 AUTHENTICATE LOGIN
S3: + VXNlcm5hbWU6
C3: YWxpY2U=
S3: + UGFzc3dvcmQ6
C3: c2VjcmV0
S3: /^a1 OK \[CAPABILITY /
