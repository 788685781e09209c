-- Certificates that users uploaded. Their keys are sealed: whoever reads the database cannot serve with them.
CREATE TABLE certificates (
  id BIGINT PRIMARY KEY,
  common_name TEXT NOT NULL UNIQUE,
  owner TEXT NOT NULL REFERENCES users (username) ON DELETE CASCADE,
  chain TEXT NOT NULL,
  sealed_key TEXT NOT NULL,
  expires BIGINT NOT NULL,
  created BIGINT NOT NULL,
  updated BIGINT NOT NULL
);
CREATE INDEX certificates_of_owner ON certificates (owner, common_name);

-- The host names that a certificate is for, in lower case; the first label may be `*`.
CREATE TABLE certificate_names (
  certificate BIGINT NOT NULL REFERENCES certificates (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  PRIMARY KEY (certificate, name)
);
CREATE INDEX certificates_by_name ON certificate_names (name);

-- How requests to an app are routed, beyond what holds for all.
CREATE TABLE app_settings (
  app TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (app, key)
);

-- Counts what changed of an app's routing settings and certificates.
ALTER TABLE apps ADD COLUMN routing BIGINT NOT NULL DEFAULT 0;

-- Keys that routers seal TLS session tickets with; the newest seals.
CREATE TABLE ticket_keys (
  name TEXT PRIMARY KEY,
  sealed_key TEXT NOT NULL,
  created BIGINT NOT NULL
);
