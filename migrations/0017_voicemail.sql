-- What a caller said whom nobody answered lies beside the pictures of texts. It belongs to the call.
ALTER TABLE media ADD COLUMN purpose TEXT NOT NULL DEFAULT 'file';
ALTER TABLE media ADD COLUMN seconds BIGINT;
