PRAGMA user_version=3;
BEGIN TRANSACTION;
CREATE TABLE contents (
    number INTEGER PRIMARY KEY, collection TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
    shape INTEGER NOT NULL, body TEXT NOT NULL, ix TEXT NOT NULL, uq TEXT, emits INTEGER NOT NULL,
    UNIQUE (collection, id));
INSERT INTO "contents" VALUES(1,'cases','plain',1,0,'{"at":"2026-01-01","office":"kabul","tags":["a","kabul\u001fabababababababababababababababababababababababababababababababab","Ünder"],"numbers":["X1"],"text":"Zwölf Ärzte \"said\"\\n"}','{"office":{"e":["kabul"],"o":"2026-01-01\u001f"},"tag":{"e":["a","kabul\u001fabababababababababababababababababababababababababababababababab","Ünder"],"o":""}}','["X1"]',1);
INSERT INTO "contents" VALUES(2,'cases','00000001-1111-5222-8333-444444440001',1,0,'{"at":"2026-01-01","office":"kabul","tags":["00000002-1111-5222-8333-444444440002","00000001-1111-5222-8333-444444440001"],"numbers":["00000003-1111-5222-8333-444444440003"]}','{"office":{"e":["kabul"],"o":"2026-01-01\u001f"},"tag":{"e":["00000002-1111-5222-8333-444444440002",""],"o":""}}','["00000003-1111-5222-8333-444444440003"]',1);
INSERT INTO "contents" VALUES(3,'cases','00000004-1111-5222-8333-444444440004',1,0,'{"at":"2026-01-01","office":"dili"}','{"office":{"e":["dili"],"o":"2026-01-01\u001f"}}',NULL,1);
INSERT INTO "contents" VALUES(4,'cases','0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f',2,0,'{"at":"2026-01-01","office":"dili","letter":null,"tags":["y"]}','{"office":{"e":["dili"],"o":"2026-01-01\u001f"},"tag":{"e":["y"],"o":""}}',NULL,1);
INSERT INTO "contents" VALUES(5,'cases','00000005-1111-5222-8333-444444440005',1,1,'{"slot":21,"timed":true,"next_at":"2026-11-29T17:05:37.271382Z","at":"2026-11-29T17:05:37.271382Z","office":"kabul"}','{"office":{"e":["kabul"],"o":"2026-11-29T17:05:37.271382Z\u001f"},"timer":{"e":["timed"],"o":"2026-11-29T17:05:37.271382Z\u001f"}}',NULL,1);
INSERT INTO "contents" VALUES(6,'others','plain',1,0,'{"at":"2026-01-01","tags":["a"]}','{}',NULL,1);
CREATE TABLE entries (
    ix INTEGER NOT NULL, equals TEXT NOT NULL, ord TEXT NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (ix, equals, ord, number)) WITHOUT ROWID;
INSERT INTO "entries" VALUES(1,'dili','2026-01-0100000004-1111-5222-8333-444444440004',3);
INSERT INTO "entries" VALUES(1,'dili','2026-01-010f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f',4);
INSERT INTO "entries" VALUES(1,'kabul','2026-01-0100000001-1111-5222-8333-444444440001',2);
INSERT INTO "entries" VALUES(1,'kabul','2026-01-01plain',1);
INSERT INTO "entries" VALUES(1,'kabul','2026-11-29T17:05:37.271382Z00000005-1111-5222-8333-444444440005',5);
INSERT INTO "entries" VALUES(2,'00000001-1111-5222-8333-444444440001','00000001-1111-5222-8333-444444440001',2);
INSERT INTO "entries" VALUES(2,'00000002-1111-5222-8333-444444440002','00000001-1111-5222-8333-444444440001',2);
INSERT INTO "entries" VALUES(2,'a','plain',1);
INSERT INTO "entries" VALUES(2,'kabulabababababababababababababababababababababababababababababababab','plain',1);
INSERT INTO "entries" VALUES(2,'y','0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f',4);
INSERT INTO "entries" VALUES(2,'Ünder','plain',1);
INSERT INTO "entries" VALUES(3,'pending','00000004-1111-5222-8333-444444440004',3);
INSERT INTO "entries" VALUES(4,'timed','2026-11-29T17:05:37.271382Z00000005-1111-5222-8333-444444440005',5);
CREATE TABLE indexes (
    number INTEGER PRIMARY KEY, collection TEXT NOT NULL, name TEXT NOT NULL, built INTEGER NOT NULL,
    UNIQUE (collection, name));
INSERT INTO "indexes" VALUES(1,'cases','office',1);
INSERT INTO "indexes" VALUES(2,'cases','tag',1);
INSERT INTO "indexes" VALUES(3,'cases','outbox',1);
INSERT INTO "indexes" VALUES(4,'cases','timer',1);
INSERT INTO "indexes" VALUES(5,'others','outbox',1);
INSERT INTO "indexes" VALUES(6,'others','timer',1);
CREATE TABLE outboxes (
    number INTEGER PRIMARY KEY, ord TEXT NOT NULL, events TEXT NOT NULL);
INSERT INTO "outboxes" VALUES(3,'00000004-1111-5222-8333-444444440004','[{"topic":"t","value":"{}"}]');
CREATE TABLE passing (
    number INTEGER PRIMARY KEY, fields TEXT NOT NULL);
INSERT INTO "passing" VALUES(4,'"answer":"yes"');
CREATE TABLE shapes (
    number INTEGER PRIMARY KEY, fields TEXT NOT NULL UNIQUE);
INSERT INTO "shapes" VALUES(1,'"state":null,"private":{},"applied":{},"emitted":{},"holds":{},"closed":null,"late":false,"timed":false,"next_at":null,"last_recorded_at":null,"last_happened_at":null');
CREATE TABLE uniques (
    collection TEXT NOT NULL, key TEXT NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (collection, key)) WITHOUT ROWID;
INSERT INTO "uniques" VALUES('cases','00000003-1111-5222-8333-444444440003',2);
INSERT INTO "uniques" VALUES('cases','X1',1);
COMMIT;
