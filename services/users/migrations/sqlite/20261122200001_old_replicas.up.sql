-- A process of the version before knows of no claims. It keeps no user with an address that is claimed, and claims the others.
INSERT INTO "emails" (email, user_id, "partition", claimed_at, confirmed)
    SELECT email, id, '', created_at, true FROM "users" WHERE true ON CONFLICT DO NOTHING;
CREATE TRIGGER refuse_email BEFORE INSERT ON "users" WHEN EXISTS (SELECT 1 FROM emails WHERE email = NEW.email OR user_id = NEW.id)
BEGIN
    SELECT RAISE(IGNORE);
END;
CREATE TRIGGER claim_email AFTER INSERT ON "users"
BEGIN
    INSERT INTO emails (email, user_id, "partition", claimed_at, confirmed) VALUES (NEW.email, NEW.id, '', NEW.created_at, true);
END;
