-- At most one release of an app is under way, and at most one is tried out, whatever the code above does.
DROP INDEX one_pending_release;
CREATE UNIQUE INDEX one_release_under_way ON releases (app) WHERE state IN ('pending', 'starting', 'promoted');
CREATE UNIQUE INDEX one_canary ON releases (app) WHERE state IN ('canary', 'promoted');
