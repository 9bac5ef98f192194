-- What is known of each video that was ordered. It ends with a `url` or with a `problem`.
CREATE TABLE IF NOT EXISTS videos (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    prompt text NOT NULL,
    -- The latest submit, committed before it is sent: from then on it may have been paid for.
    intent jsonb,
    -- The task that it became.
    ticket jsonb,
    url text,
    problem text
);
