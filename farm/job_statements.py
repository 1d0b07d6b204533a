"""The SQL of the scheduler, all of it. `farm.scheduling` says what it is for."""

from __future__ import annotations

LOCK = "SELECT pg_advisory_xact_lock(hashtext('lowcode scheduler'))"

TABLES = """
CREATE SCHEMA IF NOT EXISTS scheduler;

CREATE TABLE IF NOT EXISTS scheduler.schedule (
    environment text NOT NULL,
    application text NOT NULL,
    job         text NOT NULL,
    version     text NOT NULL,
    cron        text NOT NULL,
    notebook    text NOT NULL,
    timeout     interval NOT NULL,
    retries     integer NOT NULL,
    priority    smallint NOT NULL,
    active      boolean NOT NULL DEFAULT true,
    next_tick   timestamptz,
    run         bigint,              -- the run that has the job now: the lock that keeps a second one out
    PRIMARY KEY (environment, application, job)
);

CREATE TABLE IF NOT EXISTS scheduler.job_run (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    environment text NOT NULL,
    application text NOT NULL,
    job         text NOT NULL,
    tick        timestamptz,         -- NULL where somebody asked for the run
    parameters  jsonb NOT NULL DEFAULT '{}',
    state       text NOT NULL DEFAULT 'waiting'
                CHECK (state IN ('waiting', 'running', 'done', 'parked', 'cancelled', 'skipped')),
    attempt     integer NOT NULL DEFAULT 0,   -- grows with each taking: the fence against a late writer
    failures    integer NOT NULL DEFAULT 0,   -- attempts that failed by themselves
    losses      integer NOT NULL DEFAULT 0,   -- attempts whose worker was lost
    run_at      timestamptz NOT NULL DEFAULT now(),
    worker      text,
    version     text,
    lease_until timestamptz,
    cancelling  boolean NOT NULL DEFAULT false,
    created_at  timestamptz NOT NULL DEFAULT now(),
    started_at  timestamptz,
    finished_at timestamptz,
    error       text,
    record      text,                -- the executed notebook, a path on the worker's host
    UNIQUE (environment, application, job, tick),
    FOREIGN KEY (environment, application, job) REFERENCES scheduler.schedule
);
CREATE UNIQUE INDEX IF NOT EXISTS job_run_one_at_once ON scheduler.job_run (environment, application, job)
    WHERE state = 'running';
CREATE INDEX IF NOT EXISTS job_run_open ON scheduler.job_run (environment, run_at)
    WHERE state IN ('waiting', 'running');
CREATE INDEX IF NOT EXISTS job_run_started ON scheduler.job_run (environment, started_at);

CREATE TABLE IF NOT EXISTS scheduler.outbox (
    id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event jsonb NOT NULL
);
"""

REGISTER = """
INSERT INTO scheduler.schedule
    (environment, application, job, version, cron, notebook, timeout, retries, priority, next_tick)
VALUES (%(environment)s, %(application)s, %(job)s, %(version)s, %(cron)s, %(notebook)s, %(timeout)s, %(retries)s,
        %(priority)s, %(next_tick)s)
ON CONFLICT (environment, application, job) DO UPDATE SET
    version = excluded.version, notebook = excluded.notebook, timeout = excluded.timeout, retries = excluded.retries,
    priority = excluded.priority, active = true, cron = excluded.cron,
    -- a release that leaves the times alone forgets no tick that is due
    next_tick = CASE WHEN schedule.active AND schedule.cron = excluded.cron THEN schedule.next_tick
                     ELSE excluded.next_tick END
"""
RETIRE = """
UPDATE scheduler.schedule SET active = false, next_tick = NULL
WHERE environment = %(environment)s AND application = %(application)s AND active AND NOT job = ANY(%(jobs)s)
"""
CANCEL_RETIRED = """
UPDATE scheduler.job_run r SET state = 'cancelled', finished_at = now(), error = 'the release has no such job'
FROM scheduler.schedule s
WHERE r.environment = %(environment)s AND r.application = %(application)s AND r.state = 'waiting' AND NOT s.active
  AND (s.environment, s.application, s.job) = (r.environment, r.application, r.job)
RETURNING r.*
"""

DUE = """
SELECT application, job, cron, next_tick, now() FROM scheduler.schedule
WHERE environment = %(environment)s AND active AND next_tick <= now()
FOR UPDATE SKIP LOCKED
"""
ADD_TICK = """
INSERT INTO scheduler.job_run (environment, application, job, tick)
VALUES (%(environment)s, %(application)s, %(job)s, %(tick)s)
ON CONFLICT (environment, application, job, tick) DO NOTHING
RETURNING id
"""
SKIP_OLDER = """
UPDATE scheduler.job_run SET state = 'skipped', finished_at = now(), error = 'a later tick came before it began'
WHERE environment = %(environment)s AND application = %(application)s AND job = %(job)s
  AND state = 'waiting' AND attempt = 0 AND tick < %(tick)s
RETURNING *
"""
MOVE_TICK = """
UPDATE scheduler.schedule SET next_tick = %(next_tick)s
WHERE environment = %(environment)s AND application = %(application)s AND job = %(job)s
"""

ADD_RUN = """
INSERT INTO scheduler.job_run (environment, application, job, parameters)
SELECT environment, application, job, %(parameters)s::jsonb FROM scheduler.schedule
WHERE environment = %(environment)s AND application = %(application)s AND job = %(job)s AND active
RETURNING id
"""

# The order: priority; then the application that has least running; then the one served longest ago; then time.
# Both rows are locked, and the schedule's is written, so that of two workers that look at two runs of one job the
# second sees `run` set when it gets there, and takes neither.
TAKE = """
WITH served AS (
    SELECT application, count(*) FILTER (WHERE state = 'running') AS running, max(started_at) AS last
    FROM scheduler.job_run
    WHERE environment = %(environment)s AND (state = 'running' OR started_at > now() - interval '1 hour')
    GROUP BY application
), candidate AS (
    SELECT r.id, r.state = 'running' AS lost, s.version, s.notebook, s.timeout, s.retries
    FROM scheduler.job_run r
    JOIN scheduler.schedule s USING (environment, application, job)
    LEFT JOIN served ON served.application = r.application
    WHERE r.environment = %(environment)s AND r.application = ANY(%(applications)s)
      AND ((r.state = 'waiting' AND s.run IS NULL AND r.run_at <= clock_timestamp())
           OR (r.state = 'running' AND s.run = r.id AND r.lease_until < clock_timestamp()))
    ORDER BY s.priority DESC, coalesce(served.running, 0), served.last NULLS FIRST, r.run_at, r.id
    LIMIT 1
    FOR UPDATE OF r, s SKIP LOCKED
), taken AS (
    UPDATE scheduler.job_run r
    SET state = 'running', attempt = r.attempt + 1, losses = r.losses + c.lost::int, worker = %(worker)s, error = NULL,
        version = c.version,
        started_at = clock_timestamp(), lease_until = clock_timestamp() + %(lease)s
    FROM candidate c WHERE r.id = c.id
    RETURNING r.*, c.lost, c.notebook, c.timeout, c.retries
), held AS (
    UPDATE scheduler.schedule s SET run = t.id
    FROM taken t WHERE (s.environment, s.application, s.job) = (t.environment, t.application, t.job)
)
SELECT * FROM taken
"""
RENEW = """
UPDATE scheduler.job_run r SET lease_until = clock_timestamp() + %(lease)s
FROM unnest(%(ids)s::bigint[], %(attempts)s::int[]) AS mine(id, attempt)
WHERE r.id = mine.id AND r.attempt = mine.attempt AND r.state = 'running'
RETURNING r.id, r.cancelling
"""
HELD = """
SELECT r.id, r.cancelling FROM scheduler.job_run r
JOIN unnest(%(ids)s::bigint[], %(attempts)s::int[]) AS mine(id, attempt) ON r.id = mine.id AND r.attempt = mine.attempt
WHERE r.state = 'running'
"""
FINISH = """
UPDATE scheduler.job_run
SET state = %(state)s, failures = failures + %(failed)s::int, error = %(error)s, lease_until = NULL,
    record = coalesce(%(record)s, record), version = coalesce(%(version)s, version),
    run_at = CASE WHEN %(state)s = 'waiting' THEN clock_timestamp() + %(pause)s ELSE run_at END,
    finished_at = CASE WHEN %(state)s = 'waiting' THEN NULL ELSE clock_timestamp() END
WHERE id = %(id)s AND attempt = %(attempt)s AND state = 'running'
RETURNING *
"""
LET_GO = "UPDATE scheduler.schedule SET run = NULL WHERE run = %(id)s"

CANCEL = """
UPDATE scheduler.job_run
SET cancelling = true,
    state = CASE WHEN state = 'waiting' THEN 'cancelled' ELSE state END,
    finished_at = CASE WHEN state = 'waiting' THEN clock_timestamp() END
WHERE environment = %(environment)s AND id = %(id)s AND state IN ('waiting', 'running')
RETURNING *
"""

RUN = "SELECT * FROM scheduler.job_run WHERE environment = %(environment)s AND id = %(id)s"
RUNS = """
SELECT * FROM scheduler.job_run
WHERE environment = %(environment)s AND application = %(application)s AND (%(job)s::text IS NULL OR job = %(job)s)
ORDER BY id DESC LIMIT %(limit)s
"""
SCHEDULES = """
SELECT s.*, r.state AS last_state, r.finished_at AS last_finished, r.error AS last_error
FROM scheduler.schedule s
LEFT JOIN LATERAL (
    SELECT state, finished_at, error FROM scheduler.job_run
    WHERE (environment, application, job) = (s.environment, s.application, s.job)
    ORDER BY id DESC LIMIT 1
) r ON true
WHERE s.environment = %(environment)s AND s.application = %(application)s AND s.active
ORDER BY s.job
"""
# what there will be to do next, in seconds from now: a tick, a run whose time comes, a lease that runs out
NEXT_MOMENT = """
SELECT extract(epoch FROM min(moment) - clock_timestamp())::float8 FROM (
    SELECT min(next_tick) AS moment FROM scheduler.schedule WHERE environment = %(environment)s AND active
    UNION ALL
    SELECT min(CASE r.state WHEN 'waiting' THEN r.run_at ELSE r.lease_until END)
    FROM scheduler.job_run r JOIN scheduler.schedule s USING (environment, application, job)
    WHERE r.environment = %(environment)s AND r.application = ANY(%(applications)s)
      AND (r.state = 'running' OR (r.state = 'waiting' AND s.run IS NULL))
) AS moments
"""

TELL = "INSERT INTO scheduler.outbox (event) VALUES (%(event)s::jsonb)"
UNTOLD = "SELECT id, event FROM scheduler.outbox ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED"
TOLD = "DELETE FROM scheduler.outbox WHERE id = ANY(%(ids)s)"
FORGET = """
DELETE FROM scheduler.job_run WHERE id IN (
    SELECT id FROM (
        SELECT id, row_number() OVER (PARTITION BY application, job ORDER BY id DESC) AS age
        FROM scheduler.job_run
        WHERE environment = %(environment)s AND state IN ('done', 'parked', 'cancelled', 'skipped')
    ) AS old WHERE age > %(keep)s
)
"""

# `jobs_open`: there is something to take, or to cancel; `jobs_ended`: the run whose id is the payload came to its end
NOTIFY = "SELECT pg_notify(%(channel)s, %(payload)s)"
LISTEN_OPEN = "LISTEN jobs_open"
LISTEN_ENDED = "LISTEN jobs_ended"
