-- Which copy of an app's repository counts, of those that builders put into the store.
CREATE TABLE repositories (
  app TEXT PRIMARY KEY REFERENCES apps (uuid) ON DELETE CASCADE,
  copy TEXT NOT NULL
);
