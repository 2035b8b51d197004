create or replace temp table new_extent as
select min(first_at) as first_at, max(newest_at) as newest_at, sum(assumed_requests)::bigint as assumed_requests
from (
    from extent
    union all by name
    select
        min(sent_at) as first_at, max(coalesce(ended_at, sent_at)) as newest_at,
        coalesce(sum(sign) filter (where time_assumed), 0) as assumed_requests
    from to_add
)
having min(first_at) is not null;
delete from extent;
insert into extent by name from new_extent;
