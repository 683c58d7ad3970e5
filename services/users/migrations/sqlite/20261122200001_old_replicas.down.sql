DROP TRIGGER claim_email;
DROP TRIGGER refuse_email;
