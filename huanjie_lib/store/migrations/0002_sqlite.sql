CREATE TRIGGER decisions_no_update BEFORE UPDATE ON decisions
BEGIN
  SELECT RAISE(ABORT, 'append only: decisions');
END
-- ...
CREATE TRIGGER decisions_no_delete BEFORE DELETE ON decisions
BEGIN
  SELECT RAISE(ABORT, 'append only: decisions');
END
-- ...
CREATE TRIGGER decisions_in_order BEFORE INSERT ON decisions
WHEN NEW.number <> (SELECT coalesce(max(number), 0) + 1 FROM decisions)
  OR NEW.previous_hash <> coalesce(
    (SELECT hash FROM decisions ORDER BY number DESC LIMIT 1),
    '0000000000000000000000000000000000000000000000000000000000000000'
  )
BEGIN
  SELECT RAISE(ABORT, 'out of order: decisions');
END
