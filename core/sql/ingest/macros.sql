-- A token count that is plain: a whole JSON number, or absent. Everything else is judged in Python.
create or replace temp macro is_count(value) as value is null or regexp_full_match(value, '[0-9]{1,9}');
create or replace temp macro absent_is_null(value) as nullif(value::varchar, 'null');
create or replace temp macro is_instant(value) as
    regexp_full_match(value, '\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z') and try_cast(value as timestamptz) is not null;

create or replace temp macro is_import(source) as starts_with(source, 'import');

create or replace temp table staged as select 0::bigint as line_number, * from requests limit 0;
