-- Settings may be changed while the daemon runs, and what the controller has learned outlives it.
CREATE TABLE settings (seq INTEGER PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE forgets (seq INTEGER PRIMARY KEY);
ALTER TABLE runs ADD COLUMN learned TEXT;
