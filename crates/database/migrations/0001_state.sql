-- Portable to SQLite and PostgreSQL. Times are Unix microseconds, flags are 0 or 1, UUIDs and JSON are text.

CREATE TABLE users (
  id BIGINT PRIMARY KEY,
  username TEXT NOT NULL UNIQUE,
  email TEXT NOT NULL,
  first_name TEXT NOT NULL,
  last_name TEXT NOT NULL,
  password_hash TEXT NOT NULL,
  is_admin INTEGER NOT NULL,
  is_active INTEGER NOT NULL,
  last_login BIGINT NOT NULL,
  joined BIGINT NOT NULL
);

-- Only digests: whoever reads the database cannot log in with it.
CREATE TABLE tokens (
  digest TEXT PRIMARY KEY,
  username TEXT NOT NULL REFERENCES users (username) ON DELETE CASCADE,
  created BIGINT NOT NULL
);
CREATE INDEX tokens_of_user ON tokens (username, created);

CREATE TABLE keys (
  uuid TEXT PRIMARY KEY,
  id TEXT NOT NULL,
  owner TEXT NOT NULL REFERENCES users (username) ON DELETE CASCADE,
  public TEXT NOT NULL UNIQUE,
  fingerprint TEXT NOT NULL UNIQUE,
  created BIGINT NOT NULL,
  updated BIGINT NOT NULL
);
CREATE INDEX keys_of_owner ON keys (owner, id);

CREATE TABLE apps (
  id TEXT PRIMARY KEY,
  uuid TEXT NOT NULL UNIQUE,
  owner TEXT NOT NULL REFERENCES users (username),
  formation TEXT NOT NULL,
  created BIGINT NOT NULL,
  updated BIGINT NOT NULL
);
CREATE INDEX apps_of_owner ON apps (owner);

CREATE TABLE configs (
  uuid TEXT PRIMARY KEY,
  app TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
  owner TEXT NOT NULL,
  "values" TEXT NOT NULL,
  memory TEXT NOT NULL,
  cpu TEXT NOT NULL,
  tags TEXT NOT NULL,
  created BIGINT NOT NULL,
  updated BIGINT NOT NULL
);
CREATE INDEX configs_of_app ON configs (app);

CREATE TABLE builds (
  uuid TEXT PRIMARY KEY,
  app TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
  owner TEXT NOT NULL,
  image TEXT NOT NULL,
  sha TEXT NOT NULL,
  procfile TEXT NOT NULL,
  dockerfile TEXT NOT NULL,
  created BIGINT NOT NULL,
  updated BIGINT NOT NULL
);
CREATE INDEX builds_of_app ON builds (app, created);

CREATE TABLE releases (
  app TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
  version BIGINT NOT NULL,
  uuid TEXT NOT NULL UNIQUE,
  owner TEXT NOT NULL,
  summary TEXT NOT NULL,
  config TEXT NOT NULL REFERENCES configs (uuid),
  build TEXT REFERENCES builds (uuid),
  state TEXT NOT NULL,
  failure TEXT,
  created BIGINT NOT NULL,
  updated BIGINT NOT NULL,
  PRIMARY KEY (app, version)
);
CREATE INDEX releases_of_config ON releases (config);
CREATE INDEX releases_of_build ON releases (build);
-- Two deploys of one app at a time cannot be written, whatever the code above does.
CREATE UNIQUE INDEX one_pending_release ON releases (app) WHERE state = 'pending';

-- What the API calls a container: who it is, not what it does, which only the engine knows.
CREATE TABLE containers (
  uuid TEXT PRIMARY KEY,
  app TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
  version BIGINT NOT NULL,
  process TEXT NOT NULL,
  num BIGINT NOT NULL,
  created BIGINT NOT NULL,
  updated BIGINT NOT NULL,
  UNIQUE (app, process, num, version)
);

CREATE TABLE job_numbers (
  app TEXT PRIMARY KEY REFERENCES apps (id) ON DELETE CASCADE,
  last BIGINT NOT NULL
);

-- `host` is `domain` in lower case: host names differ in more than their case.
CREATE TABLE domains (
  host TEXT PRIMARY KEY,
  domain TEXT NOT NULL,
  app TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
  owner TEXT NOT NULL,
  created BIGINT NOT NULL,
  updated BIGINT NOT NULL
);
CREATE INDEX domains_of_app ON domains (app);

CREATE TABLE perms (
  app TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
  username TEXT NOT NULL REFERENCES users (username) ON DELETE CASCADE,
  created BIGINT NOT NULL,
  PRIMARY KEY (app, username)
);
CREATE INDEX perms_of_user ON perms (username);

CREATE TABLE pushes (
  uuid TEXT PRIMARY KEY,
  app TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
  owner TEXT NOT NULL,
  sha TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  receive_user TEXT NOT NULL,
  receive_repo TEXT NOT NULL,
  ssh_connection TEXT NOT NULL,
  ssh_original_command TEXT NOT NULL,
  created BIGINT NOT NULL,
  updated BIGINT NOT NULL
);
CREATE INDEX pushes_of_app ON pushes (app, created);

CREATE TABLE settings (
  target TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (target, key)
);

CREATE TABLE hosts (
  name TEXT PRIMARY KEY,
  last_report BIGINT NOT NULL
);
