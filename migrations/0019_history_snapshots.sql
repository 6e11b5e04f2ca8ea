CREATE TABLE "history_snapshots" (
	"tenant_id" integer NOT NULL,
	"entity_type" varchar(8) NOT NULL,
	"entity_id" varchar(50) collate "C" NOT NULL,
	"version" integer NOT NULL,
	"begins_at" timestamp (3) with time zone NOT NULL,
	"state" json NOT NULL,
	CONSTRAINT "history_snapshots_pkey" PRIMARY KEY("tenant_id","entity_type","entity_id","begins_at","version"),
	CONSTRAINT "history_snapshots_entity_type_check" CHECK ("history_snapshots"."entity_type" in ('ACCOUNT', 'CUSTOMER'))
);
--> statement-breakpoint
ALTER TABLE "history_snapshots" ADD CONSTRAINT "history_snapshots_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;