-- Several sources may tell of one house: how much each is trusted, and which of them is followed.
ALTER TABLE flows ADD COLUMN rank INTEGER NOT NULL DEFAULT 0;
ALTER TABLE flows ADD COLUMN limited INTEGER NOT NULL DEFAULT 0;
ALTER TABLE decisions ADD COLUMN source TEXT;
ALTER TABLE decisions ADD COLUMN distrust TEXT;

-- What is counted goes on; of holes nothing is known yet.
UPDATE states SET document = json_set(
    document, '$.pv.holes', json('[]'), '$.grid.holes', json('[]'), '$.battery.holes', json('[]')
) WHERE name = 'energy';
UPDATE states SET document = json_set(document, '$.grid.holes', json('[]')) WHERE name = 'session';
