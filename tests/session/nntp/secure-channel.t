# STARTTLS required: 483 for everything but the way into TLS.
! policy starttls
! set limits.errors = 100;
S: 200 mail.example.test sealpost NNTP ready
C: CAPABILITIES
S: 101 Capability list follows
S: VERSION 2
S: IMPLEMENTATION sealpost
S: STARTTLS
S: .
C: MODE READER
S: 200 Posting allowed
C: AUTHINFO USER alice
S: 483 No login without TLS: send STARTTLS first
C: AUTHINFO PASS secret
S: 483 No login without TLS: send STARTTLS first
C: AUTHINFO SASL PLAIN AGFsaWNlAHNlY3JldA==
S: 483 No login without TLS: send STARTTLS first
C: GROUP local.test
S: 483 Secure channel required: send STARTTLS first
C: LIST
S: 483 Secure channel required: send STARTTLS first
C: ARTICLE <x@y>
S: 483 Secure channel required: send STARTTLS first
C: POST
S: 483 Secure channel required: send STARTTLS first
C: DATE
S: 483 Secure channel required: send STARTTLS first
C: HELP
S: 483 Secure channel required: send STARTTLS first
C: NONSENSE
S: 500 Unknown command
C: STARTTLS x
S: 501 STARTTLS takes no argument
V plaintext_credentials 3
C: STARTTLS
S: 382 Begin TLS
T
C: AUTHINFO PASS secret
S: 482 AUTHINFO USER comes first
C: CAPABILITIES
S* AUTHINFO USER SASL
S* .
C: AUTHINFO USER alice
S: 381 Send AUTHINFO PASS
C: AUTHINFO PASS secret
S: 281 Logged in
C: GROUP local.test
S: 211 0 1 0 local.test
V plaintext_bytes 0
C2+ STARTTLS\r\nDATE\r\n
S2: /^200 /
S2: 382 Begin TLS
S2!
C3: QUIT
S3: /^200 /
S3: 205 Bye
S3!
