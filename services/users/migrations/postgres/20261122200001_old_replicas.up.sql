-- A replica of the version before knows of no claims. It keeps no user with an address that is claimed, and claims the others.
LOCK TABLE "users" IN SHARE ROW EXCLUSIVE MODE;
INSERT INTO "emails" (email, user_id, "partition", claimed_at, confirmed)
    SELECT email, id, '', created_at, true FROM "users" ON CONFLICT DO NOTHING;
CREATE FUNCTION claim_email() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO emails (email, user_id, "partition", claimed_at, confirmed)
        VALUES (NEW.email, NEW.id, '', NEW.created_at, true) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN NULL; -- no row is kept, as for an address that another row has
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER claim_email BEFORE INSERT ON "users" FOR EACH ROW EXECUTE FUNCTION claim_email();
