-- Figures of the duty book ask when handovers were completed; their texts are long and stay unread.
CREATE INDEX handover_complete ON handover (incoming_at) WHERE incoming_at IS NOT NULL;
