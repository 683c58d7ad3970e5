DROP TRIGGER claim_email ON "users";
DROP FUNCTION claim_email();
