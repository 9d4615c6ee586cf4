# Too many failed logins end the session.
! set limits.auth_failures = 2;
S: /^\* OK /
C: a1 LOGIN alice wrong
S: /^a1 NO \[AUTHENTICATIONFAILED\]/
C: a2 LOGIN alice wrong
S: /^a2 NO \[AUTHENTICATIONFAILED\]/
S: * BYE Too many failed logins
S!
