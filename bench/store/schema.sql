-- The result store, schema 1. Executed statement by statement in one transaction; later changes are
-- files NNNN_what.sql beside this one, applied in order up to the number in user_version.
PRAGMA application_id = 1196312913; -- 'GNIQ'
PRAGMA user_version = 1;

-- A file, by the sha256 of its bytes. Size is unknown until the file was opened by a run of this store.
CREATE TABLE image (
    id      INTEGER PRIMARY KEY,
    sha256  TEXT NOT NULL UNIQUE,
    bytes   INTEGER
) STRICT;

-- What decoding it gave. More than one row: another decoder, or other options of the image gate.
CREATE TABLE decoding (
    image         INTEGER NOT NULL REFERENCES image,
    pixels_sha256 TEXT NOT NULL,
    width         INTEGER NOT NULL,
    height        INTEGER NOT NULL,
    mode          TEXT NOT NULL,
    notes         TEXT NOT NULL DEFAULT '[]',
    PRIMARY KEY (image, pixels_sha256)
) STRICT, WITHOUT ROWID;

CREATE TABLE manifest (
    id       INTEGER PRIMARY KEY,
    digest   TEXT NOT NULL UNIQUE,
    name     TEXT NOT NULL,
    document TEXT NOT NULL
) STRICT;

CREATE TABLE metric (
    id       INTEGER PRIMARY KEY,
    digest   TEXT NOT NULL UNIQUE,
    name     TEXT NOT NULL,
    document TEXT NOT NULL
) STRICT;

-- Ordered by id, never by the clock.
CREATE TABLE run (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid     TEXT NOT NULL UNIQUE,
    manifest INTEGER NOT NULL REFERENCES manifest,
    started  TEXT NOT NULL,
    finished TEXT,
    status   TEXT NOT NULL CHECK (status IN ('running', 'done', 'failed', 'interrupted')),
    document TEXT NOT NULL
) STRICT;

-- Which files an item of a manifest was last seen to be. reference 0: none.
CREATE TABLE item (
    manifest  INTEGER NOT NULL REFERENCES manifest,
    key       TEXT NOT NULL,
    image     INTEGER NOT NULL REFERENCES image,
    reference INTEGER NOT NULL DEFAULT 0,
    run       INTEGER NOT NULL REFERENCES run,
    PRIMARY KEY (manifest, key)
) STRICT, WITHOUT ROWID;

-- Items that the image gate or the pairing refused; stands for every metric of the item.
CREATE TABLE refusal (
    manifest INTEGER NOT NULL REFERENCES manifest,
    key      TEXT NOT NULL,
    code     TEXT NOT NULL CHECK (code <> ''),
    message  TEXT NOT NULL,
    run      INTEGER NOT NULL REFERENCES run,
    PRIMARY KEY (manifest, key)
) STRICT, WITHOUT ROWID;

-- What was measured, not who asked: manifests that share an image share its scores. The image comes first
-- in the key, because boards are read item by item. reference 0: none.
CREATE TABLE score (
    image     INTEGER NOT NULL REFERENCES image,
    reference INTEGER NOT NULL DEFAULT 0,
    metric    INTEGER NOT NULL REFERENCES metric,
    value     REAL,
    status    TEXT NOT NULL CHECK (status IN ('ok', 'nonfinite', 'failed', 'skipped')),
    detail    TEXT NOT NULL DEFAULT '',
    run       INTEGER NOT NULL REFERENCES run,
    seconds   REAL,
    PRIMARY KEY (image, reference, metric),
    CHECK ((status = 'ok') = (value IS NOT NULL)),
    CHECK (value IS NULL OR abs(value) <= 1.7976931348623157e308),
    CHECK (status = 'ok' OR detail GLOB 'E-?*')
) STRICT, WITHOUT ROWID;

-- features: what the value was computed from, so that another set of images is not taken for a changed metric.
CREATE TABLE set_score (
    manifest  INTEGER NOT NULL REFERENCES manifest,
    generator TEXT NOT NULL,
    metric    INTEGER NOT NULL REFERENCES metric,
    subset    TEXT NOT NULL DEFAULT '',
    replicate INTEGER NOT NULL DEFAULT 0,
    features  TEXT NOT NULL DEFAULT '',
    n         INTEGER NOT NULL,
    value     REAL,
    status    TEXT NOT NULL CHECK (status IN ('ok', 'nonfinite', 'failed', 'skipped')),
    detail    TEXT NOT NULL DEFAULT '',
    run       INTEGER NOT NULL REFERENCES run,
    PRIMARY KEY (manifest, generator, metric, subset, replicate),
    CHECK ((status = 'ok') = (value IS NOT NULL)),
    CHECK (value IS NULL OR abs(value) <= 1.7976931348623157e308),
    CHECK (status = 'ok' OR detail GLOB 'E-?*')
) STRICT, WITHOUT ROWID;

-- Two measurements of one thing that differ (E-NONDET): the one that stands, and the other one.
CREATE TABLE conflict (
    sequence      INTEGER PRIMARY KEY AUTOINCREMENT,
    kind          TEXT NOT NULL CHECK (kind IN ('score', 'set', 'item')),
    image         TEXT NOT NULL,
    reference     TEXT NOT NULL,
    metric        TEXT NOT NULL,
    subject       TEXT NOT NULL,
    first_value   REAL,
    first_status  TEXT NOT NULL,
    first_detail  TEXT NOT NULL,
    first_run     INTEGER NOT NULL REFERENCES run,
    second_value  REAL,
    second_status TEXT NOT NULL,
    second_detail TEXT NOT NULL,
    second_run    INTEGER NOT NULL REFERENCES run
) STRICT;
