DROP INDEX "changes_account_idx";--> statement-breakpoint
DROP INDEX "changes_customer_idx";--> statement-breakpoint
CREATE UNIQUE INDEX "changes_account_version_key" ON "changes" USING btree ("tenant_id","account_id","version") WHERE "changes"."account_id" is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "changes_customer_version_key" ON "changes" USING btree ("tenant_id","customer_id","version") WHERE "changes"."account_id" is null;