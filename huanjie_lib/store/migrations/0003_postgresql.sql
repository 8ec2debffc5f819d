CREATE FUNCTION huanjie_row_in_order() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
  latest bigint;
  previous text;
BEGIN
  EXECUTE format('SELECT number, hash FROM %I ORDER BY number DESC LIMIT 1', TG_TABLE_NAME)
  INTO latest, previous;
  IF NEW.number <> coalesce(latest, 0) + 1 OR NEW.previous_hash <> coalesce(previous, repeat('0', 64)) THEN
    RAISE EXCEPTION 'out of order: %', TG_TABLE_NAME;
  END IF;
  RETURN NEW;
END
$$
-- ...
CREATE TRIGGER access_log_no_change BEFORE DELETE OR UPDATE ON access_log
FOR EACH ROW EXECUTE FUNCTION huanjie_append_only()
-- ...
CREATE TRIGGER access_log_no_truncate BEFORE TRUNCATE ON access_log
FOR EACH STATEMENT EXECUTE FUNCTION huanjie_append_only()
-- ...
CREATE TRIGGER access_log_in_order BEFORE INSERT ON access_log
FOR EACH ROW EXECUTE FUNCTION huanjie_row_in_order()
-- ...
CREATE TRIGGER request_events_no_change BEFORE DELETE OR UPDATE ON request_events
FOR EACH ROW EXECUTE FUNCTION huanjie_append_only()
-- ...
CREATE TRIGGER request_events_no_truncate BEFORE TRUNCATE ON request_events
FOR EACH STATEMENT EXECUTE FUNCTION huanjie_append_only()
-- ...
CREATE TRIGGER request_events_in_order BEFORE INSERT ON request_events
FOR EACH ROW EXECUTE FUNCTION huanjie_row_in_order()
