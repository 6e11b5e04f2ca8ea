DROP INDEX "accounts_updated_at_idx";--> statement-breakpoint
DROP INDEX "customers_updated_at_idx";--> statement-breakpoint
CREATE INDEX "accounts_archived_idx" ON "accounts" USING btree ("tenant_id","updated_at" DESC NULLS FIRST,"id") WHERE "accounts"."status" = 'ARCHIVED';--> statement-breakpoint
CREATE INDEX "accounts_created_at_idx" ON "accounts" USING btree ("tenant_id","created_at" DESC NULLS FIRST,"id");--> statement-breakpoint
CREATE INDEX "accounts_name_idx" ON "accounts" USING btree ("tenant_id","name" collate "C","id");--> statement-breakpoint
CREATE INDEX "accounts_filter_idx" ON "accounts" USING gin ((array['T' || "tenant_id"::text, "status", "address_country", "invoice_currency"]::text[] || "tags"::text[]),"metadata" jsonb_path_ops,lower((E'\n' || "id" || E'\n' || "name" || E'\n' || coalesce("primary_email", '')) collate "default") gin_trgm_ops);--> statement-breakpoint
CREATE INDEX "aliases_search_idx" ON "aliases" USING gin ("tenant_id",lower((E'\n' || "value") collate "default") gin_trgm_ops) WHERE "aliases"."value" <> "aliases"."account_id";--> statement-breakpoint
CREATE INDEX "customers_archived_idx" ON "customers" USING btree ("tenant_id","updated_at" DESC NULLS FIRST,"id") WHERE "customers"."status" = 'ARCHIVED';--> statement-breakpoint
CREATE INDEX "customers_created_at_idx" ON "customers" USING btree ("tenant_id","created_at" DESC NULLS FIRST,"id");--> statement-breakpoint
CREATE INDEX "customers_name_idx" ON "customers" USING btree ("tenant_id","name" collate "C","id");--> statement-breakpoint
CREATE INDEX "customers_filter_idx" ON "customers" USING gin ((array['T' || "tenant_id"::text, "status", "address_country"]::text[]),"metadata" jsonb_path_ops,lower((E'\n' || "id" || E'\n' || "name" || E'\n' || "primary_email") collate "default") gin_trgm_ops);--> statement-breakpoint
CREATE INDEX "accounts_updated_at_idx" ON "accounts" USING btree ("tenant_id","updated_at" DESC NULLS FIRST,"id") WHERE "accounts"."status" <> 'ARCHIVED';--> statement-breakpoint
CREATE INDEX "customers_updated_at_idx" ON "customers" USING btree ("tenant_id","updated_at" DESC NULLS FIRST,"id") WHERE "customers"."status" <> 'ARCHIVED';