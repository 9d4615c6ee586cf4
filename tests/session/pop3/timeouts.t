# The time for a login counts from the connection, whatever is said meanwhile; after it the idle time counts.
! set limits.idle_timeout = 2;
! set limits.login_timeout = 1;
S: /^\+OK /
C2: USER alice
C2: PASS secret
S2* /^\+OK 0 messages/
W 600
C: CAPA
S* .
C2: NOOP
S2: +OK
S: -ERR [SYS/TEMP] Timed out, closing
S!
# in the middle of a login, too
C3: AUTH PLAIN
S3: /^\+OK /
S3: + 
S3: -ERR [SYS/TEMP] Timed out, closing
S3!
C2: NOOP
S2: +OK
W 1200
C2: NOOP
S2: +OK
S2: -ERR [SYS/TEMP] Timed out, closing
S2!
