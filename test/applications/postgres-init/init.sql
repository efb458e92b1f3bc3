CREATE TABLE fruit (name TEXT);
INSERT INTO fruit VALUES ('pear'), ('apple');
