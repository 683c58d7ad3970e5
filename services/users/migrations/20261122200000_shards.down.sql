DROP INDEX "users_to_move";
ALTER TABLE "users" DROP COLUMN moved;
DROP TABLE "emails";
DROP TABLE "sharding";
