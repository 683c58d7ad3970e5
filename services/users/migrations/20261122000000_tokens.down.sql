DROP TABLE "signing_keys";
DROP TABLE "clients";
ALTER TABLE "users" DROP COLUMN password_hash;
