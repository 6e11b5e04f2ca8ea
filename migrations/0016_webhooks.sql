CREATE TABLE "webhook_attempts" (
	"tenant_id" integer NOT NULL,
	"endpoint_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"change_id" uuid,
	"attempt" smallint NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"duration_ms" integer NOT NULL,
	"status" smallint,
	"error" varchar(200),
	"response" text NOT NULL,
	CONSTRAINT "webhook_attempts_pkey" PRIMARY KEY("tenant_id","endpoint_id","id")
);
--> statement-breakpoint
CREATE TABLE "webhook_endpoint_changes" (
	"tenant_id" integer NOT NULL,
	"id" uuid NOT NULL,
	"endpoint_id" uuid NOT NULL,
	"kind" varchar(30) NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"actor" varchar(260) NOT NULL,
	"request_id" varchar(100) NOT NULL,
	"version" integer NOT NULL,
	"before" jsonb,
	"after" jsonb,
	CONSTRAINT "webhook_endpoint_changes_pkey" PRIMARY KEY("tenant_id","id"),
	CONSTRAINT "webhook_endpoint_changes_kind_check" CHECK ("webhook_endpoint_changes"."kind" in ('WEBHOOK_ENDPOINT_CREATED', 'WEBHOOK_ENDPOINT_UPDATED', 'WEBHOOK_ENDPOINT_DELETED', 'WEBHOOK_SECRET_ROTATED', 'WEBHOOK_REDELIVERED'))
);
--> statement-breakpoint
CREATE TABLE "webhook_endpoints" (
	"tenant_id" integer NOT NULL,
	"id" uuid NOT NULL,
	"url" varchar(2000) NOT NULL,
	"description" varchar(500) NOT NULL,
	"kinds" text[],
	"customer_id" varchar(50) collate "C",
	"payload" varchar(4) NOT NULL,
	"on_exhausted" varchar(5) NOT NULL,
	"status" varchar(8) NOT NULL,
	"disabled_reason" varchar(200),
	"secret" "bytea" NOT NULL,
	"previous_secret" "bytea",
	"previous_secret_expires_at" timestamp (3) with time zone,
	"public_key" varchar(60) NOT NULL,
	"position" bigint NOT NULL,
	"not_before" timestamp (3) with time zone,
	"version" integer NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "webhook_endpoints_pkey" PRIMARY KEY("tenant_id","id"),
	CONSTRAINT "webhook_endpoints_status_check" CHECK ("webhook_endpoints"."status" in ('ENABLED', 'DISABLED')),
	CONSTRAINT "webhook_endpoints_payload_check" CHECK ("webhook_endpoints"."payload" in ('THIN', 'FULL')),
	CONSTRAINT "webhook_endpoints_on_exhausted_check" CHECK ("webhook_endpoints"."on_exhausted" in ('SKIP', 'BLOCK'))
);
--> statement-breakpoint
CREATE TABLE "webhook_lanes" (
	"tenant_id" integer NOT NULL,
	"endpoint_id" uuid NOT NULL,
	"is_account" boolean NOT NULL,
	"entity_id" varchar(50) collate "C" NOT NULL,
	"next_version" integer,
	"last_version" integer,
	"again_from" integer,
	"again_to" integer,
	"again_requests" integer DEFAULT 0 NOT NULL,
	"attempts" smallint NOT NULL,
	"next_attempt_at" timestamp(3) with time zone NOT NULL,
	"behind_since" timestamp (3) with time zone NOT NULL,
	"claimed_by" uuid,
	CONSTRAINT "webhook_lanes_pkey" PRIMARY KEY("tenant_id","endpoint_id","is_account","entity_id")
);
--> statement-breakpoint
CREATE TABLE "webhook_leases" (
	"id" uuid PRIMARY KEY NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
ALTER TABLE "api_keys" DROP CONSTRAINT "api_keys_scopes_check";--> statement-breakpoint
ALTER TABLE "webhook_attempts" ADD CONSTRAINT "webhook_attempts_endpoint_fkey" FOREIGN KEY ("tenant_id","endpoint_id") REFERENCES "public"."webhook_endpoints"("tenant_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "webhook_endpoints" ADD CONSTRAINT "webhook_endpoints_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "webhook_lanes" ADD CONSTRAINT "webhook_lanes_endpoint_fkey" FOREIGN KEY ("tenant_id","endpoint_id") REFERENCES "public"."webhook_endpoints"("tenant_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "webhook_attempts_at_idx" ON "webhook_attempts" USING btree ("at");--> statement-breakpoint
CREATE UNIQUE INDEX "webhook_endpoint_changes_version_key" ON "webhook_endpoint_changes" USING btree ("tenant_id","endpoint_id","version");--> statement-breakpoint
CREATE INDEX "webhook_lanes_due_idx" ON "webhook_lanes" USING btree ("tenant_id","endpoint_id","next_attempt_at");--> statement-breakpoint
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_scopes_check" CHECK ("api_keys"."scopes" <@ array['accounts:read', 'accounts:write', 'customers:read', 'customers:write', 'keys:manage', 'webhooks:manage']::text[]);
--> statement-breakpoint
CREATE TRIGGER "webhook_endpoint_changes_append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "webhook_endpoint_changes"
  FOR EACH STATEMENT EXECUTE FUNCTION "refuse_rewriting_history"();
