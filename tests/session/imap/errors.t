# Too many bad commands end the session.
! set limits.errors = 3;
S: /^\* OK /
C: x1 BOGUS
S: x1 BAD Unknown command
C: x2
S: * BAD Unknown command
C: x3 LOGIN
S: /^x3 BAD Syntax: LOGIN /
S: * BYE Too many bad commands
S!
