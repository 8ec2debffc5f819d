CREATE FUNCTION huanjie_append(body text, derived json, expected bigint,
  OUT outcome text, OUT number bigint, OUT previous text, OUT link text, OUT standing text)
LANGUAGE plpgsql AS $$
DECLARE
  told json := body::json;
BEGIN
  PERFORM pg_advisory_xact_lock(29402458902653285);
  SELECT sequence INTO number FROM case_events WHERE event_id = told ->> 'event_id';
  IF number IS NOT NULL THEN
    outcome := 'known';
    RETURN;
  END IF;
  SELECT coalesce(max(version), 0) INTO standing FROM cases WHERE case_id = told ->> 'case_id';
  IF standing::bigint <> expected THEN
    outcome := 'stale';
    RETURN;
  END IF;
  SELECT sequence, hash INTO number, previous FROM case_events ORDER BY sequence DESC LIMIT 1;
  number := coalesce(number, 0) + 1;
  previous := coalesce(previous, repeat('0', 64));
  link := encode(sha256(convert_to(previous || E'\n' || body, 'UTF8')), 'hex');
  INSERT INTO case_events VALUES (
    number, told ->> 'event_id', told ->> 'case_id', (told ->> 'version')::bigint, told ->> 'event',
    told ->> 'actor', told ->> 'office', told ->> 'role', told ->> 'happened_on', told ->> 'recorded_at',
    told ->> 'payload', previous, link
  );
  INSERT INTO cases SELECT * FROM json_populate_record(NULL::cases, derived)
  ON CONFLICT (case_id) DO UPDATE SET
    state = excluded.state,
    owner = excluded.owner,
    version = excluded.version,
    due_on = excluded.due_on,
    closed_on = excluded.closed_on,
    evidence = excluded.evidence,
    rectifiers = excluded.rectifiers,
    reopened = excluded.reopened,
    returned = excluded.returned,
    postponed = excluded.postponed;
  INSERT INTO evidence
  SELECT number, position, item ->> 'digest', item ->> 'name', (item ->> 'bytes')::bigint, item ->> 'media_type'
  FROM json_array_elements((told ->> 'payload')::json -> 'evidence')
    WITH ORDINALITY AS listed (item, position);
  outcome := 'recorded';
EXCEPTION WHEN unique_violation THEN
  SELECT case_id INTO standing FROM cases
  WHERE cause = derived ->> 'cause' AND case_id <> derived ->> 'case_id'
    AND state IN ('alert', 'dispatched', 'rectifying', 'reviewing');
  IF standing IS NULL THEN
    RAISE;
  END IF;
  outcome := 'taken';
END
$$
-- ...
CREATE FUNCTION huanjie_append_only() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'append only: %', TG_TABLE_NAME;
END
$$
-- ...
CREATE FUNCTION huanjie_event_in_order() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
  number bigint;
  previous text;
BEGIN
  SELECT sequence, hash INTO number, previous FROM case_events ORDER BY sequence DESC LIMIT 1;
  IF NEW.sequence <> coalesce(number, 0) + 1 OR NEW.previous_hash <> coalesce(previous, repeat('0', 64)) THEN
    RAISE EXCEPTION 'out of order: case_events';
  END IF;
  RETURN NEW;
END
$$
-- ...
CREATE FUNCTION huanjie_run_in_order() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
  latest bigint;
  previous text;
BEGIN
  SELECT number, hash INTO latest, previous FROM runs ORDER BY number DESC LIMIT 1;
  IF NEW.number <> coalesce(latest, 0) + 1 OR NEW.previous_hash <> coalesce(previous, repeat('0', 64)) THEN
    RAISE EXCEPTION 'out of order: runs';
  END IF;
  RETURN NEW;
END
$$
-- ...
CREATE TRIGGER case_events_no_change BEFORE DELETE OR UPDATE ON case_events
FOR EACH ROW EXECUTE FUNCTION huanjie_append_only()
-- ...
CREATE TRIGGER evidence_no_change BEFORE DELETE OR UPDATE ON evidence
FOR EACH ROW EXECUTE FUNCTION huanjie_append_only()
-- ...
CREATE TRIGGER runs_no_change BEFORE DELETE OR UPDATE ON runs
FOR EACH ROW EXECUTE FUNCTION huanjie_append_only()
-- ...
CREATE TRIGGER run_units_no_change BEFORE DELETE OR UPDATE ON run_units
FOR EACH ROW EXECUTE FUNCTION huanjie_append_only()
-- ...
CREATE TRIGGER run_causes_no_change BEFORE DELETE OR UPDATE ON run_causes
FOR EACH ROW EXECUTE FUNCTION huanjie_append_only()
-- ...
CREATE TRIGGER cases_no_delete BEFORE DELETE ON cases
FOR EACH ROW EXECUTE FUNCTION huanjie_append_only()
-- ...
CREATE TRIGGER case_events_no_truncate BEFORE TRUNCATE ON case_events
FOR EACH STATEMENT EXECUTE FUNCTION huanjie_append_only()
-- ...
CREATE TRIGGER cases_no_truncate BEFORE TRUNCATE ON cases
FOR EACH STATEMENT EXECUTE FUNCTION huanjie_append_only()
-- ...
CREATE TRIGGER evidence_no_truncate BEFORE TRUNCATE ON evidence
FOR EACH STATEMENT EXECUTE FUNCTION huanjie_append_only()
-- ...
CREATE TRIGGER runs_no_truncate BEFORE TRUNCATE ON runs
FOR EACH STATEMENT EXECUTE FUNCTION huanjie_append_only()
-- ...
CREATE TRIGGER run_units_no_truncate BEFORE TRUNCATE ON run_units
FOR EACH STATEMENT EXECUTE FUNCTION huanjie_append_only()
-- ...
CREATE TRIGGER run_causes_no_truncate BEFORE TRUNCATE ON run_causes
FOR EACH STATEMENT EXECUTE FUNCTION huanjie_append_only()
-- ...
CREATE TRIGGER case_events_in_order BEFORE INSERT ON case_events
FOR EACH ROW EXECUTE FUNCTION huanjie_event_in_order()
-- ...
CREATE TRIGGER runs_in_order BEFORE INSERT ON runs
FOR EACH ROW EXECUTE FUNCTION huanjie_run_in_order()
