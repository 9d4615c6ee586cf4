# Logging in: RFC 4643.
! set limits.errors = 100;
! set limits.auth_failures = 4;
S: /^200 /
C: AUTHINFO
S: 500 Unknown command
C: AUTHINFO NONSENSE x
S: 500 Unknown command
C: AUTHINFO USER
S: 501 Usage: AUTHINFO USER name
C: AUTHINFO PASS secret
S: 482 AUTHINFO USER comes first
C: authinfo user alice
S: 381 Send AUTHINFO PASS
C: AUTHINFO PASS wrong
S: 481 Authentication failed
C: AUTHINFO PASS secret
S: 482 AUTHINFO USER comes first
C: AUTHINFO USER alice
S: 381 Send AUTHINFO PASS
C: AUTHINFO PASS down
S: 403 Login is not available, try again later
C: AUTHINFO SASL
S: 501 Usage: AUTHINFO SASL mechanism [initial-response]
C: AUTHINFO SASL NTLM
S: 503 Unknown authentication mechanism
C: AUTHINFO SASL PLAIN !
S: 504 Not base64
C: AUTHINFO SASL PLAIN =
S: 482 Malformed authentication exchange
C: AUTHINFO SASL PLAIN
S: 383 
C: *
S: 481 Authentication cancelled
C: AUTHINFO SASL LOGIN
S: 383 VXNlcm5hbWU6
C: YWxpY2U=
S: 383 UGFzc3dvcmQ6
C: d3Jvbmc=
S: 481 Authentication failed
C: AUTHINFO SASL PLAIN AGFsaWNlAHNlY3JldA==
S: 281 Logged in
C: AUTHINFO USER bob
S: 502 Logged in already
C: AUTHINFO SASL PLAIN AGFsaWNlAHNlY3JldA==
S: 502 Logged in already
C: MODE READER
S: 200 Posting allowed
C: CAPABILITIES
S: 101 Capability list follows
S: VERSION 2
S: IMPLEMENTATION sealpost
S: READER
S: /^LIST /
S: OVER MSGID
S: HDR
S: NEWNEWS
S: POST
S: .
C2: AUTHINFO  USER  nosubmit
S2: /^200 /
S2: 381 Send AUTHINFO PASS
C2: AUTHINFO PASS secret
S2: 481 Authentication failed
C2: AUTHINFO USER nosubmit
S2: 381 Send AUTHINFO PASS
C2: AUTHINFO PASS secret
S2: 281 Logged in
C2: POST
S2: 440 Posting is not allowed
C2: MODE READER
S2: 201 No posting
