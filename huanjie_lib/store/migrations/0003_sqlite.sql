CREATE TRIGGER access_log_no_update BEFORE UPDATE ON access_log
BEGIN
  SELECT RAISE(ABORT, 'append only: access_log');
END
-- ...
CREATE TRIGGER access_log_no_delete BEFORE DELETE ON access_log
BEGIN
  SELECT RAISE(ABORT, 'append only: access_log');
END
-- ...
CREATE TRIGGER access_log_in_order BEFORE INSERT ON access_log
WHEN NEW.number <> (SELECT coalesce(max(number), 0) + 1 FROM access_log)
  OR NEW.previous_hash <> coalesce(
    (SELECT hash FROM access_log ORDER BY number DESC LIMIT 1),
    '0000000000000000000000000000000000000000000000000000000000000000'
  )
BEGIN
  SELECT RAISE(ABORT, 'out of order: access_log');
END
-- ...
CREATE TRIGGER request_events_no_update BEFORE UPDATE ON request_events
BEGIN
  SELECT RAISE(ABORT, 'append only: request_events');
END
-- ...
CREATE TRIGGER request_events_no_delete BEFORE DELETE ON request_events
BEGIN
  SELECT RAISE(ABORT, 'append only: request_events');
END
-- ...
CREATE TRIGGER request_events_in_order BEFORE INSERT ON request_events
WHEN NEW.number <> (SELECT coalesce(max(number), 0) + 1 FROM request_events)
  OR NEW.previous_hash <> coalesce(
    (SELECT hash FROM request_events ORDER BY number DESC LIMIT 1),
    '0000000000000000000000000000000000000000000000000000000000000000'
  )
BEGIN
  SELECT RAISE(ABORT, 'out of order: request_events');
END
