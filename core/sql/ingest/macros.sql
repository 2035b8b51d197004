-- Values come as the raw JSON text of a field. Plain ones are read here, everything else is judged in Python.

-- A whole number of at most nine digits, or absent.
create or replace temp macro is_count(value) as value is null or strlen(value) < 10 and try_cast(value as uinteger)::varchar = value;
create or replace temp macro as_count(value) as coalesce(try_cast(value as bigint), 0);
create or replace temp macro is_flag(value) as value is null or value in ('true', 'false');
-- Text in which nothing is escaped.
create or replace temp macro is_text(value) as value is null or starts_with(value, '"') and not contains(value, '\');
create or replace temp macro inside(value) as substr(value, 2, length(value) - 2);
create or replace temp macro as_text(value) as nullif(inside(value), '');
-- A time as every recorder writes it; hour 24, which DuckDB takes, is none in Python.
create or replace temp macro is_instant(value) as
    value like '____-__-__T__:__:__%Z' and strlen(value) between 20 and 27 and not contains(value, 'T24');

-- Which of two records of one request is kept: more output wins, then an answer over none, then a whole one over a part.
create or replace temp macro telling(output_tokens, status, incomplete) as (output_tokens, status = 'succeeded', not incomplete);
