-- Trigrams, for the search in lists (migrations/tenant/0003). A trusted extension: the owner may make it. Its schema is control, which
-- tenants' roles have no right to and need none: what an index uses is not asked for rights.
CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA control;
