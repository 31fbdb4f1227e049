-- What an account is limited to: quarters, micro-grids and departments as one JSON text; what names nothing limits nothing.
ALTER TABLE account ADD COLUMN scope TEXT NOT NULL DEFAULT '{}';
