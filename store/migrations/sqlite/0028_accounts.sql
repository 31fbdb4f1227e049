-- Who may not log in, whose password was set by somebody else, when somebody last logged in.
ALTER TABLE account ADD COLUMN disabled_at BIGINT;
ALTER TABLE account ADD COLUMN owes_password BIGINT NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN logged_in_at BIGINT;
-- Tokens that end, that may do less than whoever made them, and when they were last used; without an end or a role: made on the command line.
ALTER TABLE api_token ADD COLUMN role TEXT;
ALTER TABLE api_token ADD COLUMN expires_at BIGINT;
ALTER TABLE api_token ADD COLUMN used_at BIGINT;
CREATE INDEX api_token_of_login ON api_token (login);
