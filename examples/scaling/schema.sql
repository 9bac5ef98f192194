-- Each video that was ordered. It ends with a `url` or with a `problem`.
CREATE TABLE IF NOT EXISTS videos (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    prompt text NOT NULL,
    -- The submission, committed before it is sent: from then on it may have been accepted.
    submission jsonb,
    -- The task that it became.
    task jsonb,
    url text,
    problem text
);
