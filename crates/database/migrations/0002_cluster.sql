-- What only one process of several may do at a time, and which of them does. `epoch` grows with each new holder.
CREATE TABLE leases (
  name TEXT PRIMARY KEY,
  holder TEXT NOT NULL,
  address TEXT NOT NULL,
  epoch BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);

-- One row per transaction of the last hour: proof for a writer that lost the connection while it committed.
CREATE TABLE receipts (
  token TEXT PRIMARY KEY,
  written BIGINT NOT NULL
);
CREATE INDEX receipts_by_age ON receipts (written);
