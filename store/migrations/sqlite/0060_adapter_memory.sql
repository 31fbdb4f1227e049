-- What adapters remember of a sender between messages: the last value of each property, and what formats learnt. Written with the detector's cursor.
CREATE TABLE adapter_memory (
  sender TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  since BIGINT NOT NULL, -- journal position of the message that changed it
  PRIMARY KEY (sender, key)
);
