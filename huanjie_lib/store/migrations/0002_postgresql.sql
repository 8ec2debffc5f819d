CREATE FUNCTION huanjie_decision_in_order() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
  head decisions%ROWTYPE;
BEGIN
  SELECT * INTO head FROM decisions ORDER BY number DESC LIMIT 1;
  IF NEW.number <> coalesce(head.number, 0) + 1 OR NEW.previous_hash <> coalesce(head.hash, repeat('0', 64)) THEN
    RAISE EXCEPTION 'out of order: decisions';
  END IF;
  RETURN NEW;
END
$$
-- ...
CREATE TRIGGER decisions_no_change BEFORE DELETE OR UPDATE ON decisions
FOR EACH ROW EXECUTE FUNCTION huanjie_append_only()
-- ...
CREATE TRIGGER decisions_no_truncate BEFORE TRUNCATE ON decisions
FOR EACH STATEMENT EXECUTE FUNCTION huanjie_append_only()
-- ...
CREATE TRIGGER decisions_in_order BEFORE INSERT ON decisions
FOR EACH ROW EXECUTE FUNCTION huanjie_decision_in_order()
