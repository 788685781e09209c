-- When the authority would have a certificate renewed, and when it is asked again; 0 where it has not said so.
ALTER TABLE acme_certificates ADD COLUMN renewal_start BIGINT NOT NULL DEFAULT 0;
ALTER TABLE acme_certificates ADD COLUMN renewal_end BIGINT NOT NULL DEFAULT 0;
ALTER TABLE acme_certificates ADD COLUMN renewal_ask_at BIGINT NOT NULL DEFAULT 0;
