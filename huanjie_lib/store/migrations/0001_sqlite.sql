CREATE TRIGGER case_events_no_update BEFORE UPDATE ON case_events
BEGIN
  SELECT RAISE(ABORT, 'append only: case_events');
END
-- ...
CREATE TRIGGER case_events_no_delete BEFORE DELETE ON case_events
BEGIN
  SELECT RAISE(ABORT, 'append only: case_events');
END
-- ...
CREATE TRIGGER evidence_no_update BEFORE UPDATE ON evidence
BEGIN
  SELECT RAISE(ABORT, 'append only: evidence');
END
-- ...
CREATE TRIGGER evidence_no_delete BEFORE DELETE ON evidence
BEGIN
  SELECT RAISE(ABORT, 'append only: evidence');
END
-- ...
CREATE TRIGGER runs_no_update BEFORE UPDATE ON runs
BEGIN
  SELECT RAISE(ABORT, 'append only: runs');
END
-- ...
CREATE TRIGGER runs_no_delete BEFORE DELETE ON runs
BEGIN
  SELECT RAISE(ABORT, 'append only: runs');
END
-- ...
CREATE TRIGGER run_units_no_update BEFORE UPDATE ON run_units
BEGIN
  SELECT RAISE(ABORT, 'append only: run_units');
END
-- ...
CREATE TRIGGER run_units_no_delete BEFORE DELETE ON run_units
BEGIN
  SELECT RAISE(ABORT, 'append only: run_units');
END
-- ...
CREATE TRIGGER run_causes_no_update BEFORE UPDATE ON run_causes
BEGIN
  SELECT RAISE(ABORT, 'append only: run_causes');
END
-- ...
CREATE TRIGGER run_causes_no_delete BEFORE DELETE ON run_causes
BEGIN
  SELECT RAISE(ABORT, 'append only: run_causes');
END
-- ...
CREATE TRIGGER cases_no_delete BEFORE DELETE ON cases
BEGIN
  SELECT RAISE(ABORT, 'cases are never deleted');
END
-- ...
CREATE TRIGGER case_events_in_order BEFORE INSERT ON case_events
WHEN NEW.sequence <> (SELECT coalesce(max(sequence), 0) + 1 FROM case_events)
  OR NEW.previous_hash <> coalesce(
    (SELECT hash FROM case_events ORDER BY sequence DESC LIMIT 1),
    '0000000000000000000000000000000000000000000000000000000000000000'
  )
BEGIN
  SELECT RAISE(ABORT, 'out of order: case_events');
END
-- ...
CREATE TRIGGER runs_in_order BEFORE INSERT ON runs
WHEN NEW.number <> (SELECT coalesce(max(number), 0) + 1 FROM runs)
  OR NEW.previous_hash <> coalesce(
    (SELECT hash FROM runs ORDER BY number DESC LIMIT 1),
    '0000000000000000000000000000000000000000000000000000000000000000'
  )
BEGIN
  SELECT RAISE(ABORT, 'out of order: runs');
END
