-- Dropped last: until then reads go on, and writes wait.
ALTER INDEX "accounts_filter_idx" RENAME TO "old_accounts_filter_idx";--> statement-breakpoint
ALTER INDEX "aliases_search_idx" RENAME TO "old_aliases_search_idx";--> statement-breakpoint
ALTER INDEX "customers_filter_idx" RENAME TO "old_customers_filter_idx";--> statement-breakpoint
CREATE INDEX "accounts_filter_idx" ON "accounts" USING gin ((array['T' || "tenant_id"::text, "status", "address_country", "invoice_currency"]::text[] || "tags"::text[]),"metadata" jsonb_path_ops,replace(lower((E'\n' || "id" || E'\n' || "name" || E'\n' || coalesce("primary_email", '')) collate "default"), E'\n', E'\nX') gin_trgm_ops);--> statement-breakpoint
CREATE INDEX "aliases_search_idx" ON "aliases" USING gin ("tenant_id",replace(lower((E'\n' || "value") collate "default"), E'\n', E'\nX') gin_trgm_ops) WHERE "aliases"."value" <> "aliases"."account_id";--> statement-breakpoint
CREATE INDEX "customers_filter_idx" ON "customers" USING gin ((array['T' || "tenant_id"::text, "status", "address_country"]::text[]),"metadata" jsonb_path_ops,replace(lower((E'\n' || "id" || E'\n' || "name" || E'\n' || "primary_email") collate "default"), E'\n', E'\nX') gin_trgm_ops);--> statement-breakpoint
DROP INDEX "old_accounts_filter_idx";--> statement-breakpoint
DROP INDEX "old_aliases_search_idx";--> statement-breakpoint
DROP INDEX "old_customers_filter_idx";
