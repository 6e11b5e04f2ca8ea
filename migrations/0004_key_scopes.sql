ALTER TABLE "api_keys" ADD COLUMN "scopes" text[] NOT NULL DEFAULT '{accounts:read,accounts:write,customers:read,customers:write,keys:manage}';--> statement-breakpoint
-- The keys that there were could do everything; a new one says what it may do.
ALTER TABLE "api_keys" ALTER COLUMN "scopes" DROP DEFAULT;--> statement-breakpoint
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_scopes_check" CHECK ("api_keys"."scopes" <@ array['accounts:read', 'accounts:write', 'customers:read', 'customers:write', 'keys:manage']::text[]);