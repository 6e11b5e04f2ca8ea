-- outside a transaction
-- An interrupted attempt leaves an invalid index.
DROP INDEX CONCURRENTLY IF EXISTS "changes_transaction_idx";
--> statement-breakpoint
CREATE INDEX CONCURRENTLY "changes_transaction_idx" ON "changes" USING btree ("transaction_id");
--> statement-breakpoint
DROP INDEX CONCURRENTLY IF EXISTS "changes_feed_idx";
