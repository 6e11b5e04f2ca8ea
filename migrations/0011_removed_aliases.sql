CREATE TABLE "removed_aliases" (
	"tenant_id" integer NOT NULL,
	"value" varchar(255) collate "C" NOT NULL,
	CONSTRAINT "removed_aliases_pkey" PRIMARY KEY("tenant_id","value")
);
--> statement-breakpoint
ALTER TABLE "removed_aliases" ADD CONSTRAINT "removed_aliases_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;