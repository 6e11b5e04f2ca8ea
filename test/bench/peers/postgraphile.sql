-- PostGraphile derives its schema from the tables, these views of an account's children, and these functions.
create view account_aliases as
  select tenant_id, account_id, value from aliases
  where value <> account_id and effective_from <= now() and effective_until > now();
comment on view account_aliases is
  E'@primaryKey tenant_id,value\n@foreignKey (tenant_id,account_id) references accounts (tenant_id,id)|@foreignFieldName aliases';

create view account_settings as
  select tenant_id, owner_id as account_id, namespace, id, name, data_type, value from settings
  where owner_type = 'ACCOUNT';
comment on view account_settings is
  E'@primaryKey tenant_id,account_id,namespace,id\n@foreignKey (tenant_id,account_id) references accounts (tenant_id,id)|@foreignFieldName settings';

comment on table settings is '@behavior -*';
comment on table aliases is '@behavior -*';
comment on table changes is '@behavior -*';
comment on table idempotency_records is '@behavior -*';
comment on table api_keys is '@behavior -*';
comment on table tenants is '@behavior -*';

create function accounts_by_ids(ids text[]) returns setof accounts language sql stable as $$
  select accounts.* from unnest(ids) with ordinality as wanted (id, place)
  join accounts on tenant_id = 1 and accounts.id = wanted.id order by place
$$;

create function live_accounts() returns setof accounts language sql stable as $$
  select * from accounts where tenant_id = 1 and status <> 'ARCHIVED' order by updated_at desc, id
$$;

create function search_accounts(search text, tag text default null, by_name boolean default false)
returns setof accounts language sql stable as $$
  select * from accounts where tenant_id = 1 and facets @> array_remove(array['T1', tag], null)
    and status <> 'ARCHIVED' and search_text like (select (search_pieces(search_patterns(search)))[1])
    and search_text like all((select search_patterns(search))::text[])
  order by (case when by_name then name end) collate "C", (case when not by_name then updated_at end) desc, id
$$;

create function account_by_alias(alias text) returns accounts language sql stable as $$
  select accounts.* from aliases join accounts on accounts.tenant_id = 1 and accounts.id = account_id
  where aliases.tenant_id = 1 and value = alias and effective_from <= now() and effective_until > now()
$$;

create function create_account(input json) returns accounts language sql volatile as $$
  with
    given as (select * from json_to_record(input) as given (id text, name text, "customerId" text, "invoiceCurrency" text,
      "netTermDays" int, address json, aliases json, settings json)),
    customer as (select customers.id from customers, given
      where tenant_id = 1 and customers.id = "customerId" and status = 'ACTIVE' for share of customers),
    account as (insert into accounts (tenant_id, id, node_id, customer_id, name, status, invoice_currency, net_term_days,
        address_line1, address_city, address_postal_code, address_country, tags, metadata, version, created_at, updated_at)
      select 1, given.id, uuidv7(), customer.id, given.name, 'ACTIVE',
        "invoiceCurrency", "netTermDays", address ->> 'line1', address ->> 'city',
        address ->> 'postalCode', address ->> 'country', '{}', '{}', 1, now(), now() from given, customer returning *),
    alias as (insert into aliases select 1, value, account.id, '-infinity', 'infinity', now() from account, given,
      lateral (select given.id union all select json_array_elements_text(aliases)) as names (value)),
    setting as (insert into settings (tenant_id, owner_type, owner_id, namespace, id, name, data_type, value)
      select 1, 'ACCOUNT', account.id, s.namespace, s.id, s.name, s."dataType", s.value from account, given,
        json_to_recordset(given.settings) s (namespace text, id text, name text, "dataType" text, value text)),
    change as (insert into changes (tenant_id, id, customer_id, account_id, kind, at, actor, request_id, version, after)
      select 1, uuidv7(), customer_id, account.id, 'ACCOUNT_CREATED', now(), 'bench', 'bench', 1, input::jsonb
      from account)
  select * from account
$$;

create function create_account_plain(input json) returns accounts language sql volatile as $$
  with
    given as (select * from json_to_record(input) as given (id text, name text, "customerId" text, "invoiceCurrency" text,
      "netTermDays" int, address json, aliases json, settings json)),
    customer as (select customers.id from customers, given
      where tenant_id = 1 and customers.id = "customerId" and status = 'ACTIVE' for share of customers),
    account as (insert into accounts (tenant_id, id, node_id, customer_id, name, status, invoice_currency, net_term_days,
        address_line1, address_city, address_postal_code, address_country, tags, metadata, version, created_at, updated_at)
      select 1, given.id, uuidv7(), customer.id, given.name, 'ACTIVE',
        "invoiceCurrency", "netTermDays", address ->> 'line1', address ->> 'city',
        address ->> 'postalCode', address ->> 'country', '{}', '{}', 1, now(), now() from given, customer returning *),
    alias as (insert into aliases select 1, value, account.id, '-infinity', 'infinity', now() from account, given,
      lateral (select given.id union all select json_array_elements_text(aliases)) as names (value)),
    setting as (insert into settings (tenant_id, owner_type, owner_id, namespace, id, name, data_type, value)
      select 1, 'ACCOUNT', account.id, s.namespace, s.id, s.name, s."dataType", s.value from account, given,
        json_to_recordset(given.settings) s (namespace text, id text, name text, "dataType" text, value text))
  select * from account
$$;

create function update_account(id text, name text, expected_version int default null) returns accounts language sql volatile as $$
  with
    before as (select * from accounts a where tenant_id = 1 and a.id = update_account.id and status <> 'ARCHIVED'
      and (expected_version is null or a.version = expected_version) for no key update),
    after as (update accounts a set name = update_account.name, version = a.version + 1, updated_at = now() from before
      where a.tenant_id = 1 and a.id = update_account.id returning a.*),
    change as (insert into changes (tenant_id, id, customer_id, account_id, kind, at, actor, request_id, version, before, after)
      select 1, uuidv7(), after.customer_id, after.id, 'ACCOUNT_UPDATED', now(), 'bench', 'bench', after.version,
        jsonb_build_object('name', before.name), jsonb_build_object('name', after.name) from before, after)
  select * from after
$$;

create function update_account_plain(id text, name text) returns accounts language sql volatile as $$
  update accounts a set name = update_account_plain.name, version = a.version + 1, updated_at = now()
  where a.tenant_id = 1 and a.id = update_account_plain.id and a.status <> 'ARCHIVED' returning a.*
$$;
comment on table accounts is '@behavior -insert -update -delete';
comment on table customers is '@behavior -insert -update -delete';
