-- The text that searches match, folded in the database only: for what is stored and for what is asked.
CREATE FUNCTION "fold_text"("value" text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  folded text COLLATE "default" := value;
BEGIN
  IF octet_length(folded) = length(folded) THEN
    RETURN translate(lower(folded), '''`', '');
  END IF;
  folded := translate(folded, U&'\00b4\02b9\02bb\02bc\2018\2019\201b\2032\ff07', '');
  folded := lower(normalize(folded, NFKD));
  folded := regexp_replace(folded, U&'[\0300-\036f\00ad\200b-\200f\2060\fe00-\fe0f\feff''`]', '', 'g');
  folded := translate(folded, U&'\03c2\0131\00f8\0142\0111\00f0\0127\0167', U&'\03c3ioldht');
  folded := replace(replace(replace(replace(folded, U&'\00df', 'ss'), U&'\00e6', 'ae'), U&'\0153', 'oe'), U&'\00fe', 'th');
  RETURN normalize(folded, NFKC);
END;
$$;
--> statement-breakpoint
-- Each word begins behind a space, which U+0001 marks if the value has none there. Characters of scripts without spaces
-- are words, and symbols become words of their code points.
CREATE FUNCTION "separate_words"("folded" text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  spaced text COLLATE "default" := folded;
BEGIN
  IF octet_length(spaced) <> length(spaced) THEN
    spaced := regexp_replace(spaced, U&'([\1100-\11ff\2e80-\2fff\3005-\3007\3021-\9fff\a960-\a97f\ac00-\d7ff\f900-\faff\+01b000-\+01b2ff\+020000-\+03ffff])', ' \1 ', 'g');
    IF spaced ~ U&'[^\0001-\007f[:alnum:]]' THEN
      SELECT string_agg(CASE WHEN c ~ U&'[^\0001-\007f[:alnum:]]' THEN ' u' || to_hex(ascii(c)) || ' ' ELSE c END, '' ORDER BY n)
        INTO spaced FROM regexp_split_to_table(spaced, '') WITH ORDINALITY AS letters(c, n);
    END IF;
  END IF;
  RETURN regexp_replace(spaced, '([^[:alnum:] \n])(?=[[:alnum:]])', E'\\1\x01 ', 'g');
END;
$$;
--> statement-breakpoint
-- One value a line, each line between a space and a line feed.
CREATE FUNCTION "search_document"("values" text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
  RETURN ' ' || replace(public.separate_words(public.fold_text("values")), E'\n', E'\n ') || E'\n';
END;
$$;
--> statement-breakpoint
-- A word of three characters is found anywhere, a shorter one at the beginning of a word.
CREATE FUNCTION "search_patterns"("query" text) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT array_agg(DISTINCT '%' || regexp_replace(
      CASE WHEN length(part) >= 3 OR word LIKE ' %' THEN word ELSE ' ' || word END, '([\\%_])', '\\\1', 'g') || '%')
  FROM (SELECT part, public.separate_words(part) AS word FROM regexp_split_to_table(public.fold_text("query"), '\s+') AS part WHERE part <> '') AS words;
$$;
--> statement-breakpoint
-- The parts of words that have a letter or digit, which the index finds. A long part has no space before it: the
-- trigrams of beginnings are common.
CREATE FUNCTION "search_pieces"("patterns" text[]) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT array_agg(DISTINCT '%' || CASE WHEN n > 1 AND length(piece) < 3 THEN ' ' ELSE '' END || piece || '%')
  FROM unnest("patterns") AS pattern,
    regexp_split_to_table(substr(pattern, 2, length(pattern) - 2), E'\x01 ') WITH ORDINALITY AS pieces(piece, n)
  WHERE piece ~ '[[:alnum:]]';
$$;
--> statement-breakpoint
CREATE FUNCTION "fold_tags"("tags" text[]) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
  RETURN string_to_array(public.fold_text(array_to_string("tags", E'\n')), E'\n');
END;
$$;
--> statement-breakpoint
ALTER TABLE "accounts" ADD COLUMN "search_text" text;
--> statement-breakpoint
ALTER TABLE "customers" ADD COLUMN "search_text" text;
--> statement-breakpoint
ALTER TABLE "accounts" ADD COLUMN "facets" text[];
--> statement-breakpoint
ALTER TABLE "customers" ADD COLUMN "facets" text[];
--> statement-breakpoint
-- Words for exact matches, without a meaning in common: T1 is the tenant, C:1 a customer, and tags have no upper-case
-- letters.
CREATE FUNCTION "set_customer_facets"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.facets := array['T' || NEW.tenant_id, NEW.status, NEW.address_country];
  RETURN NEW;
END;
$$;
--> statement-breakpoint
CREATE TRIGGER "customers_facets_insert" BEFORE INSERT ON "customers"
  FOR EACH ROW EXECUTE FUNCTION "set_customer_facets"();
--> statement-breakpoint
CREATE TRIGGER "customers_facets_update" BEFORE UPDATE ON "customers" FOR EACH ROW
  WHEN (NEW.facets IS NULL OR (OLD.status, OLD.address_country) IS DISTINCT FROM (NEW.status, NEW.address_country))
  EXECUTE FUNCTION "set_customer_facets"();
--> statement-breakpoint
CREATE FUNCTION "set_account_facets"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.facets := array['T' || NEW.tenant_id, 'C:' || NEW.customer_id, NEW.status, NEW.address_country, NEW.invoice_currency]
    || public.fold_tags(NEW.tags);
  RETURN NEW;
END;
$$;
--> statement-breakpoint
CREATE TRIGGER "accounts_facets_insert" BEFORE INSERT ON "accounts"
  FOR EACH ROW EXECUTE FUNCTION "set_account_facets"();
--> statement-breakpoint
CREATE TRIGGER "accounts_facets_update" BEFORE UPDATE ON "accounts" FOR EACH ROW
  WHEN (NEW.facets IS NULL OR (OLD.status, OLD.address_country, OLD.invoice_currency, OLD.tags)
    IS DISTINCT FROM (NEW.status, NEW.address_country, NEW.invoice_currency, NEW.tags))
  EXECUTE FUNCTION "set_account_facets"();
--> statement-breakpoint
-- A phone number as people write it, and its digits.
CREATE FUNCTION "searched_phone"("phone" text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
  RETURN "phone" || E'\n' || CASE WHEN "phone" LIKE '+%' THEN '+' ELSE '' END || regexp_replace("phone", '\D', '', 'g');
END;
$$;
--> statement-breakpoint
CREATE FUNCTION "set_customer_search_text"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.search_text := public.search_document(concat_ws(E'\n', NEW.id, NEW.name, NEW.primary_email, public.searched_phone(NEW.address_phone_number)));
  RETURN NEW;
END;
$$;
--> statement-breakpoint
CREATE TRIGGER "customers_search_text_insert" BEFORE INSERT ON "customers"
  FOR EACH ROW EXECUTE FUNCTION "set_customer_search_text"();
--> statement-breakpoint
CREATE TRIGGER "customers_search_text_update" BEFORE UPDATE ON "customers" FOR EACH ROW
  WHEN (NEW.search_text IS NULL OR (OLD.name, OLD.primary_email, OLD.address_phone_number)
    IS DISTINCT FROM (NEW.name, NEW.primary_email, NEW.address_phone_number))
  EXECUTE FUNCTION "set_customer_search_text"();
--> statement-breakpoint
-- A new row brings the values of its aliases. They stand behind the mark U+001E, and those that start or end at a time
-- behind U+001F. They are kept unless the text was cleared, because the aliases have changed.
CREATE FUNCTION "set_account_search_text"() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  own text := concat_ws(E'\n', NEW.id, NEW.name, NEW.primary_email,
    public.searched_phone(NEW.address_phone_number), nullif(array_to_string(NEW.tags, E'\n'), ''));
  held text;
BEGIN
  IF TG_OP = 'INSERT' THEN
    held := NEW.search_text;
  ELSIF NEW.search_text IS NOT NULL THEN
    NEW.search_text := public.search_document(own) || substr(OLD.search_text, strpos(OLD.search_text, E' \x1e\n'));
    RETURN NEW;
  ELSE
    SELECT concat_ws(E'\n', string_agg(value, E'\n') FILTER (WHERE lasts),
        E'\x1f\n' || string_agg(value, E'\n') FILTER (WHERE NOT lasts)) INTO held
      FROM (SELECT value, effective_from <= now() AND effective_until = 'infinity' AS lasts FROM public.aliases
        WHERE tenant_id = NEW.tenant_id AND account_id = NEW.id AND value <> account_id AND effective_until > now()) AS spans;
  END IF;
  NEW.search_text := public.search_document(concat_ws(E'\n', own, E'\x1e', nullif(held, '')));
  RETURN NEW;
END;
$$;
--> statement-breakpoint
CREATE TRIGGER "accounts_search_text_insert" BEFORE INSERT ON "accounts"
  FOR EACH ROW EXECUTE FUNCTION "set_account_search_text"();
--> statement-breakpoint
CREATE TRIGGER "accounts_search_text_update" BEFORE UPDATE ON "accounts" FOR EACH ROW
  WHEN (NEW.search_text IS NULL OR (OLD.name, OLD.primary_email, OLD.address_phone_number, OLD.tags)
    IS DISTINCT FROM (NEW.name, NEW.primary_email, NEW.address_phone_number, NEW.tags))
  EXECUTE FUNCTION "set_account_search_text"();
--> statement-breakpoint
-- Clearing the text makes the trigger of accounts write it again. A new account has the values already.
CREATE FUNCTION "add_aliases_to_search_text"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE public.accounts SET search_text = NULL WHERE (tenant_id, id) IN (
    SELECT account.tenant_id, account.id FROM changed JOIN public.accounts AS account
      ON account.tenant_id = changed.tenant_id AND account.id = changed.account_id
    WHERE changed.value <> changed.account_id AND changed.effective_until > now()
      AND strpos(account.search_text, E'\n' || public.search_document(changed.value)) = 0);
  RETURN NULL;
END;
$$;
--> statement-breakpoint
CREATE FUNCTION "update_aliases_in_search_text"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE public.accounts SET search_text = NULL WHERE (tenant_id, id) IN (
    SELECT tenant_id, account_id FROM changed WHERE value <> account_id);
  RETURN NULL;
END;
$$;
--> statement-breakpoint
CREATE TRIGGER "aliases_search_text_insert" AFTER INSERT ON "aliases" REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION "add_aliases_to_search_text"();
--> statement-breakpoint
CREATE TRIGGER "aliases_search_text_update" AFTER UPDATE ON "aliases" REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION "update_aliases_in_search_text"();
