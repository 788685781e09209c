-- Authorities that issue certificates by themselves: the platform's account at each, how often in a row it failed, until
-- when it is left alone, and how many orders began in the hour that began last. Credentials and keys are sealed.
CREATE TABLE acme_accounts (
  directory TEXT PRIMARY KEY,
  sealed_credentials TEXT,
  email TEXT NOT NULL,
  failures BIGINT NOT NULL,
  retry_at BIGINT NOT NULL,
  problem TEXT,
  hour BIGINT NOT NULL,
  begun BIGINT NOT NULL
);

-- One row per name that has, or is to get, a certificate from one of them: the certificate that is served, the order that
-- is under way, and how the last ones went. Texts are NULL and times 0 where there is nothing. A row outlives its domain
-- for a while, so it refers to none.
CREATE TABLE acme_certificates (
  host TEXT PRIMARY KEY,
  directory TEXT,
  chain TEXT,
  sealed_key TEXT,
  not_before BIGINT NOT NULL,
  not_after BIGINT NOT NULL,
  order_directory TEXT,
  order_url TEXT,
  sealed_order_key TEXT,
  failures BIGINT NOT NULL,
  retry_at BIGINT NOT NULL,
  problem TEXT,
  idle_since BIGINT NOT NULL
);
