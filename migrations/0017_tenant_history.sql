CREATE TABLE "tenant_changes" (
	"tenant_id" integer NOT NULL,
	"version" integer NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"actor" varchar(260) NOT NULL,
	"request_id" varchar(100) NOT NULL,
	"before" jsonb NOT NULL,
	"after" jsonb NOT NULL,
	CONSTRAINT "tenant_changes_pkey" PRIMARY KEY("tenant_id","version")
);
--> statement-breakpoint
ALTER TABLE "tenants" ADD COLUMN "version" integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "tenants" ADD COLUMN "updated_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "tenant_changes" ADD CONSTRAINT "tenant_changes_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;
--> statement-breakpoint
CREATE TRIGGER "tenant_changes_append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "tenant_changes"
  FOR EACH STATEMENT EXECUTE FUNCTION "refuse_rewriting_history"();
