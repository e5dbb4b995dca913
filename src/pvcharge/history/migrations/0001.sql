-- Times are microseconds since 1970 in UTC (_us), so that what is read back equals what was written.
-- `seq` is one row of numbers over all tables of events: the order in which the daemon saw them.

CREATE TABLE runs (
    id INTEGER PRIMARY KEY, started_us INTEGER NOT NULL, first_seq INTEGER NOT NULL,
    version TEXT NOT NULL, settings TEXT NOT NULL
);
CREATE TABLE flows (
    seq INTEGER PRIMARY KEY, start_us INTEGER NOT NULL, end_us INTEGER NOT NULL, pv_w REAL, grid_w REAL,
    battery_w REAL, load_w REAL, battery_soc_pct REAL, source TEXT NOT NULL
);
CREATE TABLE statuses (
    seq INTEGER PRIMARY KEY, at_us INTEGER NOT NULL, state TEXT NOT NULL, power_w REAL NOT NULL,
    phases INTEGER NOT NULL, current_a REAL NOT NULL, setpoint_phases INTEGER, setpoint_a INTEGER,
    min_current_a INTEGER, max_current_a INTEGER, session_wh REAL, total_wh REAL,
    changed_by_hand_us INTEGER, fault TEXT
);
CREATE TABLE modes (seq INTEGER PRIMARY KEY, mode TEXT NOT NULL, until_us INTEGER);
CREATE TABLE limits (seq INTEGER PRIMARY KEY, min_current_a INTEGER, max_current_a INTEGER);
CREATE TABLE decisions (
    seq INTEGER PRIMARY KEY, at_us INTEGER NOT NULL, phases INTEGER NOT NULL, current_a INTEGER NOT NULL,
    reason TEXT NOT NULL, mode TEXT NOT NULL, surplus_w REAL, needed_w REAL, reading_age_s REAL,
    waits_until_us INTEGER, boost_until_us INTEGER
);
CREATE TABLE leases (
    seq INTEGER PRIMARY KEY, number INTEGER NOT NULL, at_us INTEGER NOT NULL, duration_s REAL NOT NULL,
    phases INTEGER NOT NULL, current_a INTEGER NOT NULL, hand_known_us INTEGER
);
CREATE TABLE health (
    seq INTEGER PRIMARY KEY, at_us INTEGER NOT NULL, name TEXT NOT NULL, ok INTEGER NOT NULL,
    since_us INTEGER NOT NULL, error TEXT, facts TEXT NOT NULL
);
CREATE TABLE totals (seq INTEGER PRIMARY KEY, at_us INTEGER NOT NULL, pv_wh REAL NOT NULL DEFAULT 0, import_wh REAL NOT NULL DEFAULT 0, export_wh REAL NOT NULL DEFAULT 0,
       battery_in_wh REAL NOT NULL DEFAULT 0, battery_out_wh REAL NOT NULL DEFAULT 0,
       charger_wh REAL NOT NULL DEFAULT 0);
CREATE TABLE sessions (
    seq INTEGER PRIMARY KEY, started_us INTEGER NOT NULL, ended_us INTEGER, energy_wh REAL NOT NULL,
    solar_wh REAL NOT NULL, cost REAL NOT NULL, saved REAL NOT NULL, charging_s REAL NOT NULL,
    starts INTEGER NOT NULL, phase_switches INTEGER NOT NULL, pauses_s TEXT NOT NULL
);
CREATE TABLE marks (at_us INTEGER PRIMARY KEY, seq INTEGER NOT NULL);
CREATE TABLE five_minutes (at_us INTEGER PRIMARY KEY, filled INTEGER NOT NULL DEFAULT 0, covered_s REAL NOT NULL DEFAULT 0, pv_wh REAL NOT NULL DEFAULT 0, import_wh REAL NOT NULL DEFAULT 0, export_wh REAL NOT NULL DEFAULT 0,
       battery_in_wh REAL NOT NULL DEFAULT 0, battery_out_wh REAL NOT NULL DEFAULT 0,
       charger_wh REAL NOT NULL DEFAULT 0);
CREATE TABLE days (day TEXT PRIMARY KEY, filled INTEGER NOT NULL DEFAULT 0, covered_s REAL NOT NULL DEFAULT 0, pv_wh REAL NOT NULL DEFAULT 0, import_wh REAL NOT NULL DEFAULT 0, export_wh REAL NOT NULL DEFAULT 0,
       battery_in_wh REAL NOT NULL DEFAULT 0, battery_out_wh REAL NOT NULL DEFAULT 0,
       charger_wh REAL NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE counters (id INTEGER PRIMARY KEY CHECK (id = 1), pv_wh REAL NOT NULL DEFAULT 0, import_wh REAL NOT NULL DEFAULT 0, export_wh REAL NOT NULL DEFAULT 0,
       battery_in_wh REAL NOT NULL DEFAULT 0, battery_out_wh REAL NOT NULL DEFAULT 0,
       charger_wh REAL NOT NULL DEFAULT 0);
CREATE TABLE cursors (name TEXT PRIMARY KEY, seq INTEGER NOT NULL, dropped INTEGER NOT NULL DEFAULT 0);
CREATE TABLE states (name TEXT PRIMARY KEY, document TEXT NOT NULL);
INSERT INTO counters (id) VALUES (1);
